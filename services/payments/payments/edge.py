"""Around every request: its correlation id, the bounds of its body, its log line, and an answer whatever happens."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from payments import logs, tracing
from payments.problems import Refused, answer

LARGEST_BODY = 16 * 1024  # bytes; the largest request there is has a few hundred
QUIET = ("/api/health", "/api/ready")


class Edge:
    """ASGI middleware; the outermost of the application's own."""

    def __init__(self, app: ASGIApp, *, body_seconds: float) -> None:
        """A body must be there after ``body_seconds``."""
        self._app = app
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        logs.correlation_id.set(logs.correlation_of(headers.get("x-correlation-id"), headers.get("x-amzn-trace-id")))
        exchange = _Exchange(scope, send)
        with tracing.request(headers) as span:
            await self._answer(exchange, headers, receive)
            exchange.log(span)

    async def _answer(self, exchange: _Exchange, headers: Headers, receive: Receive) -> None:
        try:
            body = await self._body(headers, receive)
            await self._app(exchange.scope, _replayed(body, receive), exchange.send)
        except Refused as refused:
            await answer(refused)(exchange.scope, receive, exchange.send)
        except _Gone:
            exchange.status = exchange.status or 499  # as nginx calls it; there is nobody to answer
        except Exception as problem:  # noqa: BLE001 - the last resort
            logs.error("request failed", problem)
            if exchange.status is None:
                internal = Refused("internal-error", HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong with us.")
                await answer(internal)(exchange.scope, receive, exchange.send)

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > LARGEST_BODY:
            raise _too_large()
        if length == "0" and "transfer-encoding" not in headers:
            return b""
        try:
            return await asyncio.wait_for(_read(receive), self._body_seconds)
        except TimeoutError:
            raise Refused(
                "body-timeout",
                HTTPStatus.REQUEST_TIMEOUT,
                f"The body was not there after {self._body_seconds:g} s.",
                headers={"Connection": "close"},
            ) from None


class _Gone(Exception):
    """The client has left."""


def _too_large() -> Refused:
    # The rest of the body is not read: the connection cannot be used again.
    return Refused(
        "body-too-large",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"A body has at most {LARGEST_BODY} bytes.",
        headers={"Connection": "close"},
    )


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise _too_large()
        if not message.get("more_body"):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


class _Exchange:
    """A request and what it is answered."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.status: int | None = None
        self._send = send
        self._began = time.perf_counter()
        # What the route adds to the log line.
        scope.setdefault("state", {})["log"] = {}

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on, the first with the headers that all have."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Correlation-Id"] = logs.correlation_id.get() or ""
            headers["Cache-Control"] = "no-store"
            headers["X-Content-Type-Options"] = "nosniff"
            if self.scope["app"].state.draining:
                headers["Connection"] = "close"
        await self._send(message)

    def log(self, span: Any) -> None:
        """The request's line: the route as it is written in the code, never what the client wrote."""
        route = getattr(self.scope.get("route"), "path", None)
        tracing.answered(span, self.scope["method"], route, self.status or 0)
        if route in QUIET and self.status == HTTPStatus.OK:
            return
        milliseconds = round((time.perf_counter() - self._began) * 1000, 2)
        known = self.scope["method"] in {"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"}
        logs.info(
            "request answered",
            method=self.scope["method"] if known else "other",
            route=route,
            status=self.status,
            milliseconds=milliseconds,
            **self.scope["state"]["log"],
        )
