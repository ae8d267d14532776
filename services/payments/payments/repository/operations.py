"""Operations as they are processed: claimed, completed, or scheduled for a retry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from payments.repository.epochs import begin_epoch
from payments.repository.records import (
    Awaited,
    Claim,
    ClaimStatus,
    Connection,
    Operation,
    OperationDetails,
    PendingTotal,
)
from payments.states import ACQUIRER, OperationKind, OperationStatus

COLUMNS = (
    "id, payment_id, kind, amount, status, correlation_id, attempts, tries, reason, created_at, completed_at, "
    "next_attempt_at, times_not_found, requested_at, awaiting, acquirer, acquirer_key"
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


def claim(
    connection: Connection,
    operation_id: UUID,
    duration: timedelta,
    *,
    to_look_up: bool = False,
    acquirer: str = ACQUIRER,
) -> Claim | None:
    """Claim a pending operation for ``duration``, to request it from an acquirer or to look it up there.

    The acquirer is stored with the claim. Another one has no claim any more, until it is certain that the operation was
    not performed (:func:`schedule_retry`); nor for a later operation of a payment that another one has authorized.

    It counts as an attempt and as a try, unless it is claimed only ``to_look_up`` its decision: a process that ends
    without a word has tried. What turns out to be no try is given back by :func:`schedule_retry`.

    Returns:
        None where there is nothing to do now: the operation is completed, another process holds the claim, or it is
        another acquirer's.
    """
    claim_id = uuid4()
    row = connection.execute(
        """
        UPDATE payments.operations AS operation
        SET claimed_by = %(claim)s, claimed_until = now() + %(duration)s,
            attempts = attempts + %(counts)s, tries = tries + %(counts)s,
            acquirer = CASE %(counts)s WHEN 0 THEN operation.acquirer ELSE %(acquirer)s END,
            requested_at = CASE %(counts)s WHEN 0 THEN requested_at ELSE coalesce(requested_at, now()) END,
            times_not_found = CASE %(counts)s WHEN 0 THEN times_not_found ELSE 0 END,
            not_found_at = CASE %(counts)s WHEN 0 THEN not_found_at END
        FROM payments.payments AS payment
        WHERE operation.id = %(operation)s AND operation.status = 'pending'
            AND (operation.claimed_until IS NULL OR operation.claimed_until < now())
            AND payment.id = operation.payment_id
            AND (coalesce(operation.acquirer, (
                    SELECT first.acquirer FROM payments.operations AS first
                    WHERE first.payment_id = operation.payment_id AND first.kind IN ('authorization', 'sale')
                ), %(default)s) = %(acquirer)s
                OR (operation.acquirer IS NULL AND operation.requested_at IS NULL
                    AND operation.kind IN ('authorization', 'sale')))
        RETURNING operation.id, operation.payment_id, operation.kind, operation.amount, operation.status,
            operation.correlation_id, operation.attempts, operation.tries, operation.reason, operation.created_at,
            operation.completed_at, operation.next_attempt_at, operation.times_not_found,
            nullif(operation.requested_at, now()), operation.awaiting, operation.acquirer, operation.acquirer_key,
            payment.currency, payment.token, payment.acquirer_reference, now(),
            (SELECT max(began_at) FROM payments.epochs),
            (SELECT cause FROM payments.epochs ORDER BY began_at DESC LIMIT 1)
                IS DISTINCT FROM 'server of ' || extract(epoch FROM pg_postmaster_start_time()),
            EXISTS (
                SELECT FROM payments.acquirer_notifications AS note
                WHERE note.acquirer_key = operation.acquirer_key AND note.applied_at IS NULL
            )
        """,
        {
            "claim": claim_id,
            "operation": operation_id,
            "duration": duration,
            "counts": int(not to_look_up),
            "acquirer": acquirer,
            "default": ACQUIRER,
        },
    ).fetchone()
    if row is None:
        return None
    *columns, currency, token, reference, at, epoch, moved, notified = row
    if moved:
        epoch = begin_epoch(connection)
    operation, counted = operation_of(columns), not to_look_up
    return Claim(claim_id, operation, currency, token, reference, at, epoch, notified, counted)


def complete(
    connection: Connection,
    operation_id: UUID,
    status: FinalStatus,
    *,
    acquirer_reference: str | None = None,
    reason: str | None = None,
    expires_at: datetime | None = None,
    acquirer: str | None = None,
) -> bool:
    """Store the final status of an operation; the payment changes with it.

    No claim is needed: the acquirer's decision on an operation is the same, whichever process received it.

    Args:
        connection: to the database.
        operation_id: the operation.
        status: failed only for an operation that the acquirer has no record of, and that nobody will request again.
        acquirer_reference: the acquirer's name for the operation; required for one that succeeded.
        reason: why it was declined or failed, such as insufficient_funds.
        expires_at: when the acquirer releases an authorization that succeeded.
        acquirer: whose decision it is, for an operation that was requested in seconds that are lost.

    Returns:
        Whether this was the first final status. A second one is not stored.
    """
    return bool(
        connection.execute(
            """
            UPDATE payments.operations
            SET status = %s, acquirer_reference = %s, reason = %s, completed_at = now(),
                claimed_by = NULL, claimed_until = NULL, last_error = NULL,
                awaiting = NULL, next_action = NULL, decide_by = NULL,
                expires_at = CASE kind WHEN 'authorization' THEN %s::timestamptz END,
                acquirer = coalesce(acquirer, %s)
            WHERE id = %s AND status = 'pending'
            """,
            (status.value, acquirer_reference, reason, expires_at, acquirer, operation_id),
        ).rowcount
    )


def schedule_retry(
    connection: Connection,
    held: Claim,
    error: str,
    delay: timedelta,
    *,
    requested_at: datetime | None = None,
    tries: int | None = None,
) -> bool:
    """Release a claim without a decision: the operation is not overdue before ``delay`` has passed.

    An authorization or a sale that no acquirer may have performed, in this attempt or before, is nobody's again.

    Args:
        connection: to the database.
        held: the claim; where another process has taken over, nothing is stored.
        error: the cause in a word, with nothing of the request or the response in it.
        delay: until the next attempt.
        requested_at: since when the acquirer may have performed it; None where it has not.
        tries: how many tries there were, if this was none: a try is a request that could have charged, while the
            acquirer served others.

    Returns:
        Whether the claim was still held.
    """
    nobodys = held.counted and requested_at is None and held.may_be_known_since is None
    return bool(
        connection.execute(
            """
            UPDATE payments.operations
            SET claimed_by = NULL, claimed_until = NULL, last_error = %s, next_attempt_at = now() + %s,
                tries = coalesce(%s, tries), requested_at = %s,
                acquirer = CASE WHEN %s AND kind IN ('authorization', 'sale') THEN NULL ELSE acquirer END
            WHERE id = %s AND claimed_by = %s AND status = 'pending'
            """,
            (error, delay, tries, requested_at, nobodys, held.operation.id, held.id),
        ).rowcount
    )


def await_decision(connection: Connection, held: Claim, awaited: Awaited | None) -> bool:
    """Release a claim, as the acquirer has answered that it decides later: the operation is not requested again.

    Args:
        connection: to the database.
        held: the claim; where another process has taken over, nothing is stored.
        awaited: the answer; None where it was stored before.

    Returns:
        Whether the claim was still held.
    """
    action = Jsonb(awaited.next_action) if awaited and awaited.next_action else None
    return bool(
        connection.execute(
            """
            UPDATE payments.operations
            SET claimed_by = NULL, claimed_until = NULL, last_error = NULL, tries = tries - %(counted)s,
                awaiting = CASE WHEN %(new)s THEN %(whom)s ELSE awaiting END,
                next_action = CASE WHEN %(new)s THEN %(action)s ELSE next_action END,
                acquirer_reference = CASE WHEN %(new)s THEN %(reference)s ELSE acquirer_reference END,
                decide_by = CASE WHEN %(new)s AND awaiting IS DISTINCT FROM %(whom)s
                    THEN now() + %(within)s ELSE decide_by END
            WHERE id = %(operation)s AND claimed_by = %(claim)s AND status = 'pending'
            """,
            {
                "new": awaited is not None,
                "whom": awaited.whom if awaited else None,
                "action": action,
                "reference": awaited.acquirer_reference if awaited else None,
                "within": awaited.within if awaited else timedelta(0),
                "counted": int(held.counted),
                "operation": held.operation.id,
                "claim": held.id,
            },
        ).rowcount
    )


def expire_authorizations(connection: Connection, limit: int) -> int:
    """Let payments expire whose authorization the acquirer has released by now; returns how many.

    One with a pending capture or void is left until that is decided.
    """
    row = connection.execute(
        """
        WITH over AS (
            SELECT operation.id, payment.status = 'authorized' AS authorized
            FROM payments.operations AS operation
            JOIN payments.payments AS payment ON payment.id = operation.payment_id
            WHERE operation.expires_at < now() AND operation.expired_at IS NULL
                AND payment.status NOT IN ('capturing', 'voiding')
            ORDER BY operation.expires_at LIMIT %s FOR NO KEY UPDATE OF operation SKIP LOCKED
        ), changed AS (
            UPDATE payments.operations AS operation
            SET expired_at = CASE WHEN authorized THEN now() END,
                expires_at = CASE WHEN authorized THEN expires_at END
            FROM over WHERE over.id = operation.id
            RETURNING operation.expired_at
        )
        SELECT count(expired_at) FROM changed
        """,
        (limit,),
    ).fetchone()
    return int(row[0]) if row else 0


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


def latest_succeeded(connection: Connection, acquirer: str = ACQUIRER) -> tuple[Operation, str] | None:
    """An operation that an acquirer has performed lately, and its currency; None where there is none."""
    names = ", ".join(f"operation.{name.strip()}" for name in COLUMNS.split(","))
    row = connection.execute(
        f"""
        SELECT {names}, payment.currency
        FROM payments.operations AS operation JOIN payments.payments AS payment ON payment.id = operation.payment_id
        WHERE operation.status = 'succeeded' AND coalesce(operation.acquirer, %(default)s) = %(acquirer)s
        ORDER BY operation.id DESC LIMIT 1
        """,  # noqa: S608 - constants
        {"acquirer": acquirer, "default": ACQUIRER},
    ).fetchone()
    return (operation_of(row[:-1]), row[-1]) if row else None


def total_pending(connection: Connection) -> list[PendingTotal]:
    """All pending operations by currency: overdue or not, wherever their messages are.

    The age of what awaits the acquirer or the cardholder begins when its time is over.
    """
    rows = connection.execute(
        """
        SELECT payment.currency, count(*), sum(operation.amount)::bigint,
            coalesce(extract(epoch FROM now() - min(
                CASE WHEN decide_by > now() THEN NULL ELSE coalesce(decide_by, operation.created_at) END
            )), 0)::float
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


def was_claimed(connection: Connection, operation_id: UUID) -> bool:
    """Whether an operation was claimed before, and so may have been requested."""
    row = connection.execute("SELECT attempts > 0 FROM payments.operations WHERE id = %s", (operation_id,)).fetchone()
    return bool(row and row[0])


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
