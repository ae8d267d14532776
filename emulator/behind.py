"""Services of another server behind the local AWS, which passes requests on once they are authorized and recorded.

The payment API's local AWS has its CloudFormation there, and the services whose resources nothing here acts on.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from emulator.answer import Answer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Own = Callable[[str, Mapping[str, Any]], Answer]
"""Answers an operation, by region and parameters."""
SECONDS_TO_START = 60.0
SECONDS_TO_ANSWER = 300.0
HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length"}
"""Headers of one connection (RFC 9110, 7.6.1), and those that are written anew."""
NOT_PASSED_BACK = HOP_BY_HOP | {"date", "server"}
"""The server in front writes its own: clients of the AWS SDK for JavaScript fail at two dates."""


class Behind:
    """The server behind, and its services by signing name; none until :meth:`begin`."""

    def __init__(self) -> None:
        self._url = ""
        self._services: frozenset[str] = frozenset()
        self._own: Mapping[str, Own] = {}

    def begin(self, url: str, services: Iterable[str], own: Mapping[str, Own] | None = None) -> None:
        """Pass the requests of these services on to ``url`` from now on.

        ``own`` are operations, such as ``apigateway GetUsage``, that are answered here, of what runs here.
        """
        self._url, self._services, self._own = url, frozenset(services), own or {}

    @property
    def url(self) -> str:
        """The URL of the server behind; empty where there is none."""
        return self._url

    def own(self, name: str) -> Own | None:
        """What answers an operation of a service there; None where the server behind does."""
        return self._own.get(name)

    def serves(self, signing_name: str) -> bool:
        """Whether a service is there."""
        return signing_name in self._services

    def answer(self, environ: WSGIEnvironment, body: bytes) -> Answer:
        """The response to a request, as it was sent."""
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                return self._asked(environ, body)
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _asked(self, environ: WSGIEnvironment, body: bytes) -> Answer:
        method = environ["REQUEST_METHOD"]
        connection = http.client.HTTPConnection(str(urlsplit(self._url).netloc), timeout=SECONDS_TO_ANSWER)
        try:
            connection.putrequest(
                environ["REQUEST_METHOD"], _target(environ), skip_host=True, skip_accept_encoding=True
            )
            connection.putheader("Host", str(environ.get("HTTP_HOST", "")))
            for name, value in _headers(environ):
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            said = response.read()
        finally:
            connection.close()
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in NOT_PASSED_BACK]
        length = response.getheader("Content-Length") if method == "HEAD" else str(len(said))
        return Answer(response.status, [*kept, ("Content-Length", str(length or 0))], said)


def _target(environ: WSGIEnvironment) -> str:
    """The path and the query as they were sent; a proxy's request has the whole URL."""
    target = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ.get("PATH_INFO", "/"))
    url = urlsplit(target)
    return target if not url.netloc else f"{url.path}?{url.query}" if url.query else url.path


def _headers(environ: WSGIEnvironment) -> list[tuple[str, str]]:
    sent = [
        (key.removeprefix("HTTP_").replace("_", "-"), str(value))
        for key, value in environ.items()
        if key.startswith("HTTP_")
    ]
    if kind := environ.get("CONTENT_TYPE"):
        sent.append(("Content-Type", str(kind)))
    return [(name, value) for name, value in sent if name.lower() not in HOP_BY_HOP]


BEHIND = Behind()
"""What is behind this process."""
