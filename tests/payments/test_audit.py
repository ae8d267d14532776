"""Audit events: every change of an operation, a merchant and a credential, by whom, and for good (Q3)."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from payments import repository
from payments.api_keys import KeyMode, Peppers
from payments.identifiers import new_id
from payments.merchants import Merchants
from payments.repository import IdempotencyKey, NewOperation, NewPayment, Requester, StoredResponse
from payments.repository.credentials import note_use
from payments.scopes import Scope
from payments.states import OperationKind, OperationStatus
from tests.payments import version_before
from tests.payments.conftest import Platform, Start
from tests.payments.support import keyed
from tests.payments.test_credentials import PEPPER, Secret

pytestmark = [pytest.mark.requirement("Q3")]

MINUTE = timedelta(minutes=1)


@pytest.fixture
def merchants(connection: psycopg.Connection[Any]) -> Merchants:
    secret = Secret({"current": "a", "peppers": {"a": PEPPER}})
    return Merchants(connection, Peppers("secret", region="us-east-2", client=secret), KeyMode.TEST)


def events(connection: psycopg.Connection[Any], object_id: UUID) -> list[str]:
    query = "SELECT action FROM payments.audit_events WHERE object_id = %s ORDER BY id"
    return [action for (action,) in connection.execute(query, (object_id,))]


def test_each_status_of_an_operation_and_its_requester_is_audited(
    connection: psycopg.Connection[Any], merchants: Merchants
) -> None:
    merchant = merchants.make(f"audited-{secrets.token_hex(4)}")
    credential, _ = merchants.create_key(merchant.id, [Scope.PAYMENTS_WRITE])
    now = datetime.now(UTC)
    first = NewOperation(new_id(now), new_id(now), OperationKind.SALE, 1000, "correlation-1", now)
    repository.create_payment(
        connection,
        Requester(merchant.id, credential.id, "2001:db8::1"),
        NewPayment("EUR", "tok_1", None, first),
        IdempotencyKey(secrets.token_hex(8), b""),
        StoredResponse(202, "{}"),
    )
    assert repository.claim(connection, first.id, MINUTE)  # which is no change of its status
    repository.complete(connection, first.id, OperationStatus.SUCCEEDED, acquirer_reference="acq")
    query = """
        SELECT merchant_id, credential_id, action, payment_id, correlation_id, login, host(source_address)
        FROM payments.audit_events WHERE object_id = %s ORDER BY id
    """
    asked, answered = connection.execute(query, (first.id,)).fetchall()
    assert asked == (
        merchant.id,
        credential.id,
        "sale.pending",
        first.payment_id,
        "correlation-1",
        "postgres",
        "2001:db8::1",
    )
    assert answered[6] is None
    assert answered[:3] == (merchant.id, None, "sale.succeeded")


def test_changes_of_merchants_and_credentials_are_audited(
    connection: psycopg.Connection[Any], merchants: Merchants
) -> None:
    merchant = merchants.make(f"audited-{secrets.token_hex(4)}")
    credential, _ = merchants.create_key(merchant.id, [Scope.PAYMENTS_READ])
    note_use(connection, credential.id)  # which is none
    merchants.rotate_key(credential.identifier, MINUTE)
    merchants.revoke_key(credential.identifier)
    assert events(connection, merchant.id) == ["merchant.created"]
    assert events(connection, credential.id) == ["credential.created", "credential.changed", "credential.revoked"]


def test_writes_of_the_previous_version_are_audited(connection: psycopg.Connection[Any]) -> None:
    _, operation = version_before.accept(connection)
    version_before.settle(connection, operation, "refused")
    assert events(connection, operation) == ["sale.pending", "sale.declined"]


def test_event_of_a_request_has_the_address_that_the_edge_saw(service_platform: Platform, start: Start) -> None:
    """Behind one trusted proxy: what a client writes into the header itself comes before, and is not believed."""
    running = start(service_platform, PUBLISHES="false")
    payment = running.client.post(
        "/api/v1/payments",
        json={"amount": 1000, "currency": "USD", "token": "tok_visa_1"},
        headers={**keyed(), "X-Forwarded-For": "203.0.113.9, 198.51.100.7"},
    ).json()["id"]
    without = running.create().json()["id"]
    query = "SELECT host(source_address) FROM payments.audit_events WHERE payment_id = %s"
    with service_platform.database.connect() as owner:
        found = [owner.execute(query, (one,)).fetchall() for one in (payment, without)]
    assert found == [[("198.51.100.7",)], [("127.0.0.1",)]]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payments.audit_events SET action = 'nothing'",
        "DELETE FROM payments.audit_events",
        "TRUNCATE payments.audit_events",
    ],
)
def test_audit_event_cannot_be_changed_or_deleted_even_by_the_owner(
    connection: psycopg.Connection[Any], statement: str
) -> None:
    version_before.accept(connection)
    with pytest.raises(psycopg.errors.CheckViolation, match="neither changed nor deleted"):
        connection.execute(statement)
    assert connection.execute("SELECT count(*) > 0 FROM payments.audit_events").fetchone() == (True,)
