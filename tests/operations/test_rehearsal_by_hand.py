"""Secrets that people replace in the rehearsal of the payment API: what makes the event fail (P6.5, Q3)."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from operations.outcome import Failed
from operations.payment_api.rehearsal.by_hand import REPLACEMENTS, replace_secrets
from operations.rehearsal import events
from rehearsal.acquirer import Behaviour, Simulator, start

pytestmark = [pytest.mark.requirement("P6.5"), pytest.mark.requirement("Q3")]


@dataclass
class Api:
    """The payment API, whose service knows a key by the pepper that it is under and pays by the acquirer's key."""

    acquirer: str
    forgets_peppers: bool = False
    keeps_acquirer_key: bool = False
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """API keys, and the peppers that they are under."""
    settings: Any = field(
        default_factory=lambda: SimpleNamespace(secrets=SimpleNamespace(peppers="peppers", acquirer="acquirer"))
    )

    def __post_init__(self) -> None:
        self.values = {
            "peppers": {"current": "first", "peppers": {"first": "p" * 40}},
            "acquirer": {"api_key": "issued first"},
        }
        self.first_acquirer_key = "issued first"

    def api(self, service: str) -> Api:
        assert service == "secretsmanager"
        return self

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803 - the name that AWS gives it
        return {"SecretString": json.dumps(self.values[SecretId])}

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:  # noqa: N803
        self.values[SecretId] = json.loads(SecretString)

    def administration(self) -> Api:
        return self

    def make_key(self, _merchant: str) -> dict[str, str]:
        key = f"key-{len(self.keys)}"
        self.keys[key] = self.values["peppers"]["current"]
        return {"key": key}

    def run_acquirer(self) -> str:
        return self.acquirer

    def client(self, _headers: dict[str, str]) -> httpx.Client:
        return httpx.Client(base_url="http://pay.example.com", transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        key = request.headers["Authorization"].removeprefix("Bearer ")
        peppers = self.values["peppers"]["peppers"]
        known = {self.values["peppers"]["current"]} if self.forgets_peppers else peppers.keys()
        if self.keys.get(key) not in known:
            return httpx.Response(401)
        own = self.first_acquirer_key if self.keeps_acquirer_key else self.values["acquirer"]["api_key"]
        headers = {"Authorization": f"Bearer {own}", "Idempotency-Key": request.headers["Idempotency-Key"]}
        body = {"kind": "sale", **json.loads(request.content)}
        httpx.post(f"{self.acquirer}/v1/operations", json=body, headers=headers, trust_env=False)
        return httpx.Response(202)


@contextmanager
def acquirer() -> Iterator[str]:
    loop, simulator = asyncio.new_event_loop(), Simulator(Behaviour())
    server = loop.run_until_complete(start(simulator))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.close()


def replaced(**service: Any) -> tuple[Api, str]:
    with acquirer() as url:
        api = Api(url, **service)
        key = api.make_key("a-shop")["key"]
        client = SimpleNamespace(merchant="a-shop", key=key, connect=lambda: api.client({}))
        made: Any = api
        of_the_merchant: Any = client
        return api, replace_secrets(made, of_the_merchant)


def test_service_that_reads_what_was_replaced_and_keeps_what_was_valid_passes() -> None:
    api, seen = replaced()
    assert seen == f"{REPLACEMENTS} peppers and {REPLACEMENTS} keys of the acquirer; every key paid"
    assert len(api.values["peppers"]["peppers"]) == 1 + REPLACEMENTS
    assert len(set(api.keys.values())) == 1 + REPLACEMENTS, "each new key is under the newest pepper"
    assert api.values["acquirer"]["api_key"] != api.first_acquirer_key


def test_service_that_forgets_a_pepper_fails_the_event() -> None:
    with pytest.raises(Failed, match="the client's key got 401 once a pepper was replaced"):
        replaced(forgets_peppers=True)


def test_service_that_keeps_the_acquirers_former_key_fails_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SECONDS_TO_HAPPEN", 0.05)
    with pytest.raises(Failed, match="in vain: a charge by the acquirer's new key"):
        replaced(keeps_acquirer_key=True)
