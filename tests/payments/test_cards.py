"""Card numbers are known when they are seen, and other numbers are left alone."""

from __future__ import annotations

from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.application import document
from payments.cards import holds_card_number
from tests.payments.support import Running, keyed

pytestmark = [pytest.mark.requirement("Q1")]

# The numbers that card networks publish for tests, one of each.
NUMBERS = [
    "4111111111111111",
    "4222222222222",
    "4000056655665556007",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "6011111111111117",
    "30569309025904",
    "3566002020360505",
    "6200000000000005",
    "6759649826438453",
    "2200000000000004",
]
SEPARATORS = " ._:/-"
AROUND = ["{}", "order/{}", "tok_{}_x", "order-{}", "1002-{}", "{}-2026", "a{}", "{}b", "tok{}", "x{}y", "{}:{}"]


def forms(number: str) -> list[str]:
    """A card number as it may be written."""
    fours = [number[at : at + 4] for at in range(0, len(number), 4)]
    american = [number[:4], number[4:10], number[10:]]
    grouped = [fours, *([american] if len(number) in {14, 15} else []), list(number)]
    return [number, *(mark.join(groups) for mark in SEPARATORS for groups in grouped)]


@pytest.mark.parametrize("number", NUMBERS)
def test_card_number_is_found_however_it_is_written_and_whatever_is_around_it(number: str) -> None:
    missed = [text for form in forms(number) for text in AROUND if not holds_card_number(text.replace("{}", form))]
    assert not missed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4111111111111112",
        "411111111111",
        "2026-11-22",
        "2026-11-22T12:30:45.123456",
        "1764460800000",
        "2026112922301234",
        "1" * 20,
        "9111111111111111",
        "192.168.100.200",
        "a" * 31 + "f" + "4111111111111111",
    ],
)
def test_other_text_has_no_card_number(text: str) -> None:
    assert not holds_card_number(text)


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=1000)
def test_digest_is_no_card_number(digest: bytes) -> None:
    assert not holds_card_number(digest.hex()) or not set(digest.hex()) & set("abcdef")


@given(st.integers(0, 2**128 - 1))
@settings(max_examples=1000)
def test_uuid_is_no_card_number(number: int) -> None:
    assert not holds_card_number(str(UUID(int=number)))


def test_uuid_of_digits_is_no_card_number() -> None:
    texts = (f"{first:08d}-4111-1111-1111-{last:012d}" for first in range(100) for last in range(100))
    assert not any(holds_card_number(text) for text in texts)


def places() -> list[tuple[str, str, str, str]]:
    """Every string that the API's document lets a client send: operation, method, path, and where it stands."""
    found = []
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            given = [f"{one['in']} {one['name']}" for one in operation.get("parameters", ())]
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            members = document()["components"]["schemas"][body["$ref"].rpartition("/")[2]] if body else {}
            given += [f"body {name}" for name in members.get("properties", ())]
            found += [(operation["operationId"], method.upper(), path, place) for place in given]
    return found


def send(service: Running, method: str, path: str, place: str, text: str) -> httpx.Response:
    """A request that is valid but for a text at one place."""
    where, name = place.split()
    body = {"amount": 1000, "currency": "USD", "token": "tok_visa_1"} if path.endswith("/payments") else {"amount": 1}
    url = path.replace("{payment_id}", text if where == "path" else str(uuid4()))
    return service.client.request(
        method,
        url,
        params={name: text} if where == "query" else None,
        headers={**keyed(text if name == "Idempotency-Key" else None)},
        json={**body, **({name: text} if where == "body" else {})} if method == "POST" else None,
    )


@pytest.mark.parametrize("number", ["4111111111111111", "4111-1111-1111-1111", "tok4111111111111111"])
def test_service_takes_and_logs_no_card_number_wherever_it_stands(service: Running, number: str) -> None:
    tried = places()
    assert {"body token", "body reference", "header Idempotency-Key", "query cursor", "path payment_id"} <= {
        place for *_, place in tried
    }
    for operation, method, path, place in tried:
        if place.startswith("body amount"):
            continue  # an amount is no text, and has at most twelve digits
        response = send(service, method, path, place, number)
        assert response.status_code in {400, 404, 422}, (operation, place)
        assert number not in response.text, (operation, place)
    response = service.client.get("/api/v1/payments", headers={"X-Correlation-Id": number})
    assert number not in response.headers["X-Correlation-Id"]
    assert number not in service.log.read_text()


def test_uuid_is_no_card_number_whatever_its_digits_are() -> None:
    assert not holds_card_number("abcd4111-1111-1111-1111-abcdefabcdef")
    assert holds_card_number("abcd4111-1111-1111-1111")
