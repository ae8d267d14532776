"""The life of a key under load: made, used, rotated with an overlap, revoked, and refused by every process (Q3)."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import pytest

from operations.merchants.command import Administration, Lines
from operations.rehearsal import credential
from payments import administration
from payments.roles import Process
from payments.scopes import Scope
from settings import load
from tests.payments.conftest import Platform, Start
from tests.payments.load import until
from tests.payments.support import REGION, Running, authorized, keyed

pytestmark = [pytest.mark.requirement("Q3")]

KEEP_SECONDS = 2.0
SECONDS_TO_BE_REFUSED = 60.0


@dataclass
class Merchant:
    """A merchant's servers, which pay without a pause by the key that they hold, at each process in turn."""

    urls: list[str]
    key: str = field(repr=False)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Answers by the key and the status."""
    stopping: threading.Event = field(default_factory=threading.Event)

    def pay(self) -> None:
        """Be one of the servers."""
        body = {"amount": 100, "currency": "USD", "token": "tok_load_1"}
        with httpx.Client(timeout=10, trust_env=False) as client:
            for url in itertools.cycle(self.urls):
                if self.stopping.is_set():
                    return
                key = self.key
                answer = client.post(f"{url}/api/v1/payments", json=body, headers={**keyed(), **authorized(key)})
                self.statuses[key, answer.status_code] += 1

    def wait_for(self, key: str, status: int, count: int) -> None:
        """Until so many more answers to a key have had a status."""
        wanted = self.statuses[key, status] + count
        until(lambda: self.statuses[key, status] >= wanted, f"{count} answers {status}")


@contextmanager
def paying(services: list[Running], key: str, servers: int = 4) -> Iterator[Merchant]:
    """A merchant that pays until the end of the block."""
    merchant = Merchant([one.url for one in services], key)
    threads = [threading.Thread(target=merchant.pay) for _ in range(servers)]
    for thread in threads:
        thread.start()
    try:
        yield merchant
    finally:
        merchant.stopping.set()
        for thread in threads:
            thread.join()


def test_key_is_rotated_under_load_without_a_failed_request_and_refused_everywhere_once_revoked(
    service_platform: Platform, start: Start
) -> None:
    """Two processes, which cache the credential each by itself."""
    settings = {"CREDENTIAL_SECONDS": str(KEEP_SECONDS), "PUBLISHES": "false"}
    services = [start(service_platform, **settings) for _ in range(2)]
    with service_platform.merchants() as merchants:
        merchant = merchants.make("a-shop")
        before, first = merchants.create_key(merchant.id, [Scope.PAYMENTS_WRITE])
        with paying(services, first.text) as load:
            load.wait_for(first.text, 202, 20)
            after, second = merchants.rotate_key(before.identifier, timedelta(hours=1))
            load.wait_for(first.text, 202, 20)  # the merchant has not heard of the new one yet
            load.key = second.text
            load.wait_for(second.text, 202, 20)
            merchants.revoke_key(before.identifier)  # the overlap ends early
            load.wait_for(second.text, 202, 20)
            assert {status for _, status in load.statuses} == {202}, "no request has failed"

            merchants.revoke_key(after.identifier)
            revoked_at = time.monotonic()
            load.wait_for(second.text, 401, 20)
        for service in services:
            for key in (first.text, second.text):
                while _status(service, key) != 401:
                    assert time.monotonic() - revoked_at < SECONDS_TO_BE_REFUSED
                    time.sleep(0.1)
    assert {status for _, status in load.statuses} == {202, 401}
    with service_platform.database.connect() as database:
        query = "SELECT count(*) FROM payments.payments WHERE merchant_id = %s"
        accepted = sum(count for (_, status), count in load.statuses.items() if status == 202)
        assert database.execute(query, (merchant.id,)).fetchone() == (accepted,)


def _status(service: Running, key: str) -> int:
    return service.client.get("/api/v1/payments", headers=authorized(key)).status_code


class OperatedHere(Administration):
    """What an operator runs, without the function around it."""

    def perform(self, arguments: Sequence[str]) -> Lines:
        return list(json.loads(json.dumps(administration.perform(arguments), default=str)))


@dataclass
class DoorOf:
    """A process of the service as the rehearsal's front door."""

    running: Running

    def client(self, headers: Mapping[str, str]) -> httpx.Client:
        return httpx.Client(base_url=self.running.url, headers=dict(headers), timeout=10, trust_env=False)


@pytest.mark.requirement("W8.3")
def test_rehearsed_merchant_lives_through_it_with_the_service_and_its_administration(
    service_platform: Platform, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start(service_platform, CREDENTIAL_SECONDS="1", PUBLISHES="false")
    for name, value in service_platform.environment_of(Process.ADMINISTRATION).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(credential, "SECONDS_BETWEEN_REQUESTS", 0.01)
    operated = OperatedHere(client=None, names=load("local").names, region=REGION)
    seen = credential.live(DoorOf(running), operated, "rehearsed-shop")
    assert re.fullmatch(r"\d+ payments by two keys, none failed; refused \d+ s after the revocation", seen)
