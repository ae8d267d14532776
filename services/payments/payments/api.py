"""The API: its routes, and how what goes wrong is answered."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic import AfterValidator, BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from payments import logs, metrics, repository, tracing
from payments.edge import Edge
from payments.gate import Gate
from payments.identifiers import new_id
from payments.problems import InvalidValue, Overloaded, Problem, Refused, answer, responses
from payments.publisher import Publisher, Queue
from payments.repository import Answer, Connection, Key, NewOperation, NewPayment
from payments.representations import (
    Capture,
    CaptureRequest,
    Health,
    Operation,
    Payment,
    PaymentInDetail,
    PaymentRequest,
    Payments,
    RefundRequest,
    VoidRequest,
    cursor_after,
    payment_before,
    without_card_number,
)
from payments.settings import ServiceSettings
from payments.states import Kind, State

JSON = "application/json"
MEMBER = re.compile(r"[a-z_]{1,32}")
SECONDS_THAT_READINESS_IS_KNOWN = 3.0
SECONDS_TO_CHECK_READINESS = 4.0
COMMON = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
OF_WRITES = (
    *COMMON,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
LINKS = {
    operation: {"operationId": operation, "parameters": {"payment_id": "$response.body#/id"}}
    for operation in ("read_payment", "capture_payment", "refund_payment", "void_payment")
}
LOCATION = {"Location": {"description": "Where the payment is read.", "schema": {"type": "string"}}}

IdempotencyKey = Annotated[
    str,
    Header(
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z0-9_.:-]+$",
        description="Names the request. Repeated with the same key and body it gets the same answer, and is done once.",
    ),
    AfterValidator(without_card_number),
]
Limit = Annotated[int, Query(ge=1, le=100, description="Payments a page.")]
Cursor = Annotated[
    str | None,
    Query(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$", description="next_cursor of the page before."),
]


class Service:
    """What the routes work with."""

    def __init__(self, settings: ServiceSettings, gate: Gate, queue: Queue, publisher: Publisher | None) -> None:
        self.gate = gate
        self._environment = settings.environment_suffix
        self._queue = queue
        self._publisher = publisher
        self._ready_until = 0.0
        self._checking = asyncio.Lock()

    async def accept(self, request: Request, new: NewPayment, key: Key, shown: Answer) -> Answer:
        """Store a payment, or find what the same request was answered before."""
        given = await self.gate.run(repository.accept, new, key, shown)
        if given.body == shown.body:  # it has a new id in it
            self._count(request, metrics.STARTED)
            self._wake_publisher()
        return given

    async def ask(self, asked: _Asked) -> Answer:
        """Store an operation of a payment, or find what the same request was answered before."""
        given = await self.gate.run(asked.store)
        self._wake_publisher()
        return given

    def shed(self, request: Request) -> None:
        """Count a request that there was no room for."""
        self._count(request, metrics.REQUESTS_SHED)

    async def check(self) -> None:
        """Raises what keeps the service from taking payments; what was well a moment ago is not asked again."""
        async with self._checking:
            if time.monotonic() < self._ready_until:
                return
            both = asyncio.gather(self.gate.run(repository.check), asyncio.to_thread(self._queue.check))
            await asyncio.wait_for(both, SECONDS_TO_CHECK_READINESS)
            self._ready_until = time.monotonic() + SECONDS_THAT_READINESS_IS_KNOWN

    def _count(self, request: Request, metric: metrics.Metric) -> None:
        request.state.log.update(metrics.embedded(self._environment, {metric: 1}))

    def _wake_publisher(self) -> None:
        if self._publisher:
            self._publisher.wake()


@dataclass(frozen=True)
class _Asked:
    """An operation that a client asks for."""

    payment_id: UUID
    kind: Kind
    amount: int | None
    key: Key
    correlation_id: str
    trace: str | None

    def store(self, connection: Connection) -> Answer:
        """Store it; without an amount of its own it is for the payment's."""
        payment = repository.payment(connection, self.payment_id)
        if payment is None:
            raise _not_found()
        now = datetime.now(UTC)
        amount = payment.amount if self.amount is None else self.amount
        new = NewOperation(new_id(now), self.payment_id, self.kind, amount, self.correlation_id, now, self.trace)
        shown = Answer(HTTPStatus.ACCEPTED, Operation.asked(new).model_dump_json())
        return repository.ask(connection, new, self.key, shown)


def _service(request: Request) -> Service:
    return request.app.state.service  # type: ignore[no-any-return]


