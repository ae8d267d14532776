"""Customers of a rehearsal: each sends one payment after another, and repeats it by its key until it is accepted."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from operations.pay.platform import FINAL

AMOUNT, CURRENCY = 1000, "USD"
PATH = "/api/v1/payments"
SECONDS_BETWEEN_TRIES = 0.5
SECONDS_TO_BE_ACCEPTED = 600.0
MISSING = "missing"
SERVER_ERROR, TOO_MANY_REQUESTS, CONFLICT = 500, 429, 409


@dataclass(kw_only=True)
class Payment:
    """A payment of a customer. ``phase`` is what the platform was doing when it was first sent."""

    key: str
    """The merchant's API key."""
    phase: str
    idempotency_key: str = field(default_factory=lambda: str(uuid.uuid4()))
    token: str = field(default_factory=lambda: f"tok_{uuid.uuid4().hex}")
    """The card's token, by which the acquirer's book has the payment."""
    identifier: str = ""
    status: str = ""
    refusal: str = ""
    """The answer that no repetition changes; empty where there was none."""
    seconds: float = 0.0
    """From the first try until it was accepted."""


class Door(Protocol):
    """Where customers come to."""

    def client(self, headers: Mapping[str, str]) -> httpx.Client:
        """A client that connects there, with these headers on every request."""


class Customers:
    """Customers that pay at the same time, each with the API key of a merchant."""

    def __init__(self, door: Door, keys: Sequence[str], *, pause: float) -> None:
        self.phase = ""
        self.tries: Counter[tuple[str, str]] = Counter()
        """How many tries of a phase had which outcome: a status, or the name of an error."""
        self._door, self._pause = door, pause
        self._payments: list[Payment] = []
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._pay, args=(key,), daemon=True) for key in keys]

    def begin(self, phase: str) -> None:
        """Let all of them pay from now on."""
        self.phase = phase
        for thread in self._threads:
            thread.start()

    def end(self) -> list[Payment]:
        """Let each finish its payment; returns all payments."""
        self._ends.set()
        for thread in self._threads:
            thread.join()
        return list(self._payments)

    def count(self) -> int:
        """How many payments were sent."""
        with self._lock:
            return len(self._payments)

    def _pay(self, key: str) -> None:
        with self._door.client({"Authorization": f"Bearer {key}"}) as client:
            has_ended = False
            while not has_ended:
                payment = Payment(key=key, phase=self.phase)
                with self._lock:
                    self._payments.append(payment)
                self._send(client, payment)
                has_ended = self._ends.wait(self._pause)

    def _send(self, client: httpx.Client, payment: Payment) -> None:
        began = time.monotonic()
        body = {"amount": AMOUNT, "currency": CURRENCY, "token": payment.token}
        while time.monotonic() - began < SECONDS_TO_BE_ACCEPTED:
            try:
                answer = client.post(PATH, json=body, headers={"Idempotency-Key": payment.idempotency_key})
            except httpx.TransportError as error:
                self._note(type(error).__name__)
            else:
                self._note(str(answer.status_code))
                if answer.is_success:
                    payment.identifier, payment.seconds = str(answer.json()["id"]), time.monotonic() - began
                    return
                if not _may_repeat(answer.status_code):
                    payment.refusal = f"{answer.status_code} {answer.text.strip()}"
                    return
            time.sleep(SECONDS_BETWEEN_TRIES)

    def _note(self, outcome: str) -> None:
        with self._lock:
            self.tries[self.phase, outcome] += 1


def _may_repeat(status: int) -> bool:
    return status >= SERVER_ERROR or status in (TOO_MANY_REQUESTS, CONFLICT)


def read_statuses(door: Door, payments: Sequence[Payment], patience: float) -> None:
    """Read each accepted payment until it has a final status, and note the status.

    Args:
        door: where the platform's name is answered.
        payments: all that were sent.
        patience: how many seconds may pass without any payment that ends. A busy machine settles a long queue slowly,
            and nothing is lost as long as it becomes shorter.
    """
    deadline = time.monotonic() + patience
    for payment in payments:
        if payment.identifier:
            payment.status = _final_status(door, payment, deadline)
            if payment.status in FINAL:
                deadline = time.monotonic() + patience


def _final_status(door: Door, payment: Payment, deadline: float) -> str:
    status = ""
    with door.client({"Authorization": f"Bearer {payment.key}"}) as client:
        for status in _statuses(client, payment):
            if status in FINAL or time.monotonic() > deadline:
                break
            time.sleep(SECONDS_BETWEEN_TRIES)
    return status


def _statuses(client: httpx.Client, payment: Payment) -> Iterator[str]:
    while True:
        try:
            answer = client.get(f"{PATH}/{payment.identifier}")
        except httpx.TransportError as error:
            yield type(error).__name__
        else:
            yield str(answer.json()["status"]) if answer.is_success else f"{MISSING}: {answer.status_code}"
