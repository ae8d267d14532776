"""APIs that ministack lacks, handled before a request reaches it. All other operations are passed to ministack."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ministack.core.responses import set_request_region

TARGETS: dict[str, Callable[[dict[str, Any]], tuple[int, Any]]] = {}
"""Operations of JSON services by their X-Amz-Target; each takes the request and gives HTTP status and answer."""
PATHS: list[tuple[str, re.Pattern[str], Callable[..., tuple[int, Any]]]] = []
"""Operations of REST services: method, path, and the handler that receives the path's groups."""


def add_target(target: str, operation: Callable[[dict[str, Any]], tuple[int, Any]]) -> None:
    """Answer an operation of a JSON service."""
    TARGETS[target] = operation


def add_path(method: str, path: str, operation: Callable[..., tuple[int, Any]]) -> None:
    """Answer an operation of a REST service, whose path is a regular expression."""
    PATHS.append((method, re.compile(path), operation))


def before(inner: Any) -> Any:
    """Ministack's application with these operations in front of it."""

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        answered = scope["type"] == "http" and await _answered(scope, receive, send)
        if not answered:
            await inner(scope, receive, send)

    return application


async def _answered(scope: dict[str, Any], receive: Any, send: Any) -> bool:
    headers = {key.decode().lower(): value.decode() for key, value in scope["headers"]}
    target = headers.get("x-amz-target", "")
    if target in TARGETS:
        _enter_region(headers)
        status, answer = TARGETS[target](json.loads(await _body(receive) or b"{}"))
    else:
        for method, path, operation in PATHS:
            if method == scope["method"] and (match := path.fullmatch(scope["path"])):
                _enter_region(headers)
                status, answer = operation(*match.groups())
                break
        else:
            return False
    sent = [(b"content-type", b"application/x-amz-json-1.1" if target else b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
    return True


async def _body(receive: Any) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def _enter_region(headers: dict[str, str]) -> None:
    """The region is in the signature's scope: Credential=KEY/DATE/REGION/SERVICE/aws4_request."""
    signed = re.search(r"Credential=[^/]+/\d+/([^/]+)/", headers.get("authorization", ""))
    set_request_region(signed.group(1) if signed else None)
