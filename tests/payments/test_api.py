"""The API's responses."""

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
from payments.application import document
from payments.states import OperationStatus
from tests.payments.conftest import Platform, Start
from tests.payments.support import SERVICE, Running, keyed

pytestmark = [pytest.mark.requirement("Q1")]

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
CARD = "4111111111111111"
VALID = {"amount": 1000, "currency": "USD", "token": "tok_visa_1"}


def complete(database: psycopg.Connection[Any], payment_id: str) -> None:
    """Complete the pending operations of a payment, as the function that processes them does."""
    pending = "SELECT id FROM payments.operations WHERE payment_id = %s AND status = 'pending'"
    for (operation_id,) in database.execute(pending, (payment_id,)).fetchall():
        assert repository.complete(database, operation_id, OperationStatus.SUCCEEDED, acquirer_reference="acq")


@pytest.fixture
def captured(service: Running, service_database: psycopg.Connection[Any]) -> str:
    """A captured payment of 1000."""
    payment = str(service.create().json()["id"])
    complete(service_database, payment)
    return payment


def problem(response: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert (response.status_code, response.headers["Content-Type"]) == (
        status,
        "application/problem+json",
    ), response.text
    content = dict(response.json())
    assert (content["type"], content["status"]) == (f"urn:payments:problem:{kind}", status)
    assert content["correlation_id"] == response.headers["X-Correlation-Id"]
    return content


def test_created_payment_is_accepted_and_can_be_read(service: Running) -> None:
    created = service.create(amount=1234, currency="EUR", reference="order-7")

    assert created.status_code == 202, created.text
    shown = created.json()
    assert created.headers["Location"] == f"/api/v1/payments/{shown['id']}"
    assert (shown["status"], shown["amount"], shown["currency"]) == ("accepted", 1234, "EUR")
    read = service.read(shown["id"])
    (operation,) = read.pop("operations")
    assert read == shown
    assert (operation["kind"], operation["status"], operation["amount"]) == ("sale", "pending", 1234)


def test_repeated_request_gets_the_same_response(service: Running) -> None:
    first = service.create("same-1", amount=7)
    # Members that are left out have their defaults: the body is the same.
    repeated = service.create("same-1", amount=7, capture="automatic", reference=None)

    assert (repeated.status_code, repeated.content) == (first.status_code, first.content)
    assert repeated.headers["Location"] == first.headers["Location"]


def test_idempotency_key_of_another_request_is_rejected(service: Running, captured: str) -> None:
    service.create("other-1", amount=7)

    problem(service.create("other-1", amount=8), 422, "idempotency-key-reused")
    problem(service.operate(captured, "refunds", "other-1", amount=7), 422, "idempotency-key-reused")


def test_concurrent_repeated_requests_create_one_payment(
    service: Running, service_database: psycopg.Connection[Any]
) -> None:
    with ThreadPoolExecutor(16) as clients:
        responses = list(clients.map(lambda _: service.create("parallel-1", reference="parallel-1"), range(48)))

    assert {(one.status_code, one.content) for one in responses} == {(202, responses[0].content)}
    count = "SELECT count(*) FROM payments.payments WHERE reference = 'parallel-1'"
    assert service_database.execute(count).fetchone() == (1,)


def test_concurrent_refunds_never_exceed_the_captured_amount(
    service: Running, service_database: psycopg.Connection[Any], captured: str
) -> None:
    with ThreadPoolExecutor(16) as clients:
        responses = list(clients.map(lambda _: service.operate(captured, "refunds", amount=150), range(32)))

    statuses = [one.status_code for one in responses]
    assert (statuses.count(202), statuses.count(409)) == (6, 26), "six of 150 are 900 of the 1000"
    assert service.read(captured)["refunding_amount"] == 900
    complete(service_database, captured)
    assert service.operate(captured, "refunds", amount=100).status_code == 202
    complete(service_database, captured)
    done = service.read(captured)
    assert (done["status"], done["refunded_amount"], done["refunding_amount"]) == ("refunded", 1000, 0)


def test_refund_that_is_too_large_names_the_largest_amount(service: Running, captured: str) -> None:
    content = problem(service.operate(captured, "refunds", amount=1001), 409, "amount-too-large")
    assert content["errors"] == [{"pointer": "/amount", "detail": "must be at most 1000"}]


def test_authorized_payment_is_captured_or_voided(service: Running, service_database: psycopg.Connection[Any]) -> None:
    first, second = (str(service.create(capture="manual").json()["id"]) for _ in range(2))
    problem(service.operate(first, "captures"), 409, "status-conflict")
    complete(service_database, first)
    complete(service_database, second)

    assert service.operate(first, "captures", amount=400).json()["status"] == "pending"
    problem(service.operate(first, "voids"), 409, "status-conflict")
    assert service.operate(second, "voids").json()["amount"] == 1000

    complete(service_database, first)
    complete(service_database, second)
    assert (service.read(first)["status"], service.read(first)["captured_amount"]) == ("captured", 400)
    assert (service.read(second)["status"], service.read(second)["captured_amount"]) == ("voided", 0)


def test_repeated_operation_gets_the_same_response_after_the_status_has_changed(
    service: Running, service_database: psycopg.Connection[Any]
) -> None:
    payment = str(service.create(capture="manual").json()["id"])
    complete(service_database, payment)
    first = service.operate(payment, "captures", "capture-1")
    complete(service_database, payment)

    assert service.operate(payment, "captures", "capture-1").content == first.content
    problem(service.operate(payment, "captures"), 409, "status-conflict")


def test_new_payments_do_not_move_the_next_page(service: Running) -> None:
    known = [service.create().json()["id"] for _ in range(5)][::-1]

    first = service.client.get("/api/v1/payments", params={"limit": 2}).json()
    service.create()
    second = service.client.get("/api/v1/payments", params={"limit": 3, "cursor": first["next_cursor"]}).json()

    assert [payment["id"] for payment in first["payments"] + second["payments"]] == known


def test_list_by_status_reaches_the_last_page(service: Running, captured: str) -> None:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = service.client.get(
            "/api/v1/payments",
            params={"status": "captured", "limit": 100, **({"cursor": cursor} if cursor else {})},
        ).json()
        found += page["payments"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert {payment["status"] for payment in found} == {"captured"}
    assert captured in {payment["id"] for payment in found}


@pytest.mark.parametrize("cursor", ["x", "AAAA", base64.urlsafe_b64encode(b"\x02" + bytes(16)).rstrip(b"=").decode()])
def test_invalid_cursor_is_rejected(service: Running, cursor: str) -> None:
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
def test_invalid_value_is_named(service: Running, change: dict[str, Any], pointer: str) -> None:
    response = service.client.post("/api/v1/payments", json={**VALID, **change}, headers=keyed())

    content = problem(response, 422, "invalid-request")
    assert [error["pointer"] for error in content["errors"]] == [pointer]
    assert CARD not in response.text


@pytest.mark.parametrize("token", ["4111111111111112", "tok_1234567890123", f"{CARD}0123456789abcdef"])
def test_number_that_is_no_card_number_is_accepted(service: Running, token: str) -> None:
    assert service.create(token=token).status_code == 202


def test_amount_with_a_zero_fraction_is_an_integer(service: Running) -> None:
    assert service.create(amount=10.0).json()["amount"] == 10


@pytest.mark.parametrize("member", ["amount", "currency", "token"])
def test_missing_member_is_named(service: Running, member: str) -> None:
    body = {name: value for name, value in VALID.items() if name != member}
    content = problem(service.client.post("/api/v1/payments", json=body, headers=keyed()), 422, "invalid-request")
    assert content["errors"] == [{"pointer": f"/{member}", "detail": "Field required"}]


@pytest.mark.parametrize(
    ("headers", "body", "status", "kind"),
    [
        ({"Content-Type": "application/json"}, b"{", 400, "malformed-json"),
        ({"Content-Type": "application/json"}, b"\xff", 400, "malformed-json"),
        ({"Content-Type": "application/json"}, b"[" * 16_000, 400, "bad-request"),
        ({"Content-Type": "application/json"}, b"", 422, "invalid-request"),
        ({"Content-Type": "application/json"}, b"[]", 422, "invalid-request"),
        ({"Content-Type": "application/json"}, b" " * 16_385, 413, "body-too-large"),
        ({"Content-Type": "text/plain"}, json.dumps(VALID).encode(), 415, "unsupported-media-type"),
        ({}, json.dumps(VALID).encode(), 415, "unsupported-media-type"),
    ],
)
def test_body_that_cannot_be_parsed_is_rejected(
    service: Running, headers: dict[str, str], body: bytes, status: int, kind: str
) -> None:
    response = service.client.post("/api/v1/payments", content=body, headers={**headers, **keyed()})
    problem(response, status, kind)


def test_chunked_body_that_is_too_large_is_rejected(service: Running) -> None:
    chunks = (b" " * 1000 for _ in range(20))
    response = service.client.post(
        "/api/v1/payments", content=chunks, headers={"Content-Type": "application/json", **keyed()}
    )
    problem(response, 413, "body-too-large")


@pytest.mark.parametrize("key", [None, "", "x" * 129, "with space", CARD])
def test_write_without_a_valid_idempotency_key_is_rejected(service: Running, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    content = problem(service.client.post("/api/v1/payments", json=VALID, headers=headers), 422, "invalid-request")
    assert content["errors"][0]["pointer"] == "Idempotency-Key"


@pytest.mark.parametrize("operations", ["captures", "refunds", "voids"])
def test_unknown_payment_or_path_is_not_found(service: Running, operations: str) -> None:
    unknown = str(uuid4())
    values: dict[str, Any] = {"amount": 1} if operations == "refunds" else {}
    problem(service.client.get(f"/api/v1/payments/{unknown}"), 404, "not-found")
    problem(service.operate(unknown, operations, **values), 404, "not-found")
    problem(service.client.get("/api/v1/nothing"), 404, "not-found")
    problem(service.client.get("/api/v1/payments/17"), 422, "invalid-request")


def test_unknown_method_is_rejected_with_the_allowed_ones(service: Running) -> None:
    response = service.client.delete("/api/v1/payments")
    problem(response, 405, "method-not-allowed")
    assert response.headers["Allow"] == "GET, POST"


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
def test_response_carries_the_correlation_id(service: Running, sent: dict[str, str], kept: str | None) -> None:
    response = service.client.get("/api/health", headers=sent)
    found = response.headers["X-Correlation-Id"]
    assert found == kept if kept else len(found) == 36 and found not in sent.values()


def test_body_that_is_not_sent_times_out(service_platform: Platform, start: Start) -> None:
    running = start(service_platform, REQUEST_SECONDS="0.2")
    address = urlsplit(running.url)
    with closing(socket.create_connection((address.hostname, address.port), 10)) as slow:
        slow.sendall(
            b"POST /api/v1/payments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Idempotency-Key: slow\r\nContent-Length: 100\r\n\r\n{"
        )
        response = b""
        while part := slow.recv(4096):
            response += part
    assert response.startswith(b"HTTP/1.1 408 ")
    assert b"urn:payments:problem:body-timeout" in response


def test_openapi_document_is_the_committed_one(service: Running) -> None:
    committed = json.loads((SERVICE / "openapi.json").read_text())
    assert document() == committed, "make openapi updates it"
    assert service.client.get("/openapi.json").json() == committed
