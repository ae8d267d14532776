"""The SQL of the service's version before the migrations 0002 and 0003, which must go on working on their schema.

It is deleted with the migration that drops the columns state and settled_at.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg

from payments.identifiers import new_id

Connection = psycopg.Connection[Any]

INSERT_PAYMENT = """
WITH claimed AS (
    INSERT INTO payments.idempotency_keys (key, fingerprint, status, answer, created_at)
    VALUES (%(key)s, '', 202, '{}', %(at)s) ON CONFLICT (key) DO NOTHING RETURNING true
), payment AS (
    INSERT INTO payments.payments (id, amount, currency, token, reference, created_at, updated_at)
    SELECT %(payment)s, %(amount)s, 'EUR', 'tok_1', NULL, %(at)s, %(at)s FROM claimed RETURNING id
), operation AS (
    INSERT INTO payments.operations (id, payment_id, kind, amount, correlation_id, next_attempt_at, created_at)
    SELECT %(operation)s, id, %(kind)s, %(amount)s, 'c', %(at)s, %(at)s FROM payment RETURNING id
), letter AS (
    INSERT INTO payments.outbox (operation_id, trace, created_at) SELECT id, NULL, %(at)s FROM operation
)
SELECT id FROM operation
"""
INSERT_OPERATION = """
INSERT INTO payments.operations (id, payment_id, kind, amount, correlation_id, next_attempt_at, created_at)
VALUES (%s, %s, %s, %s, 'c', now(), now())
"""
CLAIM = """
UPDATE payments.operations AS operation
SET claimed_by = %s, claimed_until = now() + interval '1 minute', attempts = attempts + 1
FROM payments.payments AS payment
WHERE operation.id = %s AND operation.state = 'asked'
    AND (operation.claimed_until IS NULL OR operation.claimed_until < now()) AND payment.id = operation.payment_id
RETURNING operation.state, operation.settled_at, payment.token
"""
SETTLE = """
UPDATE payments.operations
SET state = %s, acquirer_reference = %s, reason = %s, settled_at = now(),
    claimed_by = NULL, claimed_until = NULL, last_error = NULL
WHERE id = %s AND state = 'asked'
"""


def accept(connection: Connection, kind: str = "sale", amount: int = 1000) -> tuple[UUID, UUID]:
    """Store a payment; returns its id and its operation's."""
    now = datetime.now(UTC)
    payment, operation = new_id(now), new_id(now)
    values = {
        "key": str(payment),
        "payment": payment,
        "operation": operation,
        "kind": kind,
        "amount": amount,
        "at": now,
    }
    assert connection.execute(INSERT_PAYMENT, values).fetchone() == (operation,)
    return payment, operation


def ask(connection: Connection, payment: UUID, kind: str, amount: int) -> UUID:
    """Store a later operation of a payment."""
    operation = new_id(datetime.now(UTC))
    connection.execute(INSERT_OPERATION, (operation, payment, kind, amount))
    return operation


def claim(connection: Connection, operation: UUID) -> tuple[Any, ...] | None:
    """Claim an operation; returns its state, settled_at, and the payment's token."""
    return connection.execute(CLAIM, (uuid4(), operation)).fetchone()


def settle(connection: Connection, operation: UUID, state: str) -> bool:
    """Store an operation's final state."""
    reference = "acq" if state == "succeeded" else None
    return bool(connection.execute(SETTLE, (state, reference, None, operation)).rowcount)


def states(connection: Connection, payment: UUID) -> tuple[str, list[str]]:
    """The states of a payment and of its operations."""
    query = "SELECT state FROM payments.payments WHERE id = %s"
    operations = "SELECT state FROM payments.operations WHERE payment_id = %s ORDER BY id"
    found = connection.execute(query, (payment,)).fetchone()
    assert found
    return found[0], [state for (state,) in connection.execute(operations, (payment,))]


def unsettled(connection: Connection) -> set[UUID]:
    """The operations that are due, as the reconciler of the version before finds them."""
    query = """
        SELECT id FROM payments.operations AS operation WHERE state = 'asked' AND next_attempt_at < now()
            AND (claimed_until IS NULL OR claimed_until < now())
    """
    return {id_ for (id_,) in connection.execute(query)}
