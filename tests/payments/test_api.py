"""What the API answers."""

from __future__ import annotations

import base64
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest

from payments import repository
from payments.api import document
from payments.states import Progress
from tests.payments.conftest import Platform, Start
from tests.payments.support import SERVICE, Running, keyed

pytestmark = [pytest.mark.requirement("Q1")]

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
CARD = "4111111111111111"
VALID = {"amount": 1000, "currency": "USD", "token": "tok_visa_1"}


def settle(database: psycopg.Connection[Any], payment_id: str, progress: Any = Progress.SUCCEEDED) -> None:
    """As the function that processes payments does: answer all that is asked."""
    asked = "SELECT id FROM payments.operations WHERE payment_id = %s AND state = 'asked'"
    for (operation_id,) in database.execute(asked, (payment_id,)).fetchall():
        assert repository.settle(database, operation_id, progress, acquirer_reference="acq")


@pytest.fixture
def captured(service: Running, service_database: psycopg.Connection[Any]) -> str:
    """A payment of 1000 that was taken."""
    payment = str(service.create().json()["id"])
    settle(service_database, payment)
    return payment


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.text
    content = dict(answer.json())
    assert (content["type"], content["status"]) == (f"urn:payments:problem:{kind}", status)
    assert content["correlation_id"] == answer.headers["X-Correlation-Id"]
    return content


def test_a_payment_is_accepted_and_read(service: Running) -> None:
    created = service.create(amount=1234, currency="EUR", reference="order-7")

    assert created.status_code == 202, created.text
    shown = created.json()
    assert created.headers["Location"] == f"/api/v1/payments/{shown['id']}"
    assert (shown["state"], shown["amount"], shown["currency"]) == ("accepted", 1234, "EUR")
    read = service.read(shown["id"])
    (operation,) = read.pop("operations")
    assert read == shown
    assert (operation["kind"], operation["state"], operation["amount"]) == ("sale", "asked", 1234)


def test_the_same_request_gets_the_same_answer(service: Running) -> None:
    first = service.create("same-1", amount=7)
    # What is not said is what is said by default: the same body.
    again = service.create("same-1", amount=7, capture="automatic", reference=None)

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Location"] == first.headers["Location"]


def test_a_key_is_good_for_one_request(service: Running, captured: str) -> None:
    service.create("other-1", amount=7)

    problem(service.create("other-1", amount=8), 422, "idempotency-key-reused")
    problem(service.ask(captured, "refunds", "other-1", amount=7), 422, "idempotency-key-reused")


def test_one_of_many_same_requests_is_done(service: Running, service_database: psycopg.Connection[Any]) -> None:
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda _: service.create("parallel-1", reference="parallel-1"), range(48)))

    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    count = "SELECT count(*) FROM payments.payments WHERE reference = 'parallel-1'"
    assert service_database.execute(count).fetchone() == (1,)


def test_refunds_in_parallel_are_never_more_than_what_was_captured(
    service: Running, service_database: psycopg.Connection[Any], captured: str
) -> None:
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda _: service.ask(captured, "refunds", amount=150), range(32)))

    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(202), statuses.count(409)) == (6, 26), "six times 150 are 900 of 1000"
    assert service.read(captured)["refunding_amount"] == 900
    settle(service_database, captured)
    assert service.ask(captured, "refunds", amount=100).status_code == 202
    settle(service_database, captured)
    done = service.read(captured)
    assert (done["state"], done["refunded_amount"], done["refunding_amount"]) == ("refunded", 1000, 0)


def test_a_refund_says_what_is_left(service: Running, captured: str) -> None:
    answer = problem(service.ask(captured, "refunds", amount=1001), 409, "amount-too-large")
    assert answer["errors"] == [{"pointer": "/amount", "detail": "at most 1000 is left"}]


