"""Error responses of the API: application/problem+json (RFC 9457). None quotes what the client has sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import Response

from payments import logs

MEDIA_TYPE = "application/problem+json"


class InvalidValue(BaseModel):
    """An invalid value of a request."""

    pointer: str = Field(description="JSON pointer into the body, or the name of a header or parameter.")
    detail: str = Field(description="Which values are valid.")


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="URN of the kind of error. Stable: decide by this, not by the texts.")
    title: str = Field(description="The kind of error in words.")
    status: int = Field(description="The HTTP status code.")
    detail: str | None = Field(default=None, description="What happened, and what to do.")
    correlation_id: str | None = Field(default=None, description="Quote it in support requests.")
    errors: list[InvalidValue] | None = Field(default=None, description="The invalid values of the request, if any.")


class ApiError(Exception):
    """A request is answered with a problem."""

    def __init__(
        self,
        kind: str,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[InvalidValue] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """``kind`` ends the problem's URN, such as not-found; ``detail`` tells the client what to do."""
        super().__init__(kind)
        self.kind = kind
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers


class Overloaded(ApiError):
    """The service has no capacity for the request now."""

    def __init__(self, detail: str = "The service is overloaded; retry with the same Idempotency-Key.") -> None:
        super().__init__("overloaded", HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "1"})


def problem_response(error: ApiError) -> Response:
    """The HTTP response for an error."""
    content: dict[str, Any] = {
        "type": f"urn:payments:problem:{error.kind}",
        "title": error.kind.replace("-", " ").capitalize(),
        "status": error.status.value,
        "detail": error.detail,
        "correlation_id": logs.correlation_id.get(),
    }
    if error.errors:
        content["errors"] = [one.model_dump() for one in error.errors]
    return Response(json.dumps(content), error.status, dict(error.headers or {}), MEDIA_TYPE)


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route in the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    challenge = {"description": "What the credential lacks (RFC 6750).", "schema": {"type": "string"}}
    retry = {"description": "Seconds to wait before a retry.", "schema": {"type": "integer"}}
    headers: dict[HTTPStatus, dict[str, Any]] = {
        HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": challenge},
        HTTPStatus.FORBIDDEN: {"WWW-Authenticate": challenge},
        HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": retry},
        HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": retry},
    }
    return {
        status.value: {
            "description": status.phrase,
            "content": content,
            **({"headers": headers[status]} if status in headers else {}),
        }
        for status in statuses
    }
