"""The event `notification` of the rehearsal, with a real service, worker and acquirer behind its door (Q7)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from operations.outcome import Failed
from operations.rehearsal import notification
from operations.rehearsal.notification import PATH, Acquirer, notify, refuse_other_methods
from payments.migrate import migrate
from payments.roles import Process
from rehearsal.acquirer import UNDECIDED_TOKEN, Simulator
from tests.operations.test_rehearsal import Door as PlainDoor
from tests.payments import support
from tests.payments.conftest import client, database_of, local_aws, platform_of
from tests.payments.logins import create_logins, logins
from tests.postgresql import Postgresql
from tests.processing.test_functions import acquirer

__all__ = ["acquirer"]  # a fixture

pytestmark = [pytest.mark.requirement("W8.3"), pytest.mark.requirement("Q7")]

KEY = "n" * 40


@dataclass(frozen=True)
class Merchants:
    """Gives the key of the one merchant that there is."""

    key: str

    def make_key(self, merchant: str) -> dict[str, Any]:
        assert merchant == "a-shop"
        return {"key": self.key, "id": "1"}

    def perform(self, arguments: Any) -> list[dict[str, Any]]:
        raise AssertionError(arguments)


@dataclass(frozen=True)
class Door:
    """The way to the service, on which an edge may answer by itself, by ``answers``: method and path to status."""

    port: int
    answers: Mapping[tuple[str, str], int] = field(default_factory=dict)
    sent: list[httpx.Request] = field(default_factory=list)

    def client(self, headers: Mapping[str, str]) -> httpx.Client:
        made = PlainDoor(name="pay.example.com", port=self.port, authority="").client(headers)
        through = made._transport

        def handle(request: httpx.Request) -> httpx.Response:
            self.sent.append(request)
            status = self.answers.get((request.method, request.url.path))
            return httpx.Response(status) if status else through.handle_request(request)

        made._transport = httpx.MockTransport(handle)
        return made


@pytest.fixture(scope="module")
def environments(postgresql: Postgresql) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """The environment variables of a service that takes notifications, and of its worker without an acquirer."""
    with ExitStack() as stack:
        database = stack.enter_context(database_of(postgresql))
        with postgresql.connect() as connection:
            create_logins(connection)
        migrate(database.connect, logins=logins())
        aws = stack.enter_context(local_aws())
        platform = platform_of(database, aws)
        dead = client("sqs", aws).create_queue(QueueName=f"dead-{uuid4()}")["QueueUrl"]
        secret = client("secretsmanager", aws).create_secret(
            Name=f"notifications-{uuid4()}", SecretString=json.dumps({"notification_keys": [KEY]})
        )["ARN"]
        service = {**platform.environment, "ACQUIRER_NOTIFICATION_SECRET_ARN": secret}
        yield service, {**platform.environment_of(Process.PROCESSING), "DEAD_LETTER_QUEUE_URL": dead}


@pytest.fixture
def service(
    environments: tuple[dict[str, str], dict[str, str]], acquirer: tuple[Simulator, str], tmp_path: Path
) -> Iterator[support.Running]:
    """A service and a worker, each in a process of its own."""
    of_service, of_worker = environments
    where = {"PYTHONPATH": support.PYTHON_PATH, "ACQUIRER_BASE_URL": acquirer[1], "WORKER_WAIT_SECONDS": "1"}
    worker = {**of_worker, **where}
    command = [sys.executable, "-m", "payments", "work"]
    with support.running(tmp_path, of_service) as running, (tmp_path / "worker.log").open("w") as log:
        process = subprocess.Popen(command, env=worker, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield running
        finally:
            process.kill()
            process.wait()


def test_payments_change_by_signed_notifications_alone_and_once(
    service: support.Running, acquirer: tuple[Simulator, str]
) -> None:
    simulator, url = acquirer
    door = Door(service.client.base_url.port or 0)
    began = time.time()
    seen = notify(door, Acquirer(url, KEY.encode()), Merchants(service.key), "a-shop")
    assert seen == "5 payments captured by their notifications; 20 forged ones refused, 12 repeats without effect"
    sent = [one for one in door.sent if one.url.path == PATH]
    assert len(sent) == 20 + 4 * 3 + 4 + 1
    assert all(one.method == "POST" and "authorization" not in one.headers for one in sent)
    entries = list(simulator.book.entries.values())
    assert [(one.subject.startswith(UNDECIDED_TOKEN), one.approved) for one in entries] == [(True, True)] * 5
    assert set(simulator.book.requests.values()) == {1}, "a notification is no reason to charge again"
    assert all(one.performed_at.timestamp() >= began for one in entries)


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ({("POST", PATH): 204}, "a notification without a signature is not refused: 204"),
        ({("POST", PATH): 403}, "12 of 12 signed notifications were refused, the first with 403"),
    ],
    ids=["an edge that takes everything", "an edge that takes nothing"],
)
def test_edge_that_answers_by_itself_fails_the_event(
    service: support.Running, acquirer: tuple[Simulator, str], answers: dict[tuple[str, str], int], problem: str
) -> None:
    door = Door(service.client.base_url.port or 0, answers)
    with pytest.raises(Failed, match=problem):
        notify(door, Acquirer(acquirer[1], KEY.encode()), Merchants(service.key), "a-shop")


def test_acquirer_whose_key_is_not_in_the_secret_fails_the_event(
    service: support.Running, acquirer: tuple[Simulator, str]
) -> None:
    door = Door(service.client.base_url.port or 0)
    with pytest.raises(Failed, match=r"12 of 12 signed notifications were refused, the first with 403"):
        notify(door, Acquirer(acquirer[1], b"another" * 8), Merchants(service.key), "a-shop")


def test_payment_that_a_repeat_changes_fails_the_event() -> None:
    once: dict[str, Any] = {"id": "p", "captured_amount": 1000, "operations": [{}]}
    changes: list[dict[str, Any]] = [{"captured_amount": 2000}, {"operations": [{}, {}]}]
    notification._refuse_more_than_once([once])
    for change in changes:
        with pytest.raises(Failed, match="captured otherwise than once"):
            notification._refuse_more_than_once([once, {**once, **change}])


def test_other_methods_end_at_the_web_acl(service: support.Running) -> None:
    port = service.client.base_url.port or 0
    refuse_other_methods(Door(port, {("GET", PATH): HTTPStatus.FORBIDDEN}))
    with pytest.raises(Failed, match=re.escape(f"GET {PATH} is not refused by the web ACL: 40")):
        refuse_other_methods(Door(port))