def test_what_was_authorized_is_captured_or_released(
    service: Running, service_database: psycopg.Connection[Any]
) -> None:
    first, second = (str(service.create(capture="manual").json()["id"]) for _ in range(2))
    problem(service.ask(first, "captures"), 409, "state-conflict")
    settle(service_database, first)
    settle(service_database, second)

    assert service.ask(first, "captures", amount=400).json()["state"] == "asked"
    problem(service.ask(first, "voids"), 409, "state-conflict")
    assert service.ask(second, "voids").json()["amount"] == 1000

    settle(service_database, first)
    settle(service_database, second)
    assert (service.read(first)["state"], service.read(first)["captured_amount"]) == ("captured", 400)
    assert (service.read(second)["state"], service.read(second)["captured_amount"]) == ("voided", 0)


def test_an_operation_gets_the_same_answer_again_also_when_its_time_is_over(
    service: Running, service_database: psycopg.Connection[Any]
) -> None:
    payment = str(service.create(capture="manual").json()["id"])
    settle(service_database, payment)
    first = service.ask(payment, "captures", "capture-1")
    settle(service_database, payment)

    assert service.ask(payment, "captures", "capture-1").content == first.content
    problem(service.ask(payment, "captures"), 409, "state-conflict")


def test_pages_are_not_moved_by_new_payments(service: Running) -> None:
    known = [service.create().json()["id"] for _ in range(5)][::-1]

    first = service.client.get("/api/v1/payments", params={"limit": 2}).json()
    service.create()
    second = service.client.get("/api/v1/payments", params={"limit": 3, "cursor": first["next_cursor"]}).json()

    assert [payment["id"] for payment in first["payments"] + second["payments"]] == known


def test_payments_are_listed_by_state_up_to_the_last_page(service: Running, captured: str) -> None:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = service.client.get(
            "/api/v1/payments",
            params={"state": "captured", "limit": 100, **({"cursor": cursor} if cursor else {})},
        ).json()
        found += page["payments"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert {payment["state"] for payment in found} == {"captured"}
    assert captured in {payment["id"] for payment in found}


@pytest.mark.parametrize("cursor", ["x", "AAAA", base64.urlsafe_b64encode(b"\x02" + bytes(16)).rstrip(b"=").decode()])
def test_a_cursor_of_somebody_else_is_refused(service: Running, cursor: str) -> None:
    problem(service.client.get("/api/v1/payments", params={"cursor": cursor}), 422, "invalid-request")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"amount": 0}, "/amount"),
        ({"amount": -5}, "/amount"),
        ({"amount": 10**12}, "/amount"),
        ({"amount": 10.5}, "/amount"),
        ({"amount": "10"}, "/amount"),
        ({"amount": True}, "/amount"),
        ({"amount": None}, "/amount"),
        ({"currency": "usd"}, "/currency"),
        ({"currency": "XXX"}, "/currency"),
        ({"currency": "DEM"}, "/currency"),
        ({"token": ""}, "/token"),
        ({"token": "short"}, "/token"),
        ({"token": "with space"}, "/token"),
        ({"token": CARD}, "/token"),
        ({"token": f"tok_{CARD}"}, "/token"),
        ({"token": "4111-1111-1111-1111"}, "/token"),
        ({"reference": CARD}, "/reference"),
        ({"reference": "order/4111-1111-1111-1111"}, "/reference"),
        ({"capture": "later"}, "/capture"),
        ({"card_number": "1"}, "/card_number"),
    ],
)
def test_a_wrong_value_is_named(service: Running, change: dict[str, Any], pointer: str) -> None:
    answer = service.client.post("/api/v1/payments", json={**VALID, **change}, headers=keyed())

    content = problem(answer, 422, "invalid-request")
    assert [error["pointer"] for error in content["errors"]] == [pointer]
    assert CARD not in answer.text


@pytest.mark.parametrize("token", ["4111111111111112", "tok_1234567890123", "a4111111111111111b"])
def test_a_number_that_is_no_card_number_is_taken(service: Running, token: str) -> None:
    assert service.create(token=token).status_code == 202


def test_a_whole_number_is_one_however_it_is_written(service: Running) -> None:
    assert service.create(amount=10.0).json()["amount"] == 10


@pytest.mark.parametrize("member", ["amount", "currency", "token"])
def test_a_missing_member_is_named(service: Running, member: str) -> None:
    body = {name: value for name, value in VALID.items() if name != member}
    content = problem(service.client.post("/api/v1/payments", json=body, headers=keyed()), 422, "invalid-request")
    assert content["errors"] == [{"pointer": f"/{member}", "detail": "Field required"}]


