"""What is stored, as records, and the errors by which the database rejects a write."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import psycopg

from payments.states import OperationKind, OperationStatus, PaymentStatus

Connection = psycopg.Connection[Any]
FIRST_MERCHANT_ID = UUID("00000000-0000-7000-8000-000000000001")
"""The merchant of all rows from before migration 0004, which introduced merchants."""


class StatusConflict(Exception):
    """The payment's status does not allow the operation."""


class AmountTooLarge(Exception):
    """The amount exceeds what the payment allows, which is ``max_amount`` in minor units."""

    def __init__(self, max_amount: int) -> None:
        super().__init__(f"at most {max_amount}")
        self.max_amount = max_amount


class IdempotencyKeyReused(Exception):
    """The idempotency key was used for another request."""


@dataclass(frozen=True)
class Requester:
    """The requester of an operation: a merchant, by one of its credentials."""

    merchant_id: UUID
    credential_id: UUID | None
    """None for rows that were not requested by a credential, such as those of a test."""
    address: str | None = None
    """The client's, as the edge saw it: of audit events."""


@dataclass(frozen=True)
class Payment:
    """A stored payment. Amounts are in minor units of the currency."""

    id: UUID
    status: PaymentStatus
    amount: int
    currency: str
    captured_amount: int
    refunding_amount: int
    """Sum of the pending refunds."""
    refunded_amount: int
    reference: str | None
    created_at: datetime
    updated_at: datetime
    next_action: dict[str, Any] | None
    """What the cardholder's browser has to do: url, method, data."""
    capture_before: datetime | None
    """When the acquirer releases the authorization."""


@dataclass(frozen=True)
class Operation:
    """A stored operation of a payment."""

    id: UUID
    payment_id: UUID
    kind: OperationKind
    amount: int
    status: OperationStatus
    correlation_id: str
    attempts: int
    """How often the acquirer was called for it, or may have been."""
    tries: int
    """Of these, requests without a decision that could have charged, while the acquirer served others."""
    reason: str | None
    """Why it was declined or failed, such as insufficient_funds."""
    created_at: datetime
    completed_at: datetime | None
    next_attempt_at: datetime
    """When the queue should process it; long ago where its message is lost."""
    times_not_found: int
    """Answers of the acquirer, hours apart, that it has no record of it, since it was last requested."""
    requested_at: datetime | None
    """Since when the acquirer may have performed it; None where it has not, or has said so."""
    awaiting: str | None
    """Whose turn it is, where the acquirer has answered and not decided: acquirer or cardholder."""
    acquirer: str | None
    """The acquirer that it was requested from, or may have been; None where it can be none, or of old rows."""
    acquirer_key: UUID
    """The idempotency key of its request to the acquirer, made of what the merchant sent; once it was the id."""


@dataclass(frozen=True)
class NewOperation:
    """An operation to be stored as pending. The amount is in minor units of the currency."""

    id: UUID
    payment_id: UUID
    kind: OperationKind
    amount: int
    correlation_id: str
    created_at: datetime
    trace: str | None = None
    """W3C traceparent of the request."""


@dataclass(frozen=True)
class NewPayment:
    """A payment to be stored as accepted. Its first operation is an authorization or a sale of the same amount."""

    currency: str
    token: str = field(repr=False)
    """The card's token."""
    reference: str | None
    first: NewOperation


@dataclass(frozen=True)
class IdempotencyKey:
    """An idempotency key, with the fingerprints of the request that it was sent with (:mod:`payments.bodies`)."""

    key: str
    fingerprint: bytes
    """Of the request as this version understands it: all that the version before knows."""
    received: bytes | None = None
    """Of the request as it was received."""


@dataclass(frozen=True)
class StoredResponse:
    """The HTTP response to a request, as its idempotency key gets it again: status and body."""

    status: int
    body: str
    replayed: bool = field(default=False, compare=False)
    """Whether it is the response to an earlier request."""


@dataclass(frozen=True)
class Claim:
    """The exclusive right to call the acquirer for an operation until the claim expires, and what the call needs."""

    id: UUID
    """Fences writes: a claim that another process has taken over writes nothing."""
    operation: Operation
    currency: str
    token: str | None = field(repr=False)
    """The card's token; only for an authorization or a sale."""
    acquirer_reference: str | None
    """The acquirer's name for the payment; only for operations after the authorization or sale."""
    claimed_at: datetime
    epoch: datetime | None = None
    """When the database last lost what it knew, by a failover or a restore."""
    notified: bool = False
    """Whether a notification of the acquirer has come that is not applied yet."""
    counted: bool = True
    """Whether it counts as a try until it is released."""

    @property
    def may_be_known_since(self) -> datetime | None:
        """Since when the acquirer may have performed the operation, not counting this claim; None where it has not."""
        if self.operation.requested_at is None and self.epoch and self.operation.created_at < self.epoch:
            return self.operation.created_at
        return self.operation.requested_at


@dataclass(frozen=True)
class Awaited:
    """The acquirer has answered and will decide later."""

    whom: Literal["acquirer", "cardholder"]
    acquirer_reference: str
    within: timedelta
    """A person is told if there is no decision by then."""
    next_action: dict[str, Any] | None = None


@dataclass(frozen=True)
class ClaimStatus:
    """The status of an operation, and for how many more seconds a process holds a claim on it."""

    status: OperationStatus
    claimed_seconds: float


@dataclass(frozen=True)
class PendingTotal:
    """All pending operations of one currency: their number, and the sum of their amounts in minor units."""

    currency: str
    operations: int
    amount: int
    oldest_seconds: float
    """The age of the oldest."""


@dataclass(frozen=True)
class OperationDetails:
    """An operation with what a person needs to decide on its message. The amount is in minor units of the currency."""

    id: UUID
    kind: OperationKind
    amount: int
    currency: str
    status: OperationStatus
    reason: str
    """Why it was declined or failed; of a pending one the last error. Empty where there is none."""
    attempts: int


@dataclass(frozen=True)
class OutboxMessage:
    """A row of the outbox: an operation whose message has not been sent to the queue yet."""

    id: int
    operation_id: UUID
    payment_id: UUID
    acquirer_key: UUID
    correlation_id: str
    trace: str | None
    """W3C traceparent of the request that created the operation."""
    created_at: datetime
