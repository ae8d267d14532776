"""The API's routes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import AfterValidator, BaseModel

from payments import authentication, bodies, logs, repository, tracing
from payments.authorization import AuthorizedRoute, caller_of, callers_with, everybody
from payments.identifiers import new_id
from payments.problems import ApiError, InvalidValue, Overloaded, documented
from payments.repository import Connection, IdempotencyKey, NewOperation, NewPayment, StoredResponse
from payments.representations import (
    CaptureMode,
    CaptureRequest,
    Health,
    Operation,
    Payment,
    PaymentPage,
    PaymentRequest,
    PaymentWithOperations,
    RefundRequest,
    VoidRequest,
    cursor_after,
    payment_before,
    without_card_number,
)
from payments.scopes import Scope
from payments.service import Service
from payments.states import OperationKind, PaymentStatus

JSON = "application/json"
ERRORS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
ERRORS_OF_WRITES = (
    *ERRORS,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
LINKS = {
    operation: {"operationId": operation, "parameters": {"payment_id": "$response.body#/id"}}
    for operation in ("read_payment", "capture_payment", "refund_payment", "void_payment")
}
REPLAYED = "Idempotent-Replayed"
HEADERS_OF_WRITES = {
    "Location": {"description": "The URL path of the payment.", "schema": {"type": "string"}},
    REPLAYED: {
        "description": "Present where this is the response to an earlier request with the same idempotency key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}

IdempotencyKeyHeader = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z0-9_.:-]+$",
        description="Makes retries safe: a repeated request with the same key and body is performed once, and gets the "
        "same response with the header Idempotent-Replayed, for three days. After that, and with another body at once, "
        "it is refused: a key never stands for another request. It is the merchant's own: others' keys do not matter.",
    ),
    AfterValidator(without_card_number),
]
Limit = Annotated[int, Query(ge=1, le=100, description="Payments per page.")]
Cursor = Annotated[
    str | None,
    Query(
        min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$", description="The next_cursor of the previous page."
    ),
]
StatusFilter = Annotated[PaymentStatus | None, Query(description="Only payments of this status.")]


def _service(request: Request) -> Service:
    return request.app.state.service  # type: ignore[no-any-return]


def _require_json(request: Request) -> None:
    """Reject a body of another content type before it is parsed."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and content_type != JSON:
        raise ApiError("unsupported-media-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The Content-Type must be {JSON}.")


Shared = Annotated[Service, Depends(_service)]
Caller = Annotated[authentication.Caller, Depends(caller_of)]
payments_router = APIRouter(prefix="/api/v1", dependencies=[Depends(_require_json)], route_class=AuthorizedRoute)
health_router = APIRouter(prefix="/api", route_class=AuthorizedRoute)


@payments_router.post(
    "/payments",
    status_code=HTTPStatus.ACCEPTED,
    response_model=Payment,
    responses={202: {"headers": HEADERS_OF_WRITES, "links": LINKS}, **documented(*ERRORS_OF_WRITES)},
)
@callers_with(Scope.PAYMENTS_WRITE)
async def create_payment(
    request: Request, service: Shared, caller: Caller, body: PaymentRequest, idempotency_key: IdempotencyKeyHeader
) -> Response:
    """Accept a payment. It is stored before the response, and processed after it."""
    now = datetime.now(UTC)
    kind = OperationKind.SALE if body.capture is CaptureMode.AUTOMATIC else OperationKind.AUTHORIZATION
    payment_id = new_id(now)
    first = NewOperation(payment_id, payment_id, kind, body.amount, _correlation_id(), now, tracing.traceparent())
    new = NewPayment(body.currency, body.token, body.reference, first)
    response = StoredResponse(HTTPStatus.ACCEPTED, Payment.accepted(new).model_dump_json())
    key = await _key(idempotency_key, request, body)
    stored, log = await service.create_payment(caller.requester, new, key, response)
    request.state.log.update(log)
    return _response(stored, f"{request.url.path}/{json.loads(stored.body)['id']}")


@payments_router.get("/payments", response_model=PaymentPage, responses=documented(*ERRORS))
@callers_with(Scope.PAYMENTS_READ)
async def list_payments(
    service: Shared, caller: Caller, limit: Limit = 20, cursor: Cursor = None, status: StatusFilter = None
) -> Response:
    """List payments, newest first. Payments that are created meanwhile do not move the following pages."""
    before = _before(cursor)
    found = await service.limiter.run(
        repository.list_payments, caller.merchant_id, before=before, status=status, limit=limit + 1
    )
    page = found[:limit]
    next_cursor = cursor_after(page[-1].id) if len(found) > limit else None
    shown = PaymentPage(payments=[Payment.of(one) for one in page], next_cursor=next_cursor)
    return Response(shown.model_dump_json(), media_type=JSON)


