"""Notifications of the acquirer: stored once by the API, applied by the processes that process operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from payments.acquirer.notifications import Notification, decision_of
from payments.acquirer.port import Approved
from payments.repository.operations import COLUMNS, operation_of
from payments.repository.records import Connection, Operation

NOTIFICATION = "event_id, acquirer_key, approved, reference, reason, expires_at, amount, currency"


@dataclass(frozen=True)
class Notified:
    """A notification that is not applied yet, and its operation with its currency, if the database has it."""

    notification: Notification
    operation: Operation | None
    currency: str | None


def receive_notification(connection: Connection, new: Notification) -> bool:
    """Store a notification, with a message by which its operation is processed; returns whether it is new."""
    approved = new.decision if isinstance(new.decision, Approved) else None
    row = connection.execute(
        "SELECT payments.receive_notification(%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            new.event_id,
            new.key,
            approved is not None,
            new.amount,
            new.currency,
            approved.reference if approved else None,
            None if isinstance(new.decision, Approved) else new.decision.reason,
            approved.expires_at if approved else None,
        ),
    ).fetchone()
    return bool(row and row[0])


def list_notified(
    connection: Connection, *, key: UUID | None = None, min_age: timedelta = timedelta(0), limit: int = 100
) -> list[Notified]:
    """Notifications that are not applied, oldest first: of one operation by its key, or of all."""
    names = ", ".join(f"operation.{name.strip()}" for name in COLUMNS.split(","))
    noted = ", ".join(f"note.{name.strip()}" for name in NOTIFICATION.split(","))
    rows = connection.execute(
        f"""
        SELECT {noted}, payment.currency, {names}
        FROM payments.acquirer_notifications AS note
        LEFT JOIN payments.operations AS operation ON operation.acquirer_key = note.acquirer_key
        LEFT JOIN payments.payments AS payment ON payment.id = operation.payment_id
        WHERE note.applied_at IS NULL AND (%(key)s::uuid IS NULL OR note.acquirer_key = %(key)s)
            AND note.received_at <= now() - %(age)s
        ORDER BY note.received_at LIMIT %(limit)s
        """,  # noqa: S608 - constants
        {"key": key, "age": min_age, "limit": limit},
    )
    return [_notified(row) for row in rows]


def _notified(row: Sequence[Any]) -> Notified:
    event_id, key, approved, reference, reason, expires_at, amount, currency, own_currency, *operation = row
    decision = decision_of(approved=approved, reference=reference, reason=reason, expires_at=expires_at)
    note = Notification(event_id=event_id, key=key, decision=decision, amount=amount, currency=currency)
    return Notified(note, operation_of(operation) if operation[0] else None, own_currency)


def mark_applied(connection: Connection, event_id: str) -> None:
    """A notification needs no more attention."""
    connection.execute("UPDATE payments.acquirer_notifications SET applied_at = now() WHERE event_id = %s", (event_id,))
