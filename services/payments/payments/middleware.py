"""ASGI middleware around every request: correlation id, body limits, log line, and a response whatever happens."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from payments import bodies, client_addresses, logs, tracing
from payments.problems import ApiError, problem_response

MAX_BODY_BYTES = 16 * 1024  # the largest valid request has a few hundred
CLIENT_CLOSED_REQUEST = 499  # nginx's code for it; there is nobody left to receive a response
PROBES = ("/api/health", "/api/ready")
METHODS = {"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"}


class RequestMiddleware:
    """The outermost middleware of the application's own."""

    def __init__(self, app: ASGIApp, *, body_timeout_seconds: float, proxies: int = 1) -> None:
        """A body must have been received after ``body_timeout_seconds``; each request passes so many ``proxies``."""
        self._app = app
        self._proxies = proxies
        self._body_timeout_seconds = body_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        logs.correlation_id.set(logs.correlation_of(headers.get("x-correlation-id"), headers.get("x-amzn-trace-id")))
        logs.caller.set(None)
        exchange = _Exchange(scope, send)
        peer = (scope.get("client") or ("",))[0]
        forwarded = headers.getlist(client_addresses.HEADER)
        scope["state"]["client_address"] = client_addresses.client_address(forwarded, peer, proxies=self._proxies)
        with tracing.request(headers) as span:
            await self._respond(exchange, headers, receive)
            exchange.log(span)

    async def _respond(self, exchange: _Exchange, headers: Headers, receive: Receive) -> None:
        try:
            body = await self._body(headers, receive)
            bodies.check(body)
            await self._app(exchange.scope, _replayed(body, receive), exchange.send)
        except ApiError as error:
            await problem_response(error)(exchange.scope, receive, exchange.send)
        except _ClientDisconnected:
            exchange.status = exchange.status or CLIENT_CLOSED_REQUEST
        except Exception as error:  # noqa: BLE001 - the last resort
            logs.error("request failed", error)
            if exchange.status is None:
                internal = ApiError("internal-error", HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error.")
                await problem_response(internal)(exchange.scope, receive, exchange.send)

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            raise _too_large()
        if length == "0" and "transfer-encoding" not in headers:
            return b""
        try:
            return await asyncio.wait_for(_read(receive), self._body_timeout_seconds)
        except TimeoutError:
            raise ApiError(
                "body-timeout",
                HTTPStatus.REQUEST_TIMEOUT,
                f"The request body was not received within {self._body_timeout_seconds:g} s.",
                headers={"Connection": "close"},
            ) from None


class _ClientDisconnected(Exception):
    """The client closed the connection before its body was received."""


def _too_large() -> ApiError:
    # The rest of the body is not read: the connection cannot be used again.
    return ApiError(
        "body-too-large",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The request body exceeds {MAX_BODY_BYTES} bytes.",
        headers={"Connection": "close"},
    )


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientDisconnected
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
        if not message.get("more_body"):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the body that was read, and then goes on with the connection's own."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


class _Exchange:
    """A request and its response."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.status: int | None = None
        self._send = send
        self._began = time.perf_counter()
        scope.setdefault("state", {})["log"] = {}  # what the route adds to the log line

    async def send(self, message: Message) -> None:
        """Pass on a part of the response, the first one with the headers that every response has."""
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
        """Write the request's log line: with the route's template, never with the path that the client sent."""
        route = getattr(self.scope.get("route"), "path", None)
        tracing.record_response(span, self.scope["method"], route, self.status or 0)
        if route in PROBES and self.status == HTTPStatus.OK:
            return
        logs.info(
            "request handled",
            method=self.scope["method"] if self.scope["method"] in METHODS else "other",
            route=route,
            status=self.status,
            milliseconds=round((time.perf_counter() - self._began) * 1000, 2),
            **self.scope["state"]["log"],
        )
