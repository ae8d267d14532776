"""What the API answers."""

from __future__ import annotations

import pytest

from tests.payments.support import Running

pytestmark = [pytest.mark.requirement("Q1")]


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
