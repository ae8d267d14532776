"""The release command, CodeDeploy and the smoke test as it is packaged, together: nothing stands for another."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from synthesis.packaging import FUNCTIONS, package
from tests.release.support import NEW, OLD, World

pytestmark = [pytest.mark.requirement("W2.3", "W2.4")]
HOST_NAME, HEADER, SECRET = "green.example.com", "x-origin-verify", "open-sesame-4711"


class Green(ThreadingHTTPServer):
    """Answers /health with ``status`` to whoever has the header, and 403 to others, as the load balancer does."""

    daemon_threads = True

    def __init__(self) -> None:
        self.status = 200
        super().__init__(("127.0.0.1", 0), GreenHandler)


class GreenHandler(BaseHTTPRequestHandler):
    server: Green

    def do_GET(self) -> None:
        self.send_response(self.server.status if self.headers[HEADER] == SECRET else 403)
        self.end_headers()
        self.wfile.write(b"ready")

    def log_message(self, *_arguments: object) -> None: ...


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST_NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "green.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def green(certificate: Path) -> Iterator[Green]:
    server = Green()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def tested(world: World, green: Green, certificate: Path, tmp_path: Path) -> World:
    """A service whose hook is the smoke test itself."""
    secret = world.client("secretsmanager").create_secret(Name=world.name, SecretString=SECRET)["ARN"]
    world.make_hook(
        package(FUNCTIONS / "smoke_test", tmp_path / "smoke.zip").read_bytes(),
        CHECKS=json.dumps({world.name: [{"path": "/health", "status": 200, "contains": "ready", "attempts": 2}]}),
        TEST_LISTENER_URL=f"https://127.0.0.1:{green.server_port}",
        HOST_NAME=HOST_NAME,
        ORIGIN_VERIFY_HEADER=HEADER,
        ORIGIN_VERIFY_SECRET_ARN=secret,
        SSL_CERT_FILE=str(certificate),
    )
    return world


def log_of(world: World) -> str:
    logs = world.client("logs")
    group = f"/aws/lambda/{world.settings.names.of('smoke-test')}"
    events = logs.filter_log_events(logGroupName=group)["events"]
    return "\n".join(event["message"] for event in events)


def test_a_green_that_answers_right_is_released(tested: World) -> None:
    assert tested.run(NEW).code == 0

    assert tested.running_image() == NEW
    assert '"status": "Succeeded"' in log_of(tested)
    assert SECRET not in log_of(tested)


@pytest.mark.requirement("Q2")
def test_a_green_that_answers_wrong_reaches_no_customer(tested: World, green: Green) -> None:
    green.status = 500

    ended = tested.run(NEW)

    assert ended.code == 3
    assert "the smoke test" in ended.text
    assert tested.running_image() == OLD
    assert tested.weights() == {"blue": 100, "green": 0}
    assert "/health: status 500; 200 is expected" in log_of(tested)
