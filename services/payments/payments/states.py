"""The state machine of a payment: its statuses, and the one table of transitions between them.

A payment changes only through its operations. An operation is pending until the acquirer's decision is stored, and then
never changes again. The database holds the same table (:mod:`payments.migrations`) and rejects any other change; a test
holds the two against each other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class PaymentStatus(StrEnum):
    """The status of a payment."""

    ACCEPTED = "accepted"
    """Stored, and to be processed: the acquirer has not decided yet."""
    AUTHORIZED = "authorized"
    """The amount is reserved on the card, and can be captured or voided."""
    CAPTURING = "capturing"
    """A capture is pending."""
    CAPTURED = "captured"
    """The amount, or a part of it, was captured."""
    REFUNDED = "refunded"
    """Everything that was captured is refunded."""
    VOIDING = "voiding"
    """A void is pending."""
    VOIDED = "voided"
    """The authorization was released; nothing was captured."""
    DECLINED = "declined"
    """The acquirer declined the payment."""
    FAILED = "failed"
    """Given up: the acquirer has no record of it, so nothing was charged."""


class OperationKind(StrEnum):
    """What the acquirer can be requested to do."""

    AUTHORIZATION = "authorization"
    SALE = "sale"
    """Authorization and capture in one."""
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class OperationStatus(StrEnum):
    """The status of an operation: pending, and then one of the others for good."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    """The acquirer declined it."""
    FAILED = "failed"
    """Given up: the acquirer has no record of it."""


class Event(StrEnum):
    """What happens to a payment: one of its operations enters a status."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FULLY_REFUNDED = "fully_refunded"
    """A refund succeeded, and with it everything that was captured is refunded."""
    DECLINED = "declined"
    FAILED = "failed"


class Transition(NamedTuple):
    """A payment goes from ``origin`` to ``target`` when the event happens to an operation of this kind."""

    kind: OperationKind
    event: Event
    origin: PaymentStatus
    target: PaymentStatus


TRANSITIONS = (
    Transition(OperationKind.AUTHORIZATION, Event.PENDING, PaymentStatus.ACCEPTED, PaymentStatus.ACCEPTED),
    Transition(OperationKind.AUTHORIZATION, Event.SUCCEEDED, PaymentStatus.ACCEPTED, PaymentStatus.AUTHORIZED),
    Transition(OperationKind.AUTHORIZATION, Event.DECLINED, PaymentStatus.ACCEPTED, PaymentStatus.DECLINED),
    Transition(OperationKind.AUTHORIZATION, Event.FAILED, PaymentStatus.ACCEPTED, PaymentStatus.FAILED),
    Transition(OperationKind.SALE, Event.PENDING, PaymentStatus.ACCEPTED, PaymentStatus.ACCEPTED),
    Transition(OperationKind.SALE, Event.SUCCEEDED, PaymentStatus.ACCEPTED, PaymentStatus.CAPTURED),
    Transition(OperationKind.SALE, Event.DECLINED, PaymentStatus.ACCEPTED, PaymentStatus.DECLINED),
    Transition(OperationKind.SALE, Event.FAILED, PaymentStatus.ACCEPTED, PaymentStatus.FAILED),
    Transition(OperationKind.CAPTURE, Event.PENDING, PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURING),
    Transition(OperationKind.CAPTURE, Event.SUCCEEDED, PaymentStatus.CAPTURING, PaymentStatus.CAPTURED),
    Transition(OperationKind.CAPTURE, Event.DECLINED, PaymentStatus.CAPTURING, PaymentStatus.AUTHORIZED),
    Transition(OperationKind.CAPTURE, Event.FAILED, PaymentStatus.CAPTURING, PaymentStatus.AUTHORIZED),
    Transition(OperationKind.VOID, Event.PENDING, PaymentStatus.AUTHORIZED, PaymentStatus.VOIDING),
    Transition(OperationKind.VOID, Event.SUCCEEDED, PaymentStatus.VOIDING, PaymentStatus.VOIDED),
    Transition(OperationKind.VOID, Event.DECLINED, PaymentStatus.VOIDING, PaymentStatus.AUTHORIZED),
    Transition(OperationKind.VOID, Event.FAILED, PaymentStatus.VOIDING, PaymentStatus.AUTHORIZED),
    Transition(OperationKind.REFUND, Event.PENDING, PaymentStatus.CAPTURED, PaymentStatus.CAPTURED),
    Transition(OperationKind.REFUND, Event.SUCCEEDED, PaymentStatus.CAPTURED, PaymentStatus.CAPTURED),
    Transition(OperationKind.REFUND, Event.FULLY_REFUNDED, PaymentStatus.CAPTURED, PaymentStatus.REFUNDED),
    Transition(OperationKind.REFUND, Event.DECLINED, PaymentStatus.CAPTURED, PaymentStatus.CAPTURED),
    Transition(OperationKind.REFUND, Event.FAILED, PaymentStatus.CAPTURED, PaymentStatus.CAPTURED),
)
"""Every change that a payment can make."""
