"""Payments and operations as the API stores and reads them, each write under an idempotency key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from payments.identifiers import acquirer_key
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
    Requester,
    StatusConflict,
    StoredResponse,
)
from payments.states import PaymentStatus

COLUMNS = (
    "id, status, amount, currency, captured_amount, refunding_amount, refunded_amount, reference, "
    "created_at, updated_at, next_action, capture_before"
)

GET_PAYMENT = f"SELECT {COLUMNS} FROM payments.payments WHERE merchant_id = %s AND id = %s"  # noqa: S608 - constants
# The merchant is named in the row that all others come from: before any of them is checked, and by one statement.
INSERT_PAYMENT = """
WITH claimed AS (
    INSERT INTO payments.idempotency_keys
        (merchant_id, merchant_key, fingerprint, received, status, answer, created_at)
    SELECT %(merchant)s, %(key)s, %(fingerprint)s, %(received)s, %(response_status)s, %(response_body)s, %(at)s
    FROM set_config('payments.merchant', %(merchant)s::text, true) AS merchant,
         set_config('payments.source_address', %(address)s, true) AS source
    ON CONFLICT DO NOTHING
    RETURNING true
), payment AS (
    INSERT INTO payments.payments (id, merchant_id, amount, currency, token, reference, created_at, updated_at)
    SELECT %(payment)s, %(merchant)s, %(amount)s, %(currency)s, %(token)s, %(reference)s, %(at)s, %(at)s FROM claimed
    RETURNING id
), operation AS (
    INSERT INTO payments.operations
        (id, merchant_id, requested_by, payment_id, kind, amount, correlation_id, next_attempt_at, created_at,
         acquirer_key)
    SELECT
        %(operation)s, %(merchant)s, %(credential)s::uuid, id, %(kind)s, %(amount)s, %(correlation)s, %(at)s, %(at)s,
        %(acquirer_key)s
    FROM payment
    RETURNING id
), message AS (
    INSERT INTO payments.outbox (merchant_id, operation_id, trace, created_at)
    SELECT %(merchant)s, id, %(trace)s, %(at)s FROM operation
)
SELECT id FROM operation
"""

INSERT_OPERATION = """
WITH claimed AS (
    INSERT INTO payments.idempotency_keys
        (merchant_id, merchant_key, fingerprint, received, status, answer, created_at)
    SELECT %(merchant)s, %(key)s, %(fingerprint)s, %(received)s, %(response_status)s, %(response_body)s, %(at)s
    FROM set_config('payments.merchant', %(merchant)s::text, true) AS merchant,
         set_config('payments.source_address', %(address)s, true) AS source
    ON CONFLICT DO NOTHING
    RETURNING true
), operation AS (
    INSERT INTO payments.operations
        (id, merchant_id, requested_by, payment_id, kind, amount, correlation_id, next_attempt_at, created_at,
         acquirer_key)
    SELECT
        %(operation)s, %(merchant)s, %(credential)s::uuid, %(payment)s, %(kind)s, %(amount)s, %(correlation)s,
        %(at)s, %(at)s, %(acquirer_key)s
    FROM claimed
    RETURNING id
), message AS (
    INSERT INTO payments.outbox (merchant_id, operation_id, trace, created_at)
    SELECT %(merchant)s, id, %(trace)s, %(at)s FROM operation
)
SELECT id FROM operation
"""


def create_payment(
    connection: Connection, by: Requester, payment: NewPayment, key: IdempotencyKey, response: StoredResponse
) -> StoredResponse:
    """Store a payment with its first operation, the operation's outbox message, and the response to the key.

    Returns:
        ``response``; or the stored response to an earlier request with this key, and then nothing is stored.

    Raises:
        IdempotencyKeyReused: the key was used for another request.
    """
    values = {
        **_values(by, payment.first, key, response),
        "currency": payment.currency,
        "token": payment.token,
        "reference": payment.reference,
    }
    try:
        stored = connection.execute(INSERT_PAYMENT, values).fetchone()
    except psycopg.errors.UniqueViolation as error:
        raise _reuse(error) from None
    if stored:
        return response
    return _stored_response(connection, by.merchant_id, key)


def create_operation(
    connection: Connection, by: Requester, operation: NewOperation, key: IdempotencyKey, response: StoredResponse
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
        stored = connection.execute(INSERT_OPERATION, _values(by, operation, key, response)).fetchone()
    except psycopg.errors.UniqueViolation as error:
        raise _reuse(error) from None
    except psycopg.errors.CheckViolation as error:
        raise _rejection(error) from None
    return response if stored else _stored_response(connection, by.merchant_id, key)


def _values(by: Requester, operation: NewOperation, key: IdempotencyKey, response: StoredResponse) -> dict[str, Any]:
    return {
        "merchant": by.merchant_id,
        "credential": by.credential_id,
        "address": by.address or "",
        "key": key.key,
        "fingerprint": key.fingerprint,
        "received": key.received,
        "response_status": response.status,
        "response_body": response.body,
        "at": operation.created_at,
        "operation": operation.id,
        "payment": operation.payment_id,
        "kind": operation.kind.value,
        "amount": operation.amount,
        "correlation": operation.correlation_id,
        "trace": operation.trace,
        "acquirer_key": acquirer_key(by.merchant_id, operation.kind.value, key.key),
    }


def _reuse(error: psycopg.errors.UniqueViolation) -> Exception:
    """A key that was purged, and that the acquirer may still know: it would take the request for a repeat."""
    return IdempotencyKeyReused() if error.diag.constraint_name == "operations_acquirer_key" else error


def _rejection(error: psycopg.errors.CheckViolation) -> Exception:
    if error.diag.constraint_name == "operation_fits_state":
        return StatusConflict()
    if error.diag.constraint_name == "operation_fits_amount":
        return AmountTooLarge(int(error.diag.message_detail or 0))
    return error


def _stored_response(connection: Connection, merchant_id: UUID, key: IdempotencyKey) -> StoredResponse:
    """The response to an earlier request. Its row is committed: the insert waited for the transaction that wrote it."""
    query = """
        SELECT fingerprint, received, status, answer FROM payments.idempotency_keys
        WHERE merchant_id = %s AND merchant_key = %s
    """
    with of_merchant(connection, merchant_id):
        row = connection.execute(query, (merchant_id, key.key)).fetchone()
    if row is None:  # purged between the two statements
        raise psycopg.errors.SerializationFailure("the idempotency key has just been purged")
    fingerprint, received, status, body = row
    # Another version may understand the same request otherwise, and the version before knows only how it did.
    if fingerprint != key.fingerprint and (received is None or received != key.received):
        raise IdempotencyKeyReused
    return StoredResponse(status, body, replayed=True)


@contextmanager
def of_merchant(connection: Connection, merchant_id: UUID) -> Iterator[None]:
    """Read the rows of a merchant, and no others, until the end of the block.

    The setting that row-level security asks for ends with the transaction, so that a connection of a pool takes it to
    nobody else. It is sent together with the statement after it: a round trip, as without it.
    """
    with connection.pipeline():
        connection.execute("SELECT set_config('payments.merchant', %s, true)", (str(merchant_id),))
        yield


def get_payment(connection: Connection, merchant_id: UUID, payment_id: UUID) -> Payment | None:
    """The payment; None where the merchant has no such payment."""
    with of_merchant(connection, merchant_id):
        row = connection.execute(GET_PAYMENT, (merchant_id, payment_id)).fetchone()
    return _payment(row) if row else None


def get_payment_with_operations(
    connection: Connection, merchant_id: UUID, payment_id: UUID
) -> tuple[Payment, list[Operation]] | None:
    """The payment with all of its operations, read from one snapshot; None where the merchant has no such payment."""
    with connection.pipeline(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        with of_merchant(connection, merchant_id):
            row = connection.execute(GET_PAYMENT, (merchant_id, payment_id)).fetchone()
            return (_payment(row), list_operations(connection, payment_id)) if row else None


def list_payments(
    connection: Connection,
    merchant_id: UUID,
    *,
    before: UUID | None = None,
    status: PaymentStatus | None = None,
    limit: int,
) -> list[Payment]:
    """A merchant's payments, newest first: at most ``limit``, older than ``before`` and of one ``status`` if given."""
    conditions = ["merchant_id = %(merchant)s"]
    if before:
        conditions.append("id < %(before)s")
    if status:
        conditions.append("status = %(status)s")
    query = (
        f"SELECT {COLUMNS} FROM payments.payments "  # noqa: S608 - constants
        f"WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT %(limit)s"
    )
    values = {"merchant": merchant_id, "before": before, "status": status, "limit": limit}
    with of_merchant(connection, merchant_id):
        return [_payment(row) for row in connection.execute(query, values)]


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


def keep_audit_months(connection: Connection, months: int) -> int:
    """Make the partitions of audit events to come, and drop those that are over for ``months``; returns how many.

    Raises:
        psycopg.errors.CheckViolation: fewer than twelve months.
    """
    row = connection.execute("SELECT payments.keep_audit_months(%s)", (months,)).fetchone()
    return int(row[0]) if row else 0


def check_writable(connection: Connection) -> None:
    """Raise :class:`psycopg.Error` unless payments can be stored: the schema is there, and the instance is a writer."""
    row = connection.execute("SELECT pg_is_in_recovery() FROM payments.transitions LIMIT 1").fetchone()
    if row != (False,):
        raise psycopg.errors.ReadOnlySqlTransaction("the instance is read-only")
