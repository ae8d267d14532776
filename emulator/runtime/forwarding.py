"""HTTP requests that are forwarded to a server of this machine, and its responses."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass, replace
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
    def host(self) -> str:
        """The name that is asked for, without a port."""
        return str(self.headers.get("Host", "")).partition(":")[0].lower()

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
    failure: str = ""
    """Of a response of the load balancer itself: ``connection``, ``tls`` or ``response``, what the target failed at."""

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


class Front(BaseHTTPRequestHandler):
    """Reads the requests of a connection, and sends what ``reply`` answers."""

    protocol_version = "HTTP/1.1"

    def reply(self, request: Request) -> Answer | None:
        """The answer to a request; None where the connection is closed without one.

        Raises:
            NotImplementedError: it is not played; the client gets a 501 that names it.
        """
        raise NotImplementedError

    def _serve(self) -> None:
        try:
            body = self._body()
        except ValueError:
            self.close_connection = True
            own(400, "Bad Request").send(self)
            return
        request = Request(
            method=self.command,
            target=self.path,
            headers=self.headers,
            body=body,
            address=str(self.client_address[0]),
        )
        try:
            said = self.reply(request)
        except NotImplementedError as gap:
            self._lack(str(gap))
            return
        if said is None:
            self.close_connection = True
            return
        said.send(self)

    def _body(self) -> bytes:
        """The body as a whole: what comes in chunks is forwarded with its length.

        Raises:
            ValueError: a length that is no number, or a coding that HTTP/1.1 does not have (RFC 9112, 6.1 and 7.1).
        """
        coding = self.headers.get("Transfer-Encoding")
        if coding is None:
            return self.rfile.read(_size(self.headers.get("Content-Length") or "0", 10))
        if coding.strip().lower() != "chunked":
            raise ValueError(coding)
        body = b""
        while size := _size(self.rfile.readline().decode("latin-1").partition(";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # fields that trail
            pass
        return body

    def _lack(self, what: str) -> None:
        self.close_connection = True
        Answer(status=501, body=f"the local AWS lacks {what}".encode()).send(self)

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = _serve  # noqa: N815 (the server's names)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


def _size(text: str, base: int) -> int:
    """A number of bytes; ValueError where it is none, or below zero: a read of that many has no end."""
    if (size := int(text, base)) < 0:
        raise ValueError(text)
    return size


def ask(target: str | None, request: Request) -> Answer:
    """The response of the server at a URL; 502 without one. As by ELB, the server's certificate is not verified."""
    url = urlsplit(target or "")
    if not url.hostname:
        return replace(own(502, "Bad Gateway"), failure="connection")
    connection = _connection(url.scheme, url.hostname, url.port)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
    try:
        connection.connect()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return _unconnected(error)
    try:
        connection.request(request.method, request.target, body=request.body, headers=headers)
        response = connection.getresponse()
        body = response.read()
    except TimeoutError:
        return replace(own(504, "Gateway Time-out"), failure="response")
    except (OSError, http.client.HTTPException):
        return replace(own(502, "Bad Gateway"), failure="response")
    finally:
        connection.close()
    kept = tuple((name, value) for name, value in response.getheaders() if name.lower() not in HOP_BY_HOP)
    return Answer(status=response.status, headers=kept, body=body)


def _unconnected(error: Exception) -> Answer:
    """The response where no connection to the target was made, or no session of TLS on it."""
    if isinstance(error, TimeoutError):
        return replace(own(504, "Gateway Time-out"), failure="connection")
    return replace(own(502, "Bad Gateway"), failure="tls" if isinstance(error, ssl.SSLError) else "connection")


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
