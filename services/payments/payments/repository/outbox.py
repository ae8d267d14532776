"""The outbox: operations whose messages are to be sent to the queue, written in the transaction that stores them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from payments.repository.records import Connection, OutboxMessage

CLAIM_SECONDS = 30
"""Longer than a call to the queue takes: of a publisher that has died, others send what it has claimed after that."""


def claim_outbox_messages(connection: Connection, limit: int) -> list[OutboxMessage]:
    """Claim the oldest messages of the outbox, in their order: for a while another publisher gets others."""
    rows = connection.execute(
        """
        UPDATE payments.outbox AS message SET claimed_until = now() + %s
        FROM payments.operations AS operation
        WHERE operation.id = message.operation_id AND message.id IN (
            SELECT id FROM payments.outbox WHERE claimed_until IS NULL OR claimed_until < now()
            ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
        )
        RETURNING message.id, operation.id, operation.payment_id, coalesce(operation.acquirer_key, operation.id),
            operation.correlation_id, message.trace, message.created_at
        """,
        (timedelta(seconds=CLAIM_SECONDS), limit),
    )
    return sorted((OutboxMessage(*row) for row in rows), key=lambda message: message.id)


def release_outbox_messages(connection: Connection, ids: Sequence[int]) -> None:
    """Give back claimed messages that the queue has not taken: they are sent with the next poll."""
    connection.execute("UPDATE payments.outbox SET claimed_until = NULL WHERE id = ANY(%s)", (list(ids),))


def delete_outbox_messages(connection: Connection, ids: Sequence[int]) -> None:
    """Delete messages that the queue has taken."""
    connection.execute("DELETE FROM payments.outbox WHERE id = ANY(%s)", (list(ids),))


def resend(connection: Connection, operation_id: UUID, delay: timedelta) -> None:
    """Put the message of a pending operation into the outbox again; the operation is overdue again after ``delay``."""
    connection.execute(
        """
        WITH operation AS (
            UPDATE payments.operations SET next_attempt_at = now() + %s
            WHERE id = %s AND status = 'pending' RETURNING id, merchant_id
        )
        INSERT INTO payments.outbox (merchant_id, operation_id, created_at) SELECT merchant_id, id, now() FROM operation
        """,
        (delay, operation_id),
    )
