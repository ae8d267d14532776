"""The event `credential` of the rehearsal: which outcomes of a rotation and a revocation make it fail (Q3)."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from operations.outcome import Failed
from operations.rehearsal import credential
from tests.operations.test_rehearsal import Door

pytestmark = [pytest.mark.requirement("W8.3"), pytest.mark.requirement("Q3")]


@dataclass
class Service:
    """A payments API of several processes, which take turns and notice a revocation after some requests each."""

    delay: int = 0
    """Requests by revoked keys that are still accepted."""
    fails_after_rotation: bool = False
    keys: list[str] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)

    def make_key(self, merchant: str) -> dict[str, Any]:
        assert merchant == "a-shop"
        self.keys.append(f"key-{len(self.keys)}")
        return {"key": self.keys[-1], "id": self.keys[-1]}

    def perform(self, arguments: Sequence[str]) -> list[dict[str, Any]]:
        keys, what, identifier = arguments
        assert (keys, identifier in self.keys) == ("keys", True)
        if what == "rotate":
            return [self.make_key("a-shop"), {"id": identifier}]
        assert what == "revoke"
        self.revoked.add(identifier)
        return []

    def status(self, key: str) -> int:
        if key in self.revoked:
            self.delay -= 1
            return 202 if self.delay >= 0 else 401
        if key not in self.keys:
            return 401
        return 503 if self.fails_after_rotation and len(self.keys) > 1 else 202


@contextmanager
def served(service: Service) -> Iterator[Door]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(service.status(self.headers["Authorization"].removeprefix("Bearer ")))
            self.end_headers()

        def log_message(self, *_arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield Door(name="pay.example.com", port=server.server_port, authority="")
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credential, "SECONDS_BETWEEN_REQUESTS", 0.002)


def test_key_that_rotates_without_a_failed_request_and_is_refused_when_revoked_passes() -> None:
    service = Service(delay=5)
    with served(service) as door:
        seen = credential.live(door, service, "a-shop")
    found = re.fullmatch(r"(\d+) payments by two keys, none failed; refused 0 s after the revocation", seen)
    assert found
    assert int(found[1]) >= 2 * credential.PAYMENTS
    assert service.revoked == {"key-0", "key-1"}
    assert service.delay <= 5 - 5 - 2 * credential.REFUSALS, "each key is refused so many times, after the last success"


def test_request_that_fails_during_the_rotation_fails_the_event() -> None:
    service = Service(fails_after_rotation=True)
    with served(service) as door, pytest.raises(Failed, match=r"rotated its key: 202: \d+, 503: \d+"):
        credential.live(door, service, "a-shop")
    server = credential.MerchantServer(door, "key")
    server.outcomes.update({("key", "202"): 40, ("key", "ReadError"): 1})
    with pytest.raises(Failed, match=r"failed while it rotated its key: 202: 40, ReadError: 1"):
        server.refuse_failures()


def test_revoked_key_that_is_still_accepted_fails_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credential, "SECONDS_TO_BE_REFUSED", 0.05)
    service = Service(delay=1_000_000)
    with served(service) as door, pytest.raises(Failed, match="was not refused within"):
        credential.live(door, service, "a-shop")
