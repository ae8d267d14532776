"""An HTTP answer of the local AWS, whole, with the code of the error that it carries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from emulator.contract import ErrorResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_UNROUTED = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)


class Answer:
    """An HTTP response, whole, and the code of the error that it carries (or empty)."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes, error: str = "") -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.error = error or (_error_code(headers, body) if status >= HTTPStatus.BAD_REQUEST else "")

    @property
    def is_unrouted(self) -> bool:
        """Whether this is the page of a web server that knows no such path, and not an answer of a service."""
        return self.status in _UNROUTED and self.body.startswith(b"<!doctype html>")

    @classmethod
    def of(cls, error: ErrorResponse) -> Answer:
        """The response that ``error`` is."""
        headers = [*error.headers.items(), ("Content-Length", str(len(error.body)))]
        return cls(error.status, headers, error.body, error.code)

    @classmethod
    def from_application(cls, application: Callable[..., Iterable[bytes]], environ: WSGIEnvironment) -> Answer:
        """The response of a WSGI application."""
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], None]:
            begun.append((status, headers))
            return lambda _chunk: None

        chunks = application(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        status, headers = begun[-1]
        return cls(int(status.split()[0]), headers, body)


def _error_code(headers: list[tuple[str, str]], body: bytes) -> str:
    """The code of an error in any of AWS's wire formats; empty when there is none (the answer to a HEAD)."""
    named = next((value for name, value in headers if name.lower() == "x-amzn-errortype"), "")
    if not named:
        found = re.search(rb"<Code>([^<]+)</Code>", body) or re.search(rb'"(?:__type|code)":\s*"([^"]+)"', body)
        named = found[1].decode(errors="replace") if found else ""
    return named.split(":")[0].rpartition("#")[2]
