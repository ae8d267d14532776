"""The rehearsal under load: what it counts, and which payments make it fail."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from operations.outcome import Refused, console
from operations.pay.platform import FrontDoor
from operations.rehearsal.command import Books, LoadRehearsal, charges_of, idle
from operations.rehearsal.course import chosen
from operations.rehearsal.customers import Customers, Payment, read_statuses
from operations.rehearsal.events import EVENTS
from settings import load

pytestmark = [pytest.mark.requirement("W8.3"), pytest.mark.requirement("Q4")]


class Door(FrontDoor):
    """A front door by plain HTTP."""

    def client(self, headers: Any) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=dict(headers), trust_env=False)


@contextmanager
def api(answers: list[int]) -> Iterator[tuple[Door, list[tuple[str, str]]]]:
    """A payments API that answers POST with these statuses, then 202; and the keys that it was sent."""
    sent: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            sent.append((self.headers["Authorization"], self.headers["Idempotency-Key"]))
            self.say(answers.pop(0) if answers else 202, {"id": f"id-{self.headers['Idempotency-Key']}"})

        def do_GET(self) -> None:
            self.say(200, {"status": "captured"})

        def say(self, status: int, body: dict[str, str]) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield Door(name="pay.example.com", port=server.server_port, authority=""), sent
    finally:
        server.shutdown()
        server.server_close()


def pay_once(door: FrontDoor) -> tuple[Customers, Payment]:
    customers = Customers(door, ["k1"], pause=60)
    customers.begin("quiet")
    (payment,) = customers.end()
    return customers, payment


def test_payment_is_repeated_by_its_key_until_it_is_accepted() -> None:
    with api([503, 429]) as (door, sent):
        customers, payment = pay_once(door)
        read_statuses(door, [payment], patience=10)
    assert sent == [("Bearer k1", payment.idempotency_key)] * 3
    assert customers.tries == {("quiet", "503"): 1, ("quiet", "429"): 1, ("quiet", "202"): 1}
    assert (payment.identifier, payment.status) == (f"id-{payment.idempotency_key}", "captured")
    assert payment.seconds >= 1


def test_answer_that_no_repetition_changes_ends_the_tries() -> None:
    with api([403]) as (door, sent):
        _, payment = pay_once(door)
    assert len(sent) == 1
    assert payment.refusal.startswith("403 ")
    assert Books.compare([payment], Counter()).problems() == [
        f"1 refused: the first in 'quiet', {payment.idempotency_key} {payment.refusal}"
    ]


@pytest.mark.parametrize(
    ("identifier", "status", "charges", "problem"),
    [
        ("id", "captured", 1, None),
        ("id", "declined", 0, "1 not captured"),
        ("id", "failed", 1, "1 not captured"),
        ("id", "captured", 2, "1 charged twice"),
        ("id", "captured", 0, "1 captured, and not charged"),
        ("id", "missing: 404", 1, "1 lost"),
        ("id", "pending", 0, "1 lost"),
        ("", "", 0, "1 never accepted"),
    ],
)
def test_books_of_customers_and_acquirer_agree_or_say_where_not(
    identifier: str, status: str, charges: int, problem: str | None
) -> None:
    payment = Payment(key="k1", phase="failover", identifier=identifier, status=status)
    problems = Books.compare([payment], Counter({payment.token: charges})).problems()
    assert [line.partition(":")[0] for line in problems] == ([problem] if problem else [])


def test_charges_are_the_approved_first_operations_of_the_book(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        {"kind": "sale", "status": "approved", "subject": "tok_1"},
        {"kind": "authorization", "status": "approved", "subject": "tok_1"},
        {"kind": "capture", "status": "approved", "subject": "reference"},
        {"kind": "sale", "status": "declined", "subject": "tok_2"},
    ]
    answer = httpx.Response(200, json=entries, request=httpx.Request("GET", "http://acquirer"))
    monkeypatch.setattr(httpx, "get", lambda *_arguments, **_keywords: answer)
    assert charges_of("http://acquirer") == {"tok_1": 2}


def test_events_happen_in_their_order_and_an_unknown_one_is_refused() -> None:
    assert [one.name for one in chosen(["failover", "release"], EVENTS)] == ["release", "failover"]
    with pytest.raises(Refused, match="--only: 'flood' is not allowed; an event is: quiet, tasks-killed, release"):
        chosen(["flood"], EVENTS)


def test_event_during_which_nobody_pays_is_a_problem() -> None:
    tries = Counter({("release", "503"): 1})
    assert idle(["release", "rotation"], tries) == ["nobody tried to pay during rotation"]


def test_rehearsal_needs_a_deployment(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="run make deploy-local first"):
        LoadRehearsal(load("local"), tmp_path, "local", console()).run(1, 0, [])
