"""Card numbers are known when they are seen, and other numbers are left alone."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.cards import holds_card_number

pytestmark = [pytest.mark.requirement("Q1")]

# The numbers that card networks publish for tests.
NUMBERS = ["4111111111111111", "378282246310005", "5555555555554444", "6011111111111117", "4222222222222"]
GROUPED = ["4111 1111 1111 1111", "4111-1111-1111-1111", "3782 822463 10005", "4111.1111.1111.1111"]


@pytest.mark.parametrize("number", [*NUMBERS, *GROUPED])
def test_card_number_is_found(number: str) -> None:
    assert holds_card_number(number)
    assert holds_card_number(f"order/{number}")
    assert holds_card_number(f"tok_{number}_x")


@pytest.mark.parametrize("number", NUMBERS)
def test_card_number_after_a_hyphen_is_found(number: str) -> None:
    assert holds_card_number(f"order-{number}")


@pytest.mark.parametrize(
    "text", ["", "4111111111111112", "a4111111111111111", "4111111111111111b", "411111111111", "2026-11-22", "1" * 20]
)
def test_other_text_has_no_card_number(text: str) -> None:
    assert not holds_card_number(text)


@given(st.integers(0, 2**128 - 1))
@settings(max_examples=1000)
def test_uuid_is_no_card_number(number: int) -> None:
    assert not holds_card_number(str(UUID(int=number)))


def test_uuid_of_digits_is_no_card_number() -> None:
    texts = (f"{first:08d}-4111-1111-1111-{last:012d}" for first in range(100) for last in range(100))
    assert not any(holds_card_number(text) for text in texts)
