"""A merchant's key in a rehearsal: made, used, rotated while its server pays, revoked, and refused by every process.

CloudFront and the load balancers pass the key on. Each process of the service keeps what it has looked up for 30 s
(CREDENTIAL_SECONDS).
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from operations.outcome import Failed
from operations.rehearsal.customers import AMOUNT, CURRENCY, PATH, Door

ACCEPTED, UNAUTHENTICATED = "202", "401"
PAYMENTS = 20
"""By each of the two keys."""
REFUSALS = 20
"""One after another, so that no process accepts the key: the load balancer asks each of them."""
SECONDS_TO_BE_REFUSED = 60.0
SECONDS_TO_PAY = 300.0
SECONDS_BETWEEN_REQUESTS = 0.1


class Administration(Protocol):
    """What makes merchants and keys (:class:`operations.merchants.command.Administration`)."""

    def make_key(self, merchant: str) -> dict[str, Any]:
        """A new key of a merchant, and its ``id``."""

    def perform(self, arguments: Sequence[str]) -> list[dict[str, Any]]:
        """Run a command of `python -m payments merchants`; returns what it made or found."""


@dataclass
class MerchantServer:
    """A merchant's server, which pays by the key that it holds and repeats nothing."""

    door: Door
    key: str = field(repr=False)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Answers by the key, and the status or the name of an error."""
    _ends: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def paying(self) -> Iterator[None]:
        """Pay until the end of the block."""
        thread = threading.Thread(target=self._pay, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ends.set()
            thread.join()

    def _pay(self) -> None:
        with self.door.client({}) as client:
            while not self._ends.wait(SECONDS_BETWEEN_REQUESTS):
                key = self.key
                self.outcomes[key, ask(client, key)] += 1

    def wait_for(self, key: str) -> None:
        """Wait until so many payments were accepted by a key.

        Raises:
            Failed: they are not, in time, or one has failed.
        """
        deadline = time.monotonic() + SECONDS_TO_PAY
        while self.outcomes[key, ACCEPTED] < PAYMENTS:
            self.refuse_failures()
            if time.monotonic() > deadline:
                raise Failed(f"{PAYMENTS} payments by a new key were not accepted: {self._counted()}")
            time.sleep(SECONDS_BETWEEN_REQUESTS)

    def refuse_failures(self) -> None:
        """Refuse that any of its requests has failed.

        Raises:
            Failed: one has.
        """
        if any(outcome != ACCEPTED for _, outcome in list(self.outcomes)):
            raise Failed(f"a merchant's requests failed while it rotated its key: {self._counted()}")

    def _counted(self) -> str:
        outcomes: Counter[str] = Counter()
        for (_, outcome), count in list(self.outcomes.items()):  # a thread adds to them
            outcomes[outcome] += count
        return ", ".join(f"{outcome}: {count}" for outcome, count in sorted(outcomes.items())) or "no answer"


def ask(client: httpx.Client, key: str) -> str:
    """Send a payment by a key; returns the status, or the name of an error."""
    body = {"amount": AMOUNT, "currency": CURRENCY, "token": f"tok_{uuid.uuid4().hex}"}
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": str(uuid.uuid4())}
    try:
        return str(client.post(PATH, json=body, headers=headers).status_code)
    except httpx.TransportError as error:
        return type(error).__name__


def live(door: Door, administration: Administration, merchant: str) -> str:
    """Let a merchant live through a key's rotation and revocation; returns what was seen.

    Args:
        door: where its server comes to.
        administration: makes its keys, and itself where there is none of the name.
        merchant: its name.

    Raises:
        Refused: the function that administers merchants refused.
        Failed: it could not be run, a request failed, or a revoked key was still accepted after a minute.
    """
    first = administration.make_key(merchant)
    server = MerchantServer(door, str(first["key"]))
    with server.paying():
        server.wait_for(str(first["key"]))
        second, _ = administration.perform(["keys", "rotate", str(first["id"])])
        server.key = str(second["key"])
        server.wait_for(server.key)
    server.refuse_failures()
    for one in (first, second):
        administration.perform(["keys", "revoke", str(one["id"])])
    seconds = _seconds_until_refused(door, [str(one["key"]) for one in (first, second)])
    paid = sum(server.outcomes.values())
    return f"{paid} payments by two keys, none failed; refused {seconds:.0f} s after the revocation"


def _seconds_until_refused(door: Door, keys: Sequence[str]) -> float:
    """How long keys were still accepted somewhere."""
    began = last_accepted = time.monotonic()
    with door.client({}) as client:
        refusals = 0
        while refusals < REFUSALS * len(keys):
            refused = ask(client, keys[refusals % len(keys)]) == UNAUTHENTICATED
            refusals = refusals + 1 if refused else 0
            last_accepted = last_accepted if refused else time.monotonic()
            if last_accepted - began > SECONDS_TO_BE_REFUSED:
                raise Failed(f"a revoked key was not refused within {SECONDS_TO_BE_REFUSED:g} s")
    return last_accepted - began
