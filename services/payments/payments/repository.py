"""What is stored, as plain functions of a connection: the API uses them, and the functions that process payments.

A function that writes does all of it in one transaction of its own, unless the caller has begun one. What the state of
a payment does not allow, the database refuses (:mod:`payments.migrations`), however many ask at once.

Errors of the database pass through as :class:`psycopg.Error`; a lost connection among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import psycopg

from payments.states import Kind, Progress, State

Connection = psycopg.Connection[Any]


class StateConflict(Exception):
    """The payment's state does not allow the operation."""


class AmountTooLarge(Exception):
    """The amount is more than the payment allows; ``most`` is what it does allow, in minor units."""

    def __init__(self, most: int) -> None:
        super().__init__(f"at most {most}")
        self.most = most


class KeyReused(Exception):
    """The idempotency key belongs to another request."""


@dataclass(frozen=True)
class Payment:
    """A payment as it is stored. Amounts are in minor units of the currency."""

    id: UUID
    state: State
    amount: int
    currency: str
    captured_amount: int
    refunding_amount: int
    """Refunds that are asked for and not answered yet."""
    refunded_amount: int
    reference: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Operation:
    """Something that is asked of the acquirer, as it is stored. Its id is the acquirer's idempotency key, too."""

    id: UUID
    payment_id: UUID
    kind: Kind
    amount: int
    state: Progress
    correlation_id: str
    attempts: int
    """How often the acquirer was, or may have been, called."""
    reason: str | None
    """Of a refusal, such as insufficient_funds."""
    created_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True)
class Claim:
    """The right to call the acquirer for an operation until it ends, and what that takes."""

    id: UUID
    """Goes with what is written under this claim: a claim that has passed to another writes nothing."""
    operation: Operation
    currency: str
    token: str | None
    """What stands for the card; only for an authorization or a sale."""
    acquirer_reference: str | None
    """What the acquirer calls the payment; only after an authorization or a sale."""


@dataclass(frozen=True)
class Standing:
    """Where an operation stands, and for how many seconds more somebody holds the claim to it."""

    progress: Progress
    claimed_seconds: float


@dataclass(frozen=True)
class AtRisk:
    """Operations of one currency that have no answer: how many, and their amounts in minor units."""

    currency: str
    operations: int
    amount: int


@dataclass(frozen=True)
class Key:
    """An idempotency key with the SHA-256 of the request that it came with."""

    key: str
    fingerprint: bytes


@dataclass(frozen=True)
class Answer:
    """What a request was answered: status and body."""

    status: int
    body: str


@dataclass(frozen=True)
class Letter:
    """A row of the outbox: an operation that is to be sent to the queue."""

    id: int
    operation_id: UUID
    payment_id: UUID
    correlation_id: str
    trace: str | None
    """W3C traceparent of the request that asked for it."""
    created_at: datetime


PAYMENT_COLUMNS = (
    "id, state, amount, currency, captured_amount, refunding_amount, refunded_amount, reference, created_at, updated_at"
)
OPERATION_COLUMNS = "id, payment_id, kind, amount, state, correlation_id, attempts, reason, created_at, settled_at"

INSERT_PAYMENT = """
WITH claimed AS (
    INSERT INTO payments.idempotency_keys (key, fingerprint, status, answer, created_at)
    VALUES (%(key)s, %(fingerprint)s, %(status)s, %(answer)s, %(at)s)
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
), letter AS (
    INSERT INTO payments.outbox (operation_id, trace, created_at)
    SELECT id, %(trace)s, %(at)s FROM operation
)
SELECT id FROM operation
"""

INSERT_OPERATION = """
WITH claimed AS (
    INSERT INTO payments.idempotency_keys (key, fingerprint, status, answer, created_at)
    VALUES (%(key)s, %(fingerprint)s, %(status)s, %(answer)s, %(at)s)
    ON CONFLICT (key) DO NOTHING
    RETURNING true
), operation AS (
    INSERT INTO payments.operations (id, payment_id, kind, amount, correlation_id, next_attempt_at, created_at)
    SELECT %(operation)s, %(payment)s, %(kind)s, %(amount)s, %(correlation)s, %(at)s, %(at)s FROM claimed
    RETURNING id
), letter AS (
    INSERT INTO payments.outbox (operation_id, trace, created_at)
    SELECT id, %(trace)s, %(at)s FROM operation
)
SELECT id FROM operation
"""


