"""A stand-in for an image's tasks: a server that answers every request by HTTPS with one status and one body.

with stand_in.serving(server, "registry.example.com/web@sha256:...") as green:
    green.status = 500
"""

from __future__ import annotations

import contextlib
import ssl
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from emulator import process
from emulator.address import HOST
from emulator.runtime.authority import authority


class StandIn(ThreadingHTTPServer):
    """Serves on a free port; ``status`` and ``body`` may change, ``requests`` are the requested paths."""

    daemon_threads = True

    def __init__(self, status: int = 200, body: bytes = b"") -> None:
        super().__init__((HOST, 0), _Handler)
        self.status, self.body = status, body
        self.requests: list[str] = []
        # As a task does: with a self-signed certificate, which the load balancer does not verify.
        self.socket = _context().wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def url(self) -> str:
        """Its URL."""
        return f"https://{HOST}:{self.server_port}"


@contextlib.contextmanager
def serving(server: process.Server, image: str, status: int = 200, body: bytes = b"") -> Iterator[StandIn]:
    """Serve as the tasks of ``image`` in a local AWS for the duration of a ``with`` block."""
    made = StandIn(status, body)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        process.stand_for(server, image, made.url)
        yield made
    finally:
        with contextlib.suppress(process.EmulatorError):  # it may have ended first
            process.stand_for(server, image, None)
        made.shutdown()
        made.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def _answer(self) -> None:
        self.server.requests.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.server.body)

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = _answer  # noqa: N815 (the server's names)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


def _context() -> ssl.SSLContext:
    own = authority()
    key = own.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="stand-in-") as folder:
        path = Path(folder) / "certificate.pem"
        path.write_bytes(key + own.pem)
        context.load_cert_chain(path)
    return context
