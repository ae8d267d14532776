"""Errors as the API answers them: application/problem+json (RFC 9457). None quotes what the client has sent."""

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
    """A value that is not allowed."""

    pointer: str = Field(description="Where: a JSON pointer into the body, or the name of a header or parameter.")
    detail: str = Field(description="What is allowed.")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Which kind of problem; it does not change.")
    title: str
    status: int
    detail: str | None = None
    correlation_id: str | None = Field(default=None, description="Name it when you ask us.")
    errors: list[InvalidValue] | None = None


class Refused(Exception):
    """A request that gets an error as its answer."""

    def __init__(
        self,
        kind: str,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[InvalidValue] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers


class Overloaded(Refused):
    """There is no room for the request now."""

    def __init__(self, detail: str = "Too much is going on. Repeat the request with the same Idempotency-Key.") -> None:
        super().__init__("overloaded", HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "1"})


def answer(refused: Refused) -> Response:
    """The answer to a request that is refused."""
    content: dict[str, Any] = {
        "type": f"urn:payments:problem:{refused.kind}",
        "title": refused.kind.replace("-", " ").capitalize(),
        "status": refused.status.value,
        "detail": refused.detail,
        "correlation_id": logs.correlation_id.get(),
    }
    if refused.errors:
        content["errors"] = [one.model_dump() for one in refused.errors]
    return Response(json.dumps(content), refused.status, dict(refused.headers or {}), MEDIA_TYPE)


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of errors."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    retry = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return {
        status.value: {
            "description": status.phrase,
            "content": content,
            **({"headers": retry} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}),
        }
        for status in statuses
    }
