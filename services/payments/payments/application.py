"""The ASGI application: the routes, how errors become problems, and the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from payments import logs, repository
from payments.api import health_router, invalid_request, payments_router
from payments.authorization import SECURITY_SCHEMES
from payments.middleware import RequestMiddleware
from payments.notifications import notifications_router
from payments.problems import ApiError, InvalidValue, Overloaded, Problem, problem_response
from payments.service import Service
from payments.settings import ServiceSettings
from shared.payment_metrics import REQUESTS_SHED, REQUESTS_THROTTLED, REQUESTS_UNAUTHENTICATED

MEMBER_NAME = re.compile(r"[a-z_]{1,32}")
HTTP_DETAILS = {
    HTTPStatus.NOT_FOUND: "There is no such path.",
    HTTPStatus.METHOD_NOT_ALLOWED: "The path has no such method; the Allow header has those that it has.",
}
COUNTED = {
    HTTPStatus.UNAUTHORIZED: REQUESTS_UNAUTHENTICATED,
    HTTPStatus.TOO_MANY_REQUESTS: REQUESTS_THROTTLED,
    HTTPStatus.SERVICE_UNAVAILABLE: REQUESTS_SHED,
}
"""The metric of the requests that are answered with a status."""
UNPARSABLE = "The request body could not be parsed."


def create(settings: ServiceSettings, service: Service) -> FastAPI:
    """The application; its ``state.draining`` is set once the process is about to stop."""
    app = _application()
    app.state.service = service
    app.state.draining = False
    app.add_middleware(
        RequestMiddleware, body_timeout_seconds=settings.request_seconds, proxies=settings.trusted_proxies
    )
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
    app.include_router(payments_router)
    app.include_router(health_router)
    app.include_router(notifications_router)
    for kind, problem in PROBLEMS.items():
        app.add_exception_handler(kind, _handler(problem))
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    return app


def _handler(problem: Callable[[Any], ApiError]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, exception: Exception) -> Response:
        error = problem(exception)
        if metric := COUNTED.get(error.status):
            request.state.log.update(request.app.state.service.counted(metric))
        response = problem_response(error)
        if error.status is HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = _methods(request)
        return response

    return handle


def _methods(request: Request) -> str:
    """The methods of a path. The framework's own header has those of one of the path's routes only."""
    found: set[str] = set()
    for path, methods in document(request.app)["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), request.url.path):
            found.update(method.upper() for method in methods)
    return ", ".join(sorted(found))


def _of_validation(error: RequestValidationError) -> ApiError:
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return ApiError("malformed-json", HTTPStatus.BAD_REQUEST, "The request body is not valid JSON.")
    return invalid_request([_invalid_value(problem) for problem in problems])


def _invalid_value(problem: dict[str, Any]) -> InvalidValue:
    """The place of an invalid value, and which values are valid. The name of an unknown member is not quoted."""
    where, *path = problem["loc"]
    known = [str(part) for part in path if isinstance(part, int) or MEMBER_NAME.fullmatch(part) or where != "body"]
    pointer = "".join(f"/{part}" for part in known) if where == "body" else ".".join(known)
    return InvalidValue(pointer=pointer, detail=problem["msg"].removeprefix("Value error, "))


def _of_http(error: HTTPException) -> ApiError:
    status = HTTPStatus(error.status_code)
    detail = HTTP_DETAILS.get(status, UNPARSABLE)
    return ApiError(status.phrase.lower().replace(" ", "-"), status, detail, headers=error.headers)


def _of_status(_error: repository.StatusConflict) -> ApiError:
    detail = "The payment's status does not allow this operation; read the payment before a retry."
    return ApiError("status-conflict", HTTPStatus.CONFLICT, detail)


def _of_amount(error: repository.AmountTooLarge) -> ApiError:
    invalid = InvalidValue(pointer="/amount", detail=f"must be at most {error.max_amount}")
    detail = "The amount exceeds what is left of the payment; errors has the largest that is."
    return ApiError("amount-too-large", HTTPStatus.CONFLICT, detail, errors=[invalid])


def _of_key(_error: repository.IdempotencyKeyReused) -> ApiError:
    detail = "The Idempotency-Key was used for another request; send a new key."
    return ApiError("idempotency-key-reused", HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def _of_database(error: psycopg.Error) -> ApiError:
    """A database that is unreachable, slow or no writer is temporary. Any other error is a fault of this service."""
    if isinstance(error, psycopg.OperationalError | psycopg.errors.ReadOnlySqlTransaction):
        logs.error("database failed", error, code=error.sqlstate)
        return Overloaded("The database did not respond in time; retry with the same Idempotency-Key.")
    raise error


PROBLEMS: dict[type[Exception], Callable[[Any], ApiError]] = {
    ApiError: lambda error: error,
    RequestValidationError: _of_validation,
    HTTPException: _of_http,
    repository.StatusConflict: _of_status,
    repository.AmountTooLarge: _of_amount,
    repository.IdempotencyKeyReused: _of_key,
    psycopg.Error: _of_database,
}
"""The problem that each exception is answered with."""


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
        described["components"]["securitySchemes"] = SECURITY_SCHEMES
        app.openapi_schema = described
    return app.openapi_schema
