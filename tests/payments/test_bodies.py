"""Bodies as they are received: read by everybody as the same, and known again by every version of the service."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from payments import repository
from payments.bodies import fingerprint_of_received, fingerprint_of_understood
from payments.identifiers import new_id
from payments.repository import IdempotencyKey, IdempotencyKeyReused, NewOperation, NewPayment, StoredResponse
from payments.representations import PaymentRequest
from payments.states import OperationKind
from tests.payments.support import BY, Running, keyed

pytestmark = [pytest.mark.requirement("Q1", "Q4")]

VALID = {"amount": 1000, "currency": "USD", "token": "tok_visa_1", "reference": "a"}
BODY = json.dumps(VALID)
WHERE = "POST", "/api/v1/payments"


def post(service: Running, body: bytes, key: str | None = None) -> Any:
    headers = {**keyed(key), "Content-Type": "application/json"}
    return service.client.post("/api/v1/payments", content=body, headers=headers)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig"])
def test_body_in_another_encoding_is_refused(service: Running, encoding: str) -> None:
    response = post(service, BODY.encode(encoding))
    assert (response.status_code, response.json()["type"]) == (400, "urn:payments:problem:malformed-json")


def test_body_that_is_not_utf_8_is_refused(service: Running) -> None:
    assert post(service, BODY.replace('"a"', '"\u00e4"').encode("latin-1")).status_code == 400


def repeated() -> Iterator[str]:
    for name, value in VALID.items():
        yield BODY.removesuffix("}") + f", {json.dumps(name)}: {json.dumps(value)}}}"
    yield BODY.replace('"amount"', '"\\u0061mount": 1, "amount"')


@pytest.mark.parametrize("body", list(repeated()))
def test_repeated_member_is_refused(service: Running, body: str) -> None:
    response = post(service, body.encode())
    assert (response.status_code, response.json()["type"]) == (400, "urn:payments:problem:malformed-json")


def test_replayed_response_says_so(service: Running) -> None:
    key = secrets.token_hex(8)
    first, again = post(service, BODY.encode(), key), post(service, BODY.encode(), key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"


def test_every_route_with_an_idempotency_key_documents_replays(service: Running) -> None:
    operations = [one for path in service.client.get("/openapi.json").json()["paths"].values() for one in path.values()]
    writes = [
        one for one in operations if any(given["name"] == "Idempotency-Key" for given in one.get("parameters", []))
    ]
    assert len(writes) == 4
    for one in writes:
        assert "Idempotent-Replayed" in one["responses"]["202"]["headers"]
        (key,) = [given for given in one["parameters"] if given["name"] == "Idempotency-Key"]
        assert "for three days" in key["description"]


class RequestOfTheNextVersion(PaymentRequest):
    """With one more optional member, which no client sends yet."""

    descriptor: str | None = None


def key_of(version: type[PaymentRequest], key: str, body: str = BODY) -> IdempotencyKey:
    understood = fingerprint_of_understood(*WHERE, version.model_validate_json(body))
    return IdempotencyKey(key, understood, fingerprint_of_received(*WHERE, body.encode()))


def store(connection: psycopg.Connection[Any], key: IdempotencyKey) -> StoredResponse:
    now = datetime.now(UTC)
    first = NewOperation(new_id(now), new_id(now), OperationKind.SALE, 1000, "c", now)
    new, response = NewPayment("USD", "tok_visa_1", None, first), StoredResponse(202, str(first.id))
    return repository.create_payment(connection, BY, new, key, response)


VERSIONS = (PaymentRequest, RequestOfTheNextVersion)


@pytest.mark.parametrize("first", VERSIONS)
@pytest.mark.parametrize("second", VERSIONS)
def test_repeat_across_a_release_gets_the_first_response(
    connection: psycopg.Connection[Any], first: type[PaymentRequest], second: type[PaymentRequest]
) -> None:
    key = secrets.token_hex(8)
    response = store(connection, key_of(first, key))
    again = store(connection, key_of(second, key))
    assert (again, again.replayed) == (response, True)
    with pytest.raises(IdempotencyKeyReused):
        store(connection, key_of(second, key, BODY.replace("1000", "1001")))


def test_repeat_across_the_release_that_adds_the_fingerprint_gets_the_first_response(
    connection: psycopg.Connection[Any],
) -> None:
    """The version before compares what it has written itself: the fingerprint of the request as it is understood."""
    key = key_of(PaymentRequest, secrets.token_hex(8))
    response = store(connection, IdempotencyKey(key.key, key.fingerprint))
    assert store(connection, key) == response

    other = key_of(PaymentRequest, secrets.token_hex(8))
    store(connection, other)
    row = connection.execute(
        "SELECT fingerprint FROM payments.idempotency_keys WHERE merchant_key = %s", (other.key,)
    ).fetchone()
    assert row == (other.fingerprint,)


def test_order_and_white_space_make_no_other_request() -> None:
    shuffled = json.dumps(dict(reversed(VALID.items())), indent=2).encode()
    assert fingerprint_of_received(*WHERE, shuffled) == fingerprint_of_received(*WHERE, BODY.encode())
