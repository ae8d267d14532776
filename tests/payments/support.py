"""The payments service as a process of its own, for tests: started, called, stopped."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg

from emulator.process import free_port
from payments import repository
from payments.identifiers import new_id
from payments.repository import (
    FIRST_MERCHANT_ID,
    IdempotencyKey,
    NewOperation,
    NewPayment,
    Requester,
    StoredResponse,
)
from payments.states import OperationKind

REPOSITORY = Path(__file__).parents[2]
SERVICE = REPOSITORY / "services" / "payments"
PYTHON_PATH = f"{SERVICE}{os.pathsep}{REPOSITORY}"
"""The roots of imports of a process of the service."""
REGION = "us-east-2"
KEY_VARIABLE = "API_KEY_OF_THE_TEST"
"""The API key that the test's client sends, among the variables of a platform; the service does not read it."""
BY = Requester(FIRST_MERCHANT_ID, None)
"""Who has requested what tests store without the API."""
SECONDS_TO_START = 30
SECONDS_TO_STOP = 30


@dataclass
class Running:
    """A process that serves the API."""

    process: subprocess.Popen[str]
    url: str
    log: Path
    client: httpx.Client = field(repr=False)
    key: str = field(repr=False)
    """The API key that the client sends: of a merchant of the platform, with all scopes."""

    def create(self, key: str | None = None, **values: Any) -> httpx.Response:
        """Request a payment; members that are not given are valid."""
        body = {"amount": 1000, "currency": "USD", "token": "tok_visa_1", **values}
        return self.client.post("/api/v1/payments", json=body, headers=keyed(key))

    def operate(self, payment: str, operations: str, key: str | None = None, **values: Any) -> httpx.Response:
        """Request an operation of a payment, by the path of captures, refunds or voids."""
        return self.client.post(f"/api/v1/payments/{payment}/{operations}", json=values, headers=keyed(key))

    def read(self, payment: str) -> dict[str, Any]:
        """Read a payment."""
        response = self.client.get(f"/api/v1/payments/{payment}")
        assert response.status_code == 200
        return dict(response.json())

    def stop(self, seconds: float = SECONDS_TO_STOP) -> int:
        """Stop it as ECS does, and wait until it has ended."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


def authorized(key: str) -> dict[str, str]:
    """The Authorization header with an API key."""
    return {"Authorization": f"Bearer {key}"}


def keyed(key: str | None = None) -> dict[str, str]:
    """The Idempotency-Key header with this key, or with a new one."""
    return {"Idempotency-Key": key or str(uuid4())}


@contextmanager
def running(
    directory: Path,
    environment: Mapping[str, str],
    *,
    tls: bool = False,
    python_path: str = PYTHON_PATH,
    command: tuple[str, ...] = (sys.executable,),
) -> Iterator[Running]:
    """The service until the end of the block, on a port of its own, with its output in a log file."""
    port = str(free_port())
    where = {"HTTPS_PORT": port} if tls else {"HTTP_PORT": port}
    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    log = directory / f"service-{port}.log"
    # Without the developer's own settings.
    given = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DATABASE_", "OTEL_"))}
    key = environment[KEY_VARIABLE]
    with (
        log.open("w") as output,
        httpx.Client(base_url=url, headers=authorized(key), verify=False, timeout=10, trust_env=False) as client,
    ):
        process = subprocess.Popen(
            [*command, "-m", "payments", "serve"],
            env={**given, "PYTHONPATH": python_path, "LISTEN": "127.0.0.1", **environment, **where},
            cwd=directory,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            _wait(process, client, log)
            yield Running(process, url, log, client, key)
        finally:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[str], client: httpx.Client, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/api/ready").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"the service did not become ready:\n{log.read_text()}")


def wait_for_port(port: int) -> None:
    """Wait until a server listens on the port."""
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


@dataclass(frozen=True)
class Stored:
    """A payment of a merchant."""

    merchant: UUID
    payment: UUID
    operation: UUID


def store(connection: psycopg.Connection[Any], merchant: UUID | None = None) -> Stored:
    """Store a payment of a merchant, of a new one unless one is given."""
    by = Requester(merchant or uuid4(), uuid4())
    now = datetime.now(UTC)
    first = NewOperation(new_id(now), new_id(now), OperationKind.SALE, 1000, "c-1", now)
    key = IdempotencyKey(secrets.token_hex(8), b"")
    repository.create_payment(connection, by, NewPayment("EUR", "tok_1", None, first), key, StoredResponse(202, "{}"))
    return Stored(by.merchant_id, first.payment_id, first.id)