@pytest.mark.parametrize(
    ("headers", "body", "status", "kind"),
    [
        ({"Content-Type": "application/json"}, b"{", 400, "malformed-json"),
        ({"Content-Type": "application/json"}, b"\xff", 400, "bad-request"),
        ({"Content-Type": "application/json"}, b"[" * 16_000, 400, "bad-request"),
        ({"Content-Type": "application/json"}, b"", 422, "invalid-request"),
        ({"Content-Type": "application/json"}, b"[]", 422, "invalid-request"),
        ({"Content-Type": "application/json"}, b" " * 16_385, 413, "body-too-large"),
        ({"Content-Type": "text/plain"}, json.dumps(VALID).encode(), 415, "unsupported-media-type"),
        ({}, json.dumps(VALID).encode(), 415, "unsupported-media-type"),
    ],
)
def test_a_body_that_is_not_to_be_understood_is_refused(
    service: Running, headers: dict[str, str], body: bytes, status: int, kind: str
) -> None:
    answer = service.client.post("/api/v1/payments", content=body, headers={**headers, **keyed()})
    problem(answer, status, kind)


def test_a_body_in_chunks_is_bounded_too(service: Running) -> None:
    chunks = (b" " * 1000 for _ in range(20))
    answer = service.client.post(
        "/api/v1/payments", content=chunks, headers={"Content-Type": "application/json", **keyed()}
    )
    problem(answer, 413, "body-too-large")


@pytest.mark.parametrize("key", [None, "", "x" * 129, "with space", CARD])
def test_a_write_needs_an_idempotency_key(service: Running, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    content = problem(service.client.post("/api/v1/payments", json=VALID, headers=headers), 422, "invalid-request")
    assert content["errors"][0]["pointer"] == "idempotency-key"


@pytest.mark.parametrize("what", ["captures", "refunds", "voids"])
def test_what_is_not_there_is_not_found(service: Running, what: str) -> None:
    nobody = str(uuid4())
    values: dict[str, Any] = {"amount": 1} if what == "refunds" else {}
    problem(service.client.get(f"/api/v1/payments/{nobody}"), 404, "not-found")
    problem(service.ask(nobody, what, **values), 404, "not-found")
    problem(service.client.get("/api/v1/nothing"), 404, "not-found")
    problem(service.client.get("/api/v1/payments/17"), 422, "invalid-request")


def test_a_method_that_is_not_there_is_refused(service: Running) -> None:
    answer = service.client.delete("/api/v1/payments")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"X-Correlation-Id": "0191d0f3-5a4b-7c11-9a3e-4f5a6b7c8d9e"}, "0191d0f3-5a4b-7c11-9a3e-4f5a6b7c8d9e"),
        (
            {"X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"},
            "1-5759e988-bd862e3fe1be46a994272793",
        ),
        ({"X-Correlation-Id": "anything-else"}, None),
        ({}, None),
    ],
)
def test_an_answer_carries_the_correlation_id(service: Running, sent: dict[str, str], kept: str | None) -> None:
    answer = service.client.get("/api/health", headers=sent)
    found = answer.headers["X-Correlation-Id"]
    assert found == kept if kept else len(found) == 36 and found not in sent.values()


def test_a_body_that_does_not_come_is_not_waited_for(service_platform: Platform, start: Start) -> None:
    running = start(service_platform, REQUEST_SECONDS="0.2")
    address = urlsplit(running.url)
    with closing(socket.create_connection((address.hostname, address.port), 10)) as slow:
        slow.sendall(
            b"POST /api/v1/payments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Idempotency-Key: slow\r\nContent-Length: 100\r\n\r\n{"
        )
        answer = b""
        while part := slow.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"urn:payments:problem:body-timeout" in answer


def test_the_openapi_document_is_the_one_that_is_kept(service: Running) -> None:
    kept = json.loads((SERVICE / "openapi.json").read_text())
    assert document() == kept, "make openapi writes it anew"
    assert service.client.get("/openapi.json").json() == kept
