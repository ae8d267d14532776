"""Servers of the tests' own, by HTTP and HTTPS, that say what they are told and keep what they were asked."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Answers:
    """What a server says, and what it was asked."""

    status: int = 200
    body: bytes = b'{"answer": "ready"}'
    seconds_between_bytes: float = 0.0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    statuses_first: list[int] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


def serve(answers: Answers, certificate: Path | None = None) -> ThreadingHTTPServer:
    """A server on 127.0.0.1, by HTTPS if it has a certificate, that says what ``answers`` do when it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked = self.rfile.read(length).decode() if length else self.path
            answers.requests.append((asked, dict(self.headers.items())))
            self.send_response(answers.statuses_first.pop(0) if answers.statuses_first else answers.status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(answers.body)))
            self.end_headers()
            for byte in answers.body if answers.seconds_between_bytes else ():
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if answers.ended.wait(answers.seconds_between_bytes):
                    return
            if not answers.seconds_between_bytes:
                self.wfile.write(answers.body)

        do_POST = do_GET  # noqa: N815 - the name is the server's

        def log_message(self, *_arguments: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_arguments: object) -> None: ...  # a client that gives up is what some tests are about

    server = Server(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


def self_signed(name: str, path: Path) -> Path:
    """A certificate for a name, signed by its own key; both are written into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path
