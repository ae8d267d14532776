"""HTTP for the local AWS: connections that stay open between requests.

werkzeug's own handler ends the connection after every answer. Under a burst of requests from the AWS provider some
answers were lost that way (the SDK sent a request again that had been answered with 200), and a create that is sent
twice fails the second time (``InvalidGroup.Duplicate``). An application that reads every body in full and answers with
one block of bytes, as :class:`emulator.application.LocalAws` does, can keep its connections.
"""

from __future__ import annotations

from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler

_STATUS_WITHOUT_BODY = (204, 304)


class RequestHandler(MotoRequestHandler):  # type: ignore[misc]
    """Answers the requests of one connection; every call is in the record already, so none is logged."""

    # Header and body of an answer leave in one piece, and at once.
    wbufsize = -1
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer one request."""
        environ = self.make_environ()
        begun: list[tuple[str, list[tuple[str, str]]]] = []
        body = b"".join(self.server.app(environ, lambda status, headers, _error=None: begun.append((status, headers))))
        status, headers = begun[-1]
        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        for name, value in headers:
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        has_body = int(code) not in _STATUS_WITHOUT_BODY
        if has_body:
            self.send_header("Content-Length", _length(headers, body, self.command))
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def handle_expect_100(self) -> bool:
        """Request the body at once: a client that waits for that (S3 uploads) must not wait for the buffer to fill."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (the name that werkzeug gives it)
        """Log errors only (a client that went away is one of werkzeug's infos)."""
        if type == "error":
            super().log(type, message, *args)


def _length(headers: list[tuple[str, str]], body: bytes, method: str) -> str:
    """The length of the body; of a response to HEAD, the length that the application declares."""
    said = next((value for name, value in headers if name.lower() == "content-length"), None)
    return said if method == "HEAD" and said is not None else str(len(body))
