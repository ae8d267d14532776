"""Operations as they are processed: claimed, completed, or scheduled for a retry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from payments.repository.records import Claim, ClaimStatus, Connection, Operation, OperationDetails, PendingTotal
from payments.states import OperationKind, OperationStatus

COLUMNS = (
    "id, payment_id, kind, amount, status, correlation_id, attempts, tries, reason, created_at, completed_at, "
    "next_attempt_at, times_not_found, acquirer_key"
)
HOURS_BETWEEN_NOT_FOUND = 1
"""Answers that the acquirer has no record of an operation count once in so long."""
FinalStatus = Literal[OperationStatus.SUCCEEDED, OperationStatus.DECLINED, OperationStatus.FAILED]


def operation_of(row: Sequence[Any]) -> Operation:
    """The operation in a row of :data:`COLUMNS`."""
    values = list(row)
    values[2], values[4] = OperationKind(values[2]), OperationStatus(values[4])
    values[-1] = values[-1] or values[0]
    return Operation(*values)


def list_operations(connection: Connection, payment_id: UUID) -> list[Operation]:
    """All operations of a payment, oldest first."""
    query = f"SELECT {COLUMNS} FROM payments.operations WHERE payment_id = %s ORDER BY id"  # noqa: S608 - constants
    return [operation_of(row) for row in connection.execute(query, (payment_id,))]


def claim(connection: Connection, operation_id: UUID, duration: timedelta, *, to_look_up: bool = False) -> Claim | None:
    """Claim a pending operation for ``duration``.

    It counts as an attempt and as a try, unless it is claimed only ``to_look_up`` its decision: a process that ends
    without a word has tried. What turns out to be no try is given back by :func:`schedule_retry`.

    Returns:
        None where there is nothing to do now: the operation is completed, or another process holds the claim.
    """
    claim_id = uuid4()
    row = connection.execute(
        """
        UPDATE payments.operations AS operation
        SET claimed_by = %(claim)s, claimed_until = now() + %(duration)s,
            attempts = attempts + %(counts)s, tries = tries + %(counts)s,
            times_not_found = CASE %(counts)s WHEN 0 THEN times_not_found ELSE 0 END,
            not_found_at = CASE %(counts)s WHEN 0 THEN not_found_at END
        FROM payments.payments AS payment
        WHERE operation.id = %(operation)s AND operation.status = 'pending'
            AND (operation.claimed_until IS NULL OR operation.claimed_until < now())
            AND payment.id = operation.payment_id
        RETURNING operation.id, operation.payment_id, operation.kind, operation.amount, operation.status,
            operation.correlation_id, operation.attempts, operation.tries, operation.reason, operation.created_at,
            operation.completed_at, operation.next_attempt_at, operation.times_not_found, operation.acquirer_key,
            payment.currency, payment.token, payment.acquirer_reference
        """,
        {"claim": claim_id, "operation": operation_id, "duration": duration, "counts": int(not to_look_up)},
    ).fetchone()
    if row is None:
        return None
    *columns, currency, token, acquirer_reference = row
    return Claim(claim_id, operation_of(columns), currency, token, acquirer_reference)


def complete(
    connection: Connection,
    operation_id: UUID,
    status: FinalStatus,
    *,
    acquirer_reference: str | None = None,
    reason: str | None = None,
) -> bool:
    """Store the final status of an operation; the payment changes with it.

    No claim is needed: the acquirer's decision on an operation is the same, whichever process received it.

    Args:
        connection: to the database.
        operation_id: the operation.
        status: failed only for an operation that the acquirer has no record of, and that nobody will request again.
        acquirer_reference: the acquirer's name for the operation; required for one that succeeded.
        reason: why it was declined or failed, such as insufficient_funds.

    Returns:
        Whether this was the first final status. A second one is not stored.
    """
    return bool(
        connection.execute(
            """
            UPDATE payments.operations
            SET status = %s, acquirer_reference = %s, reason = %s, completed_at = now(),
                claimed_by = NULL, claimed_until = NULL, last_error = NULL
            WHERE id = %s AND status = 'pending'
            """,
            (status.value, acquirer_reference, reason, operation_id),
        ).rowcount
    )


def schedule_retry(connection: Connection, held: Claim, error: str, delay: timedelta, *, tried: bool = True) -> bool:
    """Release a claim without a decision: the operation is not overdue before ``delay`` has passed.

    Args:
        connection: to the database.
        held: the claim; where another process has taken over, nothing is stored.
        error: the cause in a word, with nothing of the request or the response in it.
        delay: until the next attempt.
        tried: whether it was a try: a request that could have charged, while the acquirer served others.

    Returns:
        Whether the claim was still held.
    """
    return bool(
        connection.execute(
            """
            UPDATE payments.operations
            SET claimed_by = NULL, claimed_until = NULL, last_error = %s, next_attempt_at = now() + %s,
                tries = tries - %s
            WHERE id = %s AND claimed_by = %s AND status = 'pending'
            """,
            (error, delay, int(not tried), held.operation.id, held.id),
        ).rowcount
    )


def schedule_look_up(
    connection: Connection, operation_id: UUID, error: str, delay: timedelta, *, not_found: bool = False
) -> None:
    """Release a claim that was made to look up a decision: it is looked up again after ``delay``.

    Args:
        connection: to the database.
        operation_id: the operation.
        error: the cause in a word.
        delay: until the next look-up.
        not_found: whether the acquirer has answered that it has no record of the operation.
    """
    connection.execute(
        """
        UPDATE payments.operations
        SET claimed_by = NULL, claimed_until = NULL, last_error = %(error)s, next_look_up_at = now() + %(delay)s,
            times_not_found = times_not_found + counts::integer,
            not_found_at = CASE WHEN counts THEN now() ELSE not_found_at END
        FROM (
            SELECT %(not_found)s AND (not_found_at IS NULL OR not_found_at <= now() - %(apart)s) AS counts
            FROM payments.operations WHERE id = %(operation)s
        ) AS answer
        WHERE id = %(operation)s AND status = 'pending'
        """,
        {
            "error": error,
            "delay": delay,
            "not_found": not_found,
            "apart": timedelta(hours=HOURS_BETWEEN_NOT_FOUND),
            "operation": operation_id,
        },
    )


def list_overdue(connection: Connection, min_age: timedelta, limit: int) -> list[Operation]:
    """Pending operations of at least an age whose next attempt and next look-up are due, longest due first.

    Operations with a valid claim are left out, and those whose message is still in the outbox.
    """
    rows = connection.execute(
        f"""
        SELECT {COLUMNS} FROM payments.operations AS operation
        WHERE status = 'pending' AND next_attempt_at < now() AND created_at < now() - %s
            AND (next_look_up_at IS NULL OR next_look_up_at < now())
            AND (claimed_until IS NULL OR claimed_until < now())
            AND NOT EXISTS (SELECT FROM payments.outbox AS message WHERE message.operation_id = operation.id)
        ORDER BY next_attempt_at LIMIT %s
        """,  # noqa: S608 - constants
        (min_age, limit),
    )
    return [operation_of(row) for row in rows]


def latest_succeeded(connection: Connection) -> tuple[Operation, str] | None:
    """An operation that the acquirer has performed lately, and its currency; None where there is none."""
    names = ", ".join(f"operation.{name.strip()}" for name in COLUMNS.split(","))
    row = connection.execute(
        f"""
        SELECT {names}, payment.currency
        FROM payments.operations AS operation JOIN payments.payments AS payment ON payment.id = operation.payment_id
        WHERE operation.status = 'succeeded' ORDER BY operation.id DESC LIMIT 1
        """  # noqa: S608 - constants
    ).fetchone()
    return (operation_of(row[:-1]), row[-1]) if row else None


def total_pending(connection: Connection) -> list[PendingTotal]:
    """All pending operations by currency: overdue or not, wherever their messages are."""
    rows = connection.execute(
        """
        SELECT payment.currency, count(*), sum(operation.amount)::bigint,
            extract(epoch FROM now() - min(operation.created_at))::float
        FROM payments.operations AS operation JOIN payments.payments AS payment ON payment.id = operation.payment_id
        WHERE operation.status = 'pending' GROUP BY payment.currency ORDER BY payment.currency
        """
    )
    return [PendingTotal(*row) for row in rows]


def get_claim_status(connection: Connection, operation_id: UUID) -> ClaimStatus | None:
    """The status and the claim of an operation; None where there is no such operation."""
    row = connection.execute(
        """
        SELECT status, coalesce(extract(epoch FROM claimed_until - now()), 0)::float FROM payments.operations
        WHERE id = %s
        """,
        (operation_id,),
    ).fetchone()
    return ClaimStatus(OperationStatus(row[0]), max(0.0, row[1])) if row else None


def get_details(connection: Connection, operation_ids: Sequence[UUID]) -> list[OperationDetails]:
    """The details of those of the operations that exist."""
    rows = connection.execute(
        """
        SELECT operation.id, kind, operation.amount, currency, operation.status,
            coalesce(reason, last_error, ''), attempts
        FROM payments.operations AS operation JOIN payments.payments AS payment ON payment.id = payment_id
        WHERE operation.id = ANY(%s)
        """,
        (list(operation_ids),),
    )
    return [
        OperationDetails(id_, OperationKind(kind), amount, currency, OperationStatus(status), reason, attempts)
        for id_, kind, amount, currency, status, reason, attempts in rows
    ]
