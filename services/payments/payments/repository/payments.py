"""Payments and operations as the API stores and reads them, each write under an idempotency key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from payments.repository.operations import list_operations
from payments.repository.records import (
    AmountTooLarge,
    Connection,
    IdempotencyKey,
    IdempotencyKeyReused,
    NewOperation,
    NewPayment,
    Operation,
    Payment,
    StatusConflict,
    StoredResponse,
)
from payments.states import PaymentStatus

COLUMNS = (
    "id, status, amount, currency, captured_amount, refunding_amount, refunded_amount, reference, "
    "created_at, updated_at"
)

INSERT_PAYMENT = """
WITH claimed AS (
    INSERT INTO payments.idempotency_keys (key, fingerprint, status, answer, created_at)
    VALUES (%(key)s, %(fingerprint)s, %(response_status)s, %(response_body)s, %(at)s)
    ON CONFLICT (key) DO NOTHING
    RETURNING true
), payment AS (
    INSERT INTO payments.payments (id, amount, currency, token, reference, created_at, updated_at)
    SELECT %(payment)s, %(amount)s, %(currency)s, %(token)s, %(reference)s, %(at)s, %(at)s FROM claimed
    RETURNING id
), operation AS (
    INSERT INTO payments.operations (id, payment_id, kind, amount, correlation_id, next_attempt_at, created_at)
    SELECT %(operation)s, id, %(kind)s, %(amount)s, %(correlation)s, %(at)s, %(at)s FROM payment
    RETURNING id
), message AS (
    INSERT INTO payments.outbox (operation_id, trace, created_at)
    SELECT id, %(trace)s, %(at)s FROM operation
)
SELECT id FROM operation
"""

INSERT_OPERATION = """
WITH claimed AS (
    INSERT INTO payments.idempotency_keys (key, fingerprint, status, answer, created_at)
    VALUES (%(key)s, %(fingerprint)s, %(response_status)s, %(response_body)s, %(at)s)
    ON CONFLICT (key) DO NOTHING
    RETURNING true
), operation AS (
    INSERT INTO payments.operations (id, payment_id, kind, amount, correlation_id, next_attempt_at, created_at)
    SELECT %(operation)s, %(payment)s, %(kind)s, %(amount)s, %(correlation)s, %(at)s, %(at)s FROM claimed
    RETURNING id
), message AS (
    INSERT INTO payments.outbox (operation_id, trace, created_at)
    SELECT id, %(trace)s, %(at)s FROM operation
)
SELECT id FROM operation
"""


def create_payment(
    connection: Connection, payment: NewPayment, key: IdempotencyKey, response: StoredResponse
) -> StoredResponse:
    """Store a payment with its first operation, the operation's outbox message, and the response to the key.

    Returns:
        ``response``; or the stored response to an earlier request with this key, and then nothing is stored.

    Raises:
        IdempotencyKeyReused: the key was used for another request.
    """
    values = {
        **_values(payment.first, key, response),
        "currency": payment.currency,
        "token": payment.token,
        "reference": payment.reference,
    }
    if connection.execute(INSERT_PAYMENT, values).fetchone():
        return response
    return _stored_response(connection, key)


def create_operation(
    connection: Connection, operation: NewOperation, key: IdempotencyKey, response: StoredResponse
) -> StoredResponse:
    """Store a capture, a void or a refund with its outbox message and the response to the key.

    Returns:
        ``response``; or the stored response to an earlier request with this key, and then nothing is stored.

    Raises:
        IdempotencyKeyReused: the key was used for another request.
        StatusConflict: the payment's status does not allow the operation.
        AmountTooLarge: it exceeds the authorized amount (capture), or what is left of the captured amount (refund).
    """
    try:
        stored = connection.execute(INSERT_OPERATION, _values(operation, key, response)).fetchone()
    except psycopg.errors.CheckViolation as error:
        raise _rejection(error) from None
    return response if stored else _stored_response(connection, key)


def _values(operation: NewOperation, key: IdempotencyKey, response: StoredResponse) -> dict[str, Any]:
    return {
        "key": key.key,
        "fingerprint": key.fingerprint,
        "response_status": response.status,
        "response_body": response.body,
        "at": operation.created_at,
        "operation": operation.id,
        "payment": operation.payment_id,
        "kind": operation.kind.value,
        "amount": operation.amount,
        "correlation": operation.correlation_id,
        "trace": operation.trace,
    }


def _rejection(error: psycopg.errors.CheckViolation) -> Exception:
    if error.diag.constraint_name == "operation_fits_state":
        return StatusConflict()
    if error.diag.constraint_name == "operation_fits_amount":
        return AmountTooLarge(int(error.diag.message_detail or 0))
    return error


def _stored_response(connection: Connection, key: IdempotencyKey) -> StoredResponse:
    """The response to an earlier request. Its row is committed: the insert waited for the transaction that wrote it."""
    row = connection.execute(
        "SELECT fingerprint, status, answer FROM payments.idempotency_keys WHERE key = %s", (key.key,)
    ).fetchone()
    if row is None:  # purged between the two statements
        raise psycopg.errors.SerializationFailure("the idempotency key has just been purged")
    fingerprint, status, body = row
    if fingerprint != key.fingerprint:
        raise IdempotencyKeyReused
    return StoredResponse(status, body)


def get_payment(connection: Connection, payment_id: UUID) -> Payment | None:
    """The payment; None where there is no such payment."""
    query = f"SELECT {COLUMNS} FROM payments.payments WHERE id = %s"  # noqa: S608 - a constant
    row = connection.execute(query, (payment_id,)).fetchone()
    return _payment(row) if row else None


def get_payment_with_operations(connection: Connection, payment_id: UUID) -> tuple[Payment, list[Operation]] | None:
    """The payment with all of its operations, read from one snapshot."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        found = get_payment(connection, payment_id)
        return (found, list_operations(connection, payment_id)) if found else None


def list_payments(
    connection: Connection, *, before: UUID | None = None, status: PaymentStatus | None = None, limit: int
) -> list[Payment]:
    """Payments, newest first: at most ``limit``, older than ``before`` if given, of one status if given."""
    conditions = ["true"]
    if before:
        conditions.append("id < %(before)s")
    if status:
        conditions.append("status = %(status)s")
    query = (
        f"SELECT {COLUMNS} FROM payments.payments "  # noqa: S608 - constants
        f"WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT %(limit)s"
    )
    return [_payment(row) for row in connection.execute(query, {"before": before, "status": status, "limit": limit})]


def _payment(row: Sequence[Any]) -> Payment:
    return Payment(row[0], PaymentStatus(row[1]), *row[2:])


def purge_idempotency_keys(connection: Connection, older_than: timedelta, limit: int) -> int:
    """Delete idempotency keys older than an age, at most ``limit``; returns how many were deleted."""
    return connection.execute(
        """
        DELETE FROM payments.idempotency_keys WHERE key IN (
            SELECT key FROM payments.idempotency_keys WHERE created_at < now() - %s
            ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED
        )
        """,
        (older_than, limit),
    ).rowcount


def check_writable(connection: Connection) -> None:
    """Raise :class:`psycopg.Error` unless payments can be stored: the schema is there, and the instance is a writer."""
    row = connection.execute("SELECT pg_is_in_recovery() FROM payments.transitions LIMIT 1").fetchone()
    if row != (False,):
        raise psycopg.errors.ReadOnlySqlTransaction("the instance is read-only")
