"""HTTP requests that are forwarded to a server of this machine, and its responses."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit

SECONDS_FOR_A_TARGET = 60.0
"""ELB's idle timeout, unless it is changed."""

HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
"""Headers that are not forwarded (RFC 9110, 7.6.1)."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A client's request."""

    method: str
    target: str
    headers: Message
    body: bytes = b""
    address: str = ""
    """The client's address."""

    @property
    def path(self) -> str:
        """The path without the query, as it was sent: it may begin with several slashes."""
        return self.target.partition("?")[0]

    @property
    def query_string(self) -> str:
        """The query, as it was sent."""
        return self.target.partition("?")[2]

    @property
    def query(self) -> list[tuple[str, str]]:
        """The names and values of the query."""
        return parse_qsl(self.query_string, keep_blank_values=True)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The response to a request."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def send(self, handler: BaseHTTPRequestHandler) -> None:
        """Send it as the response to a request."""
        handler.send_response_only(self.status)
        for name, value in self.headers:
            if name.lower() != "content-length":
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(self.body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(self.body)


def ask(target: str | None, request: Request) -> Answer:
    """The response of the server at a URL; 502 without one. As by ELB, the server's certificate is not verified."""
    url = urlsplit(target or "")
    if not url.hostname:
        return own(502, "Bad Gateway")
    connection = _connection(url.scheme, url.hostname, url.port)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
    try:
        connection.request(request.method, request.target, body=request.body, headers=headers)
        response = connection.getresponse()
        body = response.read()
    except TimeoutError:
        return own(504, "Gateway Time-out")
    except (OSError, http.client.HTTPException):
        return own(502, "Bad Gateway")
    finally:
        connection.close()
    kept = tuple((name, value) for name, value in response.getheaders() if name.lower() not in HOP_BY_HOP)
    return Answer(status=response.status, headers=kept, body=body)


def status_of(target: str, path: str, seconds: float) -> int | None:
    """The status that the server at a URL answers to a GET of ``path``; None where it does not answer as HTTP has it.

    Raises:
        TimeoutError: it does not answer within ``seconds``.
    """
    url = urlsplit(target)
    connection = _connection(url.scheme, str(url.hostname), url.port, seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _connection(
    scheme: str, host: str, port: int | None, seconds: float = SECONDS_FOR_A_TARGET
) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=seconds)
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=seconds, context=unverified)


def own(status: int, phrase: str) -> Answer:
    """A response of the load balancer itself."""
    page = f"<html>\n<head><title>{status} {phrase}</title></head>\n<body><h1>{status} {phrase}</h1></body>\n</html>\n"
    return Answer(status=status, headers=(("Content-Type", "text/html"),), body=page.encode())
