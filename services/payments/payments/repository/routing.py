"""What an operation is routed by: to the acquirer that may know it, or else by what is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.repository.epochs import last_epoch
from payments.repository.records import Connection
from payments.states import ACQUIRER, OperationKind


@dataclass(frozen=True)
class Routed:
    """A pending operation, as far as it is routed. The amount is in minor units of the currency."""

    kind: OperationKind
    amount: int
    currency: str
    token: str | None = field(repr=False)
    acquirer_key: UUID
    acquirer: str | None
    """The acquirer that may have performed it, or that has authorized its payment; None where it can be none."""
    created_at: datetime
    now: datetime
    epoch: datetime | None
    """When the database last lost what it knew, by a failover or a restore."""


def get_routed(connection: Connection, operation_id: UUID) -> Routed | None:
    """What a pending operation is routed by; None where there is no such operation, or it is completed."""
    row: tuple[Any, ...] | None = connection.execute(
        """
        SELECT operation.kind, operation.amount, currency, token, coalesce(operation.acquirer_key, operation.id),
            CASE WHEN operation.kind NOT IN ('authorization', 'sale') THEN coalesce(first.acquirer, %(default)s)
                WHEN operation.requested_at IS NOT NULL THEN coalesce(operation.acquirer, %(default)s)
                ELSE operation.acquirer END,
            operation.created_at, now()
        FROM payments.operations AS operation
        JOIN payments.payments AS payment ON payment.id = operation.payment_id
        JOIN payments.operations AS first
            ON first.payment_id = operation.payment_id AND first.kind IN ('authorization', 'sale')
        WHERE operation.id = %(operation)s AND operation.status = 'pending'
        """,
        {"operation": operation_id, "default": ACQUIRER},
    ).fetchone()
    if row is None:
        return None
    kind, *values = row
    return Routed(OperationKind(kind), *[*values, last_epoch(connection)])
