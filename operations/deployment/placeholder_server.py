"""Stands for the placeholder image of a new environment in a rehearsal: every request gets a fixed body.

It runs in a task's container with nothing but Python's own library; its folder there has a certificate.
"""

from __future__ import annotations

import os
import signal
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType

CERTIFICATE = "certificate.pem"
BODY = b"placeholder\n"


class Handler(BaseHTTPRequestHandler):
    """Answers 200 and the fixed body, and repeats nothing of the request."""

    protocol_version = "HTTP/1.1"
    timeout = 60

    def answer(self) -> None:
        """Answer any request."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(BODY)

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = answer  # noqa: N815 (the server's names)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing: a header may be a secret."""


def serve(folder: Path, port: int) -> None:
    """Serve by HTTPS until SIGTERM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / CERTIFICATE)
    server = ThreadingHTTPServer(("", port), Handler)
    # The handshake is left to the connection's thread: a slow client blocks no other.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    signal.signal(signal.SIGTERM, _end)
    server.serve_forever()


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    serve(Path(__file__).parent, int(os.environ["HTTPS_PORT"]))