@payments_router.get(
    "/payments/{payment_id}",
    response_model=PaymentWithOperations,
    responses=documented(*ERRORS, HTTPStatus.NOT_FOUND),
)
@callers_with(Scope.PAYMENTS_READ)
async def read_payment(service: Shared, caller: Caller, payment_id: UUID) -> Response:
    """Read a payment with all of its operations."""
    found = await service.limiter.run(repository.get_payment_with_operations, caller.merchant_id, payment_id)
    if found is None:
        raise _not_found()
    return Response(PaymentWithOperations.with_operations(*found).model_dump_json(), media_type=JSON)


OPERATION_ROUTE: dict[str, Any] = {
    "status_code": HTTPStatus.ACCEPTED,
    "response_model": Operation,
    "responses": {
        202: {"headers": HEADERS_OF_WRITES},
        **documented(*ERRORS_OF_WRITES, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    },
}


@dataclass(frozen=True)
class _OperationRequest:
    """What the requests for an operation of a payment have in common."""

    request: Request
    service: Shared
    caller: Caller
    payment_id: UUID
    idempotency_key: IdempotencyKeyHeader

    async def create(self, kind: OperationKind, body: BaseModel, amount: int | None = None) -> Response:
        """Store the operation as pending; without an amount it is of the payment's."""
        key = await _key(self.idempotency_key, self.request, body)
        by, correlation_id, trace = self.caller.requester, _correlation_id(), tracing.traceparent()

        def store(connection: Connection) -> StoredResponse:
            payment = repository.get_payment(connection, by.merchant_id, self.payment_id)
            if payment is None:
                raise _not_found()
            now = datetime.now(UTC)
            whole = payment.amount if amount is None else amount
            new = NewOperation(new_id(now), self.payment_id, kind, whole, correlation_id, now, trace)
            response = StoredResponse(HTTPStatus.ACCEPTED, Operation.pending(new).model_dump_json())
            return repository.create_operation(connection, by, new, key, response)

        stored = await self.service.create_operation(store)
        return _response(stored, self.request.url.path.rpartition("/")[0])


OperationRequest = Annotated[_OperationRequest, Depends()]


@payments_router.post("/payments/{payment_id}/captures", **OPERATION_ROUTE)
@callers_with(Scope.PAYMENTS_WRITE)
async def capture_payment(operation: OperationRequest, body: CaptureRequest) -> Response:
    """Capture an authorized payment, in full or in part. What is not captured is released."""
    return await operation.create(OperationKind.CAPTURE, body, body.amount)


@payments_router.post("/payments/{payment_id}/refunds", **OPERATION_ROUTE)
@callers_with(Scope.REFUNDS_WRITE)
async def refund_payment(operation: OperationRequest, body: RefundRequest) -> Response:
    """Refund a captured payment, in full or in part."""
    return await operation.create(OperationKind.REFUND, body, body.amount)


@payments_router.post("/payments/{payment_id}/voids", **OPERATION_ROUTE)
@callers_with(Scope.PAYMENTS_WRITE)
async def void_payment(operation: OperationRequest, body: VoidRequest) -> Response:
    """Void an authorized payment before it is captured: its authorization is released."""
    return await operation.create(OperationKind.VOID, body)


@health_router.get("/health", response_model=Health)
@everybody
async def health() -> Health:
    """Liveness: the process responds. It does so while it drains, too, and while its database is unreachable."""
    return Health(status="ok")


@health_router.get("/ready", response_model=Health, responses=documented(HTTPStatus.SERVICE_UNAVAILABLE))
@everybody
async def ready(request: Request, service: Shared) -> Health:
    """Readiness: payments can be taken, as the database and the queue are reachable and the process is not draining."""
    if request.app.state.draining:
        raise Overloaded("The service is shutting down.")
    try:
        await service.check_ready()
    except Exception as error:  # noqa: BLE001 - whatever it is
        logs.error("not ready", error)
        raise Overloaded("The database or the queue is unreachable.") from None
    return Health(status="ok")


async def _key(key: str, request: Request, body: BaseModel) -> IdempotencyKey:
    """The key with the fingerprints of its request: method, path and body."""
    where = request.method, request.url.path
    return IdempotencyKey(
        key,
        bodies.fingerprint_of_understood(*where, body),
        bodies.fingerprint_of_received(*where, await request.body()),
    )


def _response(stored: StoredResponse, location: str) -> Response:
    """The response to a write, which says whether it is that to an earlier request."""
    headers = {"Location": location, **({REPLAYED: "true"} if stored.replayed else {})}
    return Response(stored.body, stored.status, headers, JSON)


def _correlation_id() -> str:
    return logs.correlation_id.get() or ""


def _before(cursor: str | None) -> UUID | None:
    try:
        return payment_before(cursor) if cursor else None
    except ValueError:
        raise invalid_request([InvalidValue(pointer="cursor", detail="must be the next_cursor of a page")]) from None


def _not_found() -> ApiError:
    return ApiError("not-found", HTTPStatus.NOT_FOUND, "There is no payment with this id.")


def invalid_request(errors: list[InvalidValue]) -> ApiError:
    """The problem of a request with invalid values."""
    detail = "The request has invalid values; correct those in errors."
    return ApiError("invalid-request", HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)
