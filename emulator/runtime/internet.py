"""Names on the internet, each with a server of this machine that stands in for it in a rehearsal.

A function with egress on 443 reaches it by TLS, with a certificate of the local AWS's authority. A name without a
stand-in is resolved as usual.
"""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Mapping, Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from emulator import lifeline
from emulator.address import HOST
from emulator.passages import passing
from emulator.runtime.authority import authority
from emulator.runtime.forwarding import Answer, Front, Request, ask

# TEST-NET-2, reserved for documentation: https://www.rfc-editor.org/rfc/rfc5737
ADDRESSES = [f"198.51.100.{number}" for number in range(1, 255)]
HTTPS_PORT = 443

_servers: dict[str, _Server] = {}
_lifelines: dict[str, socket.socket] = {}
_lock = threading.Lock()


def _forget() -> None:
    """Forget the servers in a fork: they belong to the original process."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    _servers.clear()
    _lifelines.clear()


os.register_at_fork(after_in_child=_forget)


def stand_for(name: str, url: str) -> None:
    """Register the server at ``url`` as the stand-in of a name, by HTTPS on 443.

    Raises:
        ValueError: the URL is not one of a server.
    """
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise ValueError(f"url: {url!r} is not allowed; that of a server is, such as http://127.0.0.1:8080")
    with _lock:
        if name in _servers:
            _servers[name].url = url
        else:
            _servers[name] = _Server(name, url)


def run(name: str, command: Sequence[str], variables: Mapping[str, str]) -> None:
    """Run a server that takes ``--port`` as the stand-in of a name; it ends with this process."""
    with _lock:
        if name in _lifelines:
            return
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        _lifelines[name] = lifeline.run([*command, "--port", str(port)], variables)
    stand_for(name, f"http://{HOST}:{port}")


def url_of(name: str) -> str:
    """The URL of the server that stands in for a name."""
    with _lock:
        return _servers[name].url


def names() -> dict[str, str]:
    """The address of each name."""
    with _lock:
        return dict(zip(_servers, ADDRESSES, strict=False))


def ports() -> dict[str, int]:
    """The port of 127.0.0.1 that stands in for port 443 of each address."""
    with _lock:
        return {address: one.server_port for address, one in zip(ADDRESSES, _servers.values(), strict=False)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name: str, url: str) -> None:
        super().__init__((HOST, 0), _Handler)
        self.name, self.url = name, url
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory(prefix="internet-") as folder:
            path = Path(folder) / "certificate.pem"
            path.write_bytes(authority().issue([name]))
            context.load_cert_chain(path)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def answer(self, request: Request) -> Answer:
        """The response of the server at the URL."""
        with passing("internet", self.name, f"{request.method} {request.path}") as passage:
            said = ask(self.url, request)
            passage.outcome = str(said.status)
        return said

    def handle_error(self, *_arguments: object) -> None:
        """Ignore errors of a connection: a client that disconnects is no fault of the server."""


class _Handler(Front):
    server: _Server

    def reply(self, request: Request) -> Answer:
        """That of the server at the URL."""
        return self.server.answer(request)