def _json_only(request: Request) -> None:
    """A body of another type is not looked at."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and sent != JSON:
        raise Refused("unsupported-media-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"A body is {JSON}.")


Used = Annotated[Service, Depends(_service)]
api = APIRouter(prefix="/api/v1", dependencies=[Depends(_json_only)])
own = APIRouter(prefix="/api")


@api.post(
    "/payments",
    status_code=HTTPStatus.ACCEPTED,
    response_model=Payment,
    responses={202: {"headers": LOCATION, "links": LINKS}, **responses(*OF_WRITES)},
)
async def create_payment(
    request: Request, service: Used, body: PaymentRequest, idempotency_key: IdempotencyKey
) -> Response:
    """Accept a payment. It is stored when this answers, and processed after that."""
    now = datetime.now(UTC)
    kind = Kind.SALE if body.capture is Capture.AUTOMATIC else Kind.AUTHORIZATION
    payment_id = new_id(now)
    first = NewOperation(payment_id, payment_id, kind, body.amount, _correlation(), now, tracing.traceparent())
    new = NewPayment(body.currency, body.token, body.reference, first)
    shown = Answer(HTTPStatus.ACCEPTED, Payment.accepted(new).model_dump_json())
    given = await service.accept(request, new, _key(idempotency_key, request, body), shown)
    return Response(given.body, given.status, {"Location": f"{request.url.path}/{json.loads(given.body)['id']}"}, JSON)


@api.get("/payments", response_model=Payments, responses=responses(*COMMON))
async def list_payments(
    service: Used, limit: Limit = 20, cursor: Cursor = None, state: Annotated[State | None, Query()] = None
) -> Response:
    """Payments, the newest first. New ones do not move the pages of who has begun to read."""
    before = _before(cursor)
    found = await service.gate.run(repository.payments, before=before, state=state, limit=limit + 1)
    page = found[:limit]
    more = cursor_after(page[-1].id) if len(found) > limit else None
    shown = Payments(payments=[Payment.of(one) for one in page], next_cursor=more)
    return Response(shown.model_dump_json(), media_type=JSON)


@api.get("/payments/{payment_id}", response_model=PaymentInDetail, responses=responses(*COMMON, HTTPStatus.NOT_FOUND))
async def read_payment(service: Used, payment_id: UUID) -> Response:
    """A payment as it stands, with everything that was asked of the acquirer."""
    found = await service.gate.run(repository.payment_in_detail, payment_id)
    if found is None:
        raise _not_found()
    return Response(PaymentInDetail.with_operations(*found).model_dump_json(), media_type=JSON)


OF_OPERATIONS: dict[str, Any] = {
    "status_code": HTTPStatus.ACCEPTED,
    "response_model": Operation,
    "responses": {
        202: {"headers": LOCATION},
        **responses(*OF_WRITES, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    },
}


@dataclass(frozen=True)
class _Asking:
    """What requests for an operation of a payment have in common."""

    request: Request
    service: Used
    payment_id: UUID
    idempotency_key: IdempotencyKey

    async def ask(self, kind: Kind, body: BaseModel, amount: int | None = None) -> Response:
        """Ask for it."""
        key = _key(self.idempotency_key, self.request, body)
        asked = _Asked(self.payment_id, kind, amount, key, _correlation(), tracing.traceparent())
        given = await self.service.ask(asked)
        return Response(given.body, given.status, {"Location": self.request.url.path.rpartition("/")[0]}, JSON)


Asking = Annotated[_Asking, Depends()]


@api.post("/payments/{payment_id}/captures", **OF_OPERATIONS)
async def capture_payment(asking: Asking, body: CaptureRequest) -> Response:
    """Ask for the capture of what was authorized, or of a part of it; what is not captured is released."""
    return await asking.ask(Kind.CAPTURE, body, body.amount)


@api.post("/payments/{payment_id}/refunds", **OF_OPERATIONS)
async def refund_payment(asking: Asking, body: RefundRequest) -> Response:
    """Ask for what was captured to be given back, or a part of it."""
    return await asking.ask(Kind.REFUND, body, body.amount)


@api.post("/payments/{payment_id}/voids", **OF_OPERATIONS)
async def void_payment(asking: Asking, body: VoidRequest) -> Response:
    """Ask for what was authorized to be released; only before a capture."""
    return await asking.ask(Kind.VOID, body)


@own.get("/health", response_model=Health)
async def health() -> Health:
    """Whether the process answers. It says so also while it drains, and when others do not answer it."""
    return Health(status="ok")


@own.get("/ready", response_model=Health, responses=responses(HTTPStatus.SERVICE_UNAVAILABLE))
async def ready(request: Request, service: Used) -> Health:
    """Whether payments can be taken: the database and the queue are reached, and the service is not about to stop."""
    if request.app.state.draining:
        raise Overloaded("The service is about to stop.")
    try:
        await service.check()
    except Exception as problem:  # noqa: BLE001 - whatever it is
        logs.error("not ready", problem)
        raise Overloaded("The database or the queue is not to be reached.") from None
    return Health(status="ok")


def _key(key: str, request: Request, body: BaseModel) -> Key:
    """The key with what tells this request from others: two bodies that mean the same are the same."""
    meant = f"{request.method} {request.url.path}\n{body.model_dump_json()}"
    return Key(key, hashlib.sha256(meant.encode()).digest())


def _correlation() -> str:
    return logs.correlation_id.get() or ""


def _before(cursor: str | None) -> UUID | None:
    try:
        return payment_before(cursor) if cursor else None
    except ValueError:
        invalid = InvalidValue(pointer="cursor", detail="next_cursor of a page is allowed")
        raise _invalid([invalid]) from None


def _not_found() -> Refused:
    return Refused("not-found", HTTPStatus.NOT_FOUND, "There is no such payment.")


def _invalid(errors: list[InvalidValue]) -> Refused:
    return Refused("invalid-request", HTTPStatus.UNPROCESSABLE_ENTITY, "The request is not valid.", errors=errors)


def _of_validation(error: RequestValidationError) -> Refused:
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return Refused("malformed-json", HTTPStatus.BAD_REQUEST, "The body is not JSON.")
    return _invalid([_invalid_value(problem) for problem in problems])


def _invalid_value(problem: dict[str, Any]) -> InvalidValue:
    """Where and what, in our words: the names of unknown members are the client's."""
    where, *path = problem["loc"]
    known = [str(part) for part in path if isinstance(part, int) or MEMBER.fullmatch(part) or where != "body"]
    pointer = "".join(f"/{part}" for part in known) if where == "body" else ".".join(known)
    return InvalidValue(pointer=pointer, detail=problem["msg"].removeprefix("Value error, "))


