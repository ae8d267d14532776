"""The payments service as a process of its own, for tests: started, asked, stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from emulator.process import free_port

SERVICE = Path(__file__).parents[2] / "services" / "payments"
REGION = "us-east-2"
SECONDS_TO_START = 30
SECONDS_TO_STOP = 30


@dataclass
class Running:
    """A process that serves the API."""

    process: subprocess.Popen[str]
    url: str
    log: Path
    client: httpx.Client = field(repr=False)

    def create(self, key: str | None = None, **values: Any) -> httpx.Response:
        """Ask for a payment; what is not said is well."""
        body = {"amount": 1000, "currency": "USD", "token": "tok_visa_1", **values}
        return self.client.post("/api/v1/payments", json=body, headers=keyed(key))

    def ask(self, payment: str, what: str, key: str | None = None, **values: Any) -> httpx.Response:
        """Ask for a capture, a refund or a void."""
        return self.client.post(f"/api/v1/payments/{payment}/{what}", json=values, headers=keyed(key))

    def read(self, payment: str) -> dict[str, Any]:
        """A payment."""
        answer = self.client.get(f"/api/v1/payments/{payment}")
        assert answer.status_code == 200
        return dict(answer.json())

    def stop(self, seconds: float = SECONDS_TO_STOP) -> int:
        """End it as ECS does, and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


def keyed(key: str | None = None) -> dict[str, str]:
    """The header with this key, or a new one."""
    return {"Idempotency-Key": key or str(uuid4())}


@contextmanager
def running(
    directory: Path,
    environment: Mapping[str, str],
    *,
    tls: bool = False,
    python_path: Path = SERVICE,
    command: tuple[str, ...] = (sys.executable,),
) -> Iterator[Running]:
    """The service until the end of the block, on a port of its own; what it writes is in its log."""
    port = str(free_port())
    where = {"HTTPS_PORT": port} if tls else {"HTTP_PORT": port}
    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    log = directory / f"service-{port}.log"
    # Nothing of the developer's own settings.
    given = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DATABASE_", "OTEL_"))}
    with log.open("w") as output, httpx.Client(base_url=url, verify=False, timeout=10, trust_env=False) as client:
        process = subprocess.Popen(
            [*command, "-m", "payments", "serve"],
            env={**given, "PYTHONPATH": str(python_path), "LISTEN": "127.0.0.1", **environment, **where},
            cwd=directory,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            _wait(process, client, log)
            yield Running(process, url, log, client)
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
    """Until somebody listens there."""
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