@dataclass(frozen=True)
class NewOperation:
    """An operation that is to be asked of the acquirer."""

    id: UUID
    payment_id: UUID
    kind: Kind
    amount: int
    correlation_id: str
    created_at: datetime
    trace: str | None = None


@dataclass(frozen=True)
class NewPayment:
    """A payment that is to be taken. Its first operation is an authorization, or a sale, of the same amount."""

    currency: str
    token: str
    reference: str | None
    first: NewOperation


def accept(connection: Connection, payment: NewPayment, key: Key, answer: Answer) -> Answer:
    """Store a payment with its first operation, its letter to the queue and the answer that the key gets from now on.

    Returns:
        ``answer``; or what the same request was answered before, and then nothing is stored.

    Raises:
        KeyReused: another request came with this key.
    """
    values = {
        **_values(payment.first, key, answer),
        "currency": payment.currency,
        "token": payment.token,
        "reference": payment.reference,
    }
    if connection.execute(INSERT_PAYMENT, values).fetchone():
        return answer
    return _earlier_answer(connection, key)


def ask(connection: Connection, operation: NewOperation, key: Key, answer: Answer) -> Answer:
    """Store a capture, a void or a refund with its letter to the queue and the answer that the key gets from now on.

    Returns:
        ``answer``; or what the same request was answered before, and then nothing is stored.

    Raises:
        KeyReused: another request came with this key.
        StateConflict: the payment's state does not allow it.
        AmountTooLarge: it is more than was authorized (capture), or than is left of what was captured (refund).
    """
    try:
        stored = connection.execute(INSERT_OPERATION, _values(operation, key, answer)).fetchone()
    except psycopg.errors.CheckViolation as error:
        raise _refusal(error) from None
    return answer if stored else _earlier_answer(connection, key)


def _values(operation: NewOperation, key: Key, answer: Answer) -> dict[str, Any]:
    return {
        "key": key.key,
        "fingerprint": key.fingerprint,
        "status": answer.status,
        "answer": answer.body,
        "at": operation.created_at,
        "operation": operation.id,
        "payment": operation.payment_id,
        "kind": operation.kind.value,
        "amount": operation.amount,
        "correlation": operation.correlation_id,
        "trace": operation.trace,
    }


def _refusal(error: psycopg.errors.CheckViolation) -> Exception:
    if error.diag.constraint_name == "operation_fits_state":
        return StateConflict()
    if error.diag.constraint_name == "operation_fits_amount":
        return AmountTooLarge(int(error.diag.message_detail or 0))
    return error


def _earlier_answer(connection: Connection, key: Key) -> Answer:
    """The key's row is there to be read: the insert waited for whoever was writing it."""
    row = connection.execute(
        "SELECT fingerprint, status, answer FROM payments.idempotency_keys WHERE key = %s", (key.key,)
    ).fetchone()
    if row is None:  # purged in this very moment
        raise psycopg.errors.SerializationFailure("the idempotency key has just been purged")
    fingerprint, status, body = row
    if fingerprint != key.fingerprint:
        raise KeyReused
    return Answer(status, body)


def payment(connection: Connection, payment_id: UUID) -> Payment | None:
    """The payment, if there is one."""
    query = f"SELECT {PAYMENT_COLUMNS} FROM payments.payments WHERE id = %s"  # noqa: S608 - a constant
    row = connection.execute(query, (payment_id,)).fetchone()
    return _payment(row) if row else None