def _of_http(error: HTTPException) -> Refused:
    status = HTTPStatus(error.status_code)
    details = {
        HTTPStatus.NOT_FOUND: "There is nothing here.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This method is not allowed here.",
    }
    detail = details.get(status, "The body is not to be understood.")
    return Refused(status.phrase.lower().replace(" ", "-"), status, detail, headers=error.headers)


def _of_state(_error: repository.StateConflict) -> Refused:
    return Refused("state-conflict", HTTPStatus.CONFLICT, "The payment's state does not allow this, or not yet.")


def _of_amount(error: repository.AmountTooLarge) -> Refused:
    left = InvalidValue(pointer="/amount", detail=f"at most {error.most} is left")
    return Refused("amount-too-large", HTTPStatus.CONFLICT, "The payment does not allow so much.", errors=[left])


def _of_key(_error: repository.KeyReused) -> Refused:
    detail = "This Idempotency-Key came with another request before."
    return Refused("idempotency-key-reused", HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def _of_database(error: psycopg.Error) -> Refused:
    """The database is away, or takes too long: the same request may succeed soon. All else is a fault of ours."""
    if isinstance(error, psycopg.OperationalError):
        logs.error("database failed", error, code=error.sqlstate)
        return Overloaded("The database does not answer. Repeat the request with the same Idempotency-Key.")
    raise error


REFUSALS: dict[type[Exception], Callable[[Any], Refused]] = {
    Refused: lambda refused: refused,
    RequestValidationError: _of_validation,
    HTTPException: _of_http,
    repository.StateConflict: _of_state,
    repository.AmountTooLarge: _of_amount,
    repository.KeyReused: _of_key,
    psycopg.Error: _of_database,
}


def create(settings: ServiceSettings, service: Service) -> FastAPI:
    """The ASGI application."""
    app = _application()
    app.state.service = service
    app.state.draining = False
    app.add_middleware(Edge, body_seconds=settings.request_seconds)
    return app


def _application() -> FastAPI:
    app = FastAPI(
        title="Payments",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        generate_unique_id_function=lambda route: route.name,
        # The framework's own spans and logs have paths and the messages of exceptions; ours are payments.tracing.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.include_router(api)
    app.include_router(own)
    for kind, refusal in REFUSALS.items():
        app.add_exception_handler(kind, _handler(refusal))
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    return app


def _methods(request: Request) -> str:
    """The methods of a path: the framework's own header has those of one of its routes only."""
    found: set[str] = set()
    for path, methods in document(request.app)["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), request.url.path):
            found.update(method.upper() for method in methods)
    return ", ".join(sorted(found))


def _handler(refusal: Callable[[Any], Refused]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        refused = refusal(error)
        if isinstance(refused, Overloaded):
            request.app.state.service.shed(request)
        given = answer(refused)
        if refused.status is HTTPStatus.METHOD_NOT_ALLOWED:
            given.headers["Allow"] = _methods(request)
        return given

    return handle


def document(app: FastAPI | None = None) -> dict[str, Any]:
    """The OpenAPI document."""
    app = app or _application()
    if not app.openapi_schema:
        described = get_openapi(title=app.title, version=app.version, routes=app.routes)
        described["components"]["schemas"].update(
            models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")[1]["$defs"]
        )
        for unused in ("HTTPValidationError", "ValidationError"):
            described["components"]["schemas"].pop(unused, None)
        app.openapi_schema = described
    return app.openapi_schema
