"""Who logs in with AWSCURRENT again and again, while rotation follows rotation (W3.3)."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
from botocore.client import BaseClient

from shared.postgresql_rotation import connection
from tests.rotation.conftest import ROTATIONS, Figures
from tests.rotation.support import Database, Outside, Vault

pytestmark = [pytest.mark.requirement("W3.3")]
SHORT, PATIENCE_SECONDS = 4, 120.0


@dataclass
class Client:
    """Reads the current secret and logs in with it, without a pause. What is refused is read again, and tried again."""

    vault: Vault
    database: Database
    arn: str
    tried: int = 0
    failed: int = 0
    rounds: int = 0
    longest_seconds: float = 0.0
    changed: threading.Condition = field(default_factory=threading.Condition)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while not self.ended.is_set():
            began = time.monotonic()
            while not self.database.opens(self.vault.value(self.arn)):
                self.tried, self.failed = self.tried + 1, self.failed + 1
                self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)
                if self.ended.is_set():
                    return
            with self.changed:
                self.tried, self.rounds = self.tried + 1, self.rounds + 1
                self.changed.notify_all()

    def wait(self) -> None:
        """Until a round that began after this call has ended: nobody holds a value that was read before it."""
        with self.changed:
            end = self.rounds + 2
            assert self.changed.wait_for(lambda: self.rounds >= end, PATIENCE_SECONDS), "the client is not let in"

    def end(self) -> None:
        self.ended.set()
        self.thread.join(PATIENCE_SECONDS)


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of Secrets Manager has its effect at once, as on AWS: in moto, labels are nowhere while they move."""
    make_api_call: Any = vars(BaseClient)["_make_api_call"]
    lock = threading.Lock()

    def call(client: BaseClient, operation: str, parameters: Any) -> Any:
        with lock:
            return make_api_call(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)


def test_no_login_of_the_application_fails(
    vault: Vault, own_database: Database, application: str, one_at_a_time: None, figures: Figures
) -> None:
    client = Client(vault, own_database, application)
    try:
        for _ in range(ROTATIONS or SHORT):
            client.wait()
            vault.rotate(application)
        client.wait()
    finally:
        client.end()
    figures.logged_in("alternating users", rotations=ROTATIONS or SHORT, tried=client.tried, failed=client.failed)
    assert client.tried >= 2 * (ROTATIONS or SHORT)
    assert client.failed == 0


class Window(Outside):
    """Measures how long AWSCURRENT is refused: from the end of ALTER ROLE to that of UpdateSecretVersionStage."""

    def __init__(self) -> None:
        super().__init__()
        self.altered = 0.0
        self.seconds: list[float] = []

    def call(self, name: str, make: Any) -> Any:
        answer = make()
        if name == "ALTER ROLE":
            self.altered = time.perf_counter()
        if name == "UpdateSecretVersionStage":
            self.seconds.append(time.perf_counter() - self.altered)
        return answer


def test_a_login_of_the_master_that_fails_succeeds_with_the_value_read_again(
    vault: Vault,
    own_database: Database,
    master: str,
    function: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    one_at_a_time: None,
    figures: Figures,
) -> None:
    window = Window()
    window.watch(monkeypatch, connection)
    client = Client(vault, own_database, master)
    try:
        for _ in range(ROTATIONS or SHORT):
            client.wait()
            vault.rotate(master)
            client.wait()
    finally:
        client.end()
    figures.logged_in(
        "single user",
        rotations=ROTATIONS or SHORT,
        tried=client.tried,
        failed=client.failed,
        window_seconds=max(window.seconds),
    )
    assert len(window.seconds) == (ROTATIONS or SHORT)