def payment_in_detail(connection: Connection, payment_id: UUID) -> tuple[Payment, list[Operation]] | None:
    """The payment with all of its operations, as they were in the same moment."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        found = payment(connection, payment_id)
        return (found, operations(connection, payment_id)) if found else None


def operations(connection: Connection, payment_id: UUID) -> list[Operation]:
    """All operations of a payment, the oldest first."""
    query = f"SELECT {OPERATION_COLUMNS} FROM payments.operations WHERE payment_id = %s ORDER BY id"  # noqa: S608
    return [_operation(row) for row in connection.execute(query, (payment_id,))]


def payments(
    connection: Connection, *, before: UUID | None = None, state: State | None = None, limit: int
) -> list[Payment]:
    """Payments, the newest first: at most ``limit`` that are older than ``before``, of one state or of all."""
    conditions = ["true"]
    if before:
        conditions.append("id < %(before)s")
    if state:
        conditions.append("state = %(state)s")
    query = (
        f"SELECT {PAYMENT_COLUMNS} FROM payments.payments "  # noqa: S608 - constants
        f"WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT %(limit)s"
    )
    return [_payment(row) for row in connection.execute(query, {"before": before, "state": state, "limit": limit})]


def _payment(row: Sequence[Any]) -> Payment:
    return Payment(row[0], State(row[1]), *row[2:])


def _operation(row: Sequence[Any]) -> Operation:
    return Operation(row[0], row[1], Kind(row[2]), row[3], Progress(row[4]), *row[5:])


def letters(connection: Connection, limit: int) -> list[Letter]:
    """The oldest of the outbox, locked until the transaction ends: another publisher gets others."""
    rows = connection.execute(
        """
        SELECT letter.id, operation.id, operation.payment_id, operation.correlation_id, letter.trace, letter.created_at
        FROM payments.outbox AS letter JOIN payments.operations AS operation ON operation.id = letter.operation_id
        ORDER BY letter.id LIMIT %s FOR UPDATE OF letter SKIP LOCKED
        """,
        (limit,),
    )
    return [Letter(*row) for row in rows]


def sent(connection: Connection, ids: Sequence[int]) -> None:
    """Delete letters that the queue has."""
    connection.execute("DELETE FROM payments.outbox WHERE id = ANY(%s)", (list(ids),))


def purge_keys(connection: Connection, older_than: timedelta, limit: int) -> int:
    """Forget idempotency keys of a certain age, at most ``limit``; returns how many there were."""
    return connection.execute(
        """
        DELETE FROM payments.idempotency_keys WHERE key IN (
            SELECT key FROM payments.idempotency_keys WHERE created_at < now() - %s
            ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED
        )
        """,
        (older_than, limit),
    ).rowcount


def claim(connection: Connection, operation_id: UUID, duration: timedelta) -> Claim | None:
    """The right to call the acquirer for an operation, for so long; it counts as an attempt.

    Returns:
        Nothing where there is nothing to do now: it is answered, or another is at it.
    """
    claim_id = uuid4()
    row = connection.execute(
        """
        UPDATE payments.operations AS operation
        SET claimed_by = %(claim)s, claimed_until = now() + %(duration)s, attempts = attempts + 1
        FROM payments.payments AS payment
        WHERE operation.id = %(operation)s AND operation.state = 'asked'
            AND (operation.claimed_until IS NULL OR operation.claimed_until < now())
            AND payment.id = operation.payment_id
        RETURNING operation.id, operation.payment_id, operation.kind, operation.amount, operation.state,
            operation.correlation_id, operation.attempts, operation.reason, operation.created_at, operation.settled_at,
            payment.currency, payment.token, payment.acquirer_reference
        """,
        {"claim": claim_id, "operation": operation_id, "duration": duration},
    ).fetchone()
    if row is None:
        return None
    *columns, currency, token, acquirer_reference = row
    return Claim(claim_id, _operation(columns), currency, token, acquirer_reference)


def settle(
    connection: Connection,
    operation_id: UUID,
    outcome: Literal[Progress.SUCCEEDED, Progress.REFUSED, Progress.FAILED],
    *,
    acquirer_reference: str | None = None,
    reason: str | None = None,
) -> bool:
    """Store what the acquirer has answered; the payment moves with it.

    No claim is needed: the acquirer's word on an operation is the same, whoever brings it.

    Args:
        connection: to the database.
        operation_id: what was asked.
        outcome: failed is for what the acquirer does not know of, and nobody will ask again.
        acquirer_reference: what the acquirer calls it; needed for what succeeded.
        reason: of a refusal or failure, such as insufficient_funds.

    Returns:
        Whether this was the first answer. Of a second, nothing is stored.
    """
    return bool(
        connection.execute(
            """
            UPDATE payments.operations
            SET state = %s, acquirer_reference = %s, reason = %s, settled_at = now(),
                claimed_by = NULL, claimed_until = NULL, last_error = NULL
            WHERE id = %s AND state = 'asked'
            """,
            (outcome.value, acquirer_reference, reason, operation_id),
        ).rowcount
    )


def postpone(connection: Connection, held: Claim, error: str, delay: timedelta) -> bool:
    """Give a claim back without an answer: the acquirer is not to be called again before ``delay`` has passed.

    Args:
        connection: to the database.
        held: the claim; if it has passed to another meanwhile, nothing is stored.
        error: what went wrong, in a word, without anything of the request or the answer.
        delay: until the next attempt.

    Returns:
        Whether the claim was still held.
    """
    return bool(
        connection.execute(
            """
            UPDATE payments.operations
            SET claimed_by = NULL, claimed_until = NULL, last_error = %s, next_attempt_at = now() + %s
            WHERE id = %s AND claimed_by = %s AND state = 'asked'
            """,
            (error, delay, held.operation.id, held.id),
        ).rowcount
    )


def unsettled(connection: Connection, asked_before: timedelta, limit: int) -> list[Operation]:
    """Operations that are due, have no answer and were asked for so long ago; the longest due first.

    Those that are being called for now are left out, and those whose letter has not been sent yet.
    """
    rows = connection.execute(
        f"""
        SELECT {OPERATION_COLUMNS} FROM payments.operations AS operation
        WHERE state = 'asked' AND next_attempt_at < now() AND created_at < now() - %s
            AND (claimed_until IS NULL OR claimed_until < now())
            AND NOT EXISTS (SELECT FROM payments.outbox AS letter WHERE letter.operation_id = operation.id)
        ORDER BY next_attempt_at LIMIT %s
        """,  # noqa: S608 - constants
        (asked_before, limit),
    )
    return [_operation(row) for row in rows]


def at_risk(connection: Connection) -> list[AtRisk]:
    """What has no answer yet, by currency: all of it, due or not, wherever its messages are."""
    rows = connection.execute(
        """
        SELECT payment.currency, count(*), sum(operation.amount)::bigint
        FROM payments.operations AS operation JOIN payments.payments AS payment ON payment.id = operation.payment_id
        WHERE operation.state = 'asked' GROUP BY payment.currency ORDER BY payment.currency
        """
    )
    return [AtRisk(*row) for row in rows]


def standing(connection: Connection, operation_id: UUID) -> Standing | None:
    """How an operation stands, if there is one."""
    row = connection.execute(
        """
        SELECT state, coalesce(extract(epoch FROM claimed_until - now()), 0)::float FROM payments.operations
        WHERE id = %s
        """,
        (operation_id,),
    ).fetchone()
    return Standing(Progress(row[0]), max(0.0, row[1])) if row else None


def send_again(connection: Connection, operation_id: UUID, delay: timedelta) -> None:
    """Put an operation into the outbox once more; it is not due again before ``delay`` has passed."""
    connection.execute(
        """
        WITH operation AS (
            UPDATE payments.operations SET next_attempt_at = now() + %s WHERE id = %s AND state = 'asked' RETURNING id
        )
        INSERT INTO payments.outbox (operation_id, created_at) SELECT id, now() FROM operation
        """,
        (delay, operation_id),
    )


def check(connection: Connection) -> None:
    """Raises :class:`psycopg.Error` if payments cannot be stored: nobody is there, or it is no writer's database."""
    row = connection.execute("SELECT pg_is_in_recovery() FROM payments.transitions LIMIT 1").fetchone()
    if row != (False,):
        raise psycopg.errors.ReadOnlySqlTransaction("the database takes no writes")


def unpublished(connection: Connection) -> int:
    """How many letters wait in the outbox."""
    row = connection.execute("SELECT count(*) FROM payments.outbox").fetchone()
    return int(row[0]) if row else 0
