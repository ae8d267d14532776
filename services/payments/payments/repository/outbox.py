"""The outbox: operations whose messages are to be sent to the queue, written in the transaction that stores them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from payments.repository.records import Connection, OutboxMessage


def lock_outbox_messages(connection: Connection, limit: int) -> list[OutboxMessage]:
    """The oldest messages of the outbox, locked until the transaction ends: another publisher gets others."""
    rows = connection.execute(
        """
        SELECT message.id, operation.id, operation.payment_id, coalesce(operation.acquirer_key, operation.id),
            operation.correlation_id, message.trace, message.created_at
        FROM payments.outbox AS message JOIN payments.operations AS operation ON operation.id = message.operation_id
        ORDER BY message.id LIMIT %s FOR UPDATE OF message SKIP LOCKED
        """,
        (limit,),
    )
    return [OutboxMessage(*row) for row in rows]


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
