"""The state machine of a payment: its statuses, and the one table of transitions between them.

A payment changes only through its operations. An operation is pending until the acquirer's decision is stored, and then
never changes again. The database holds the same table (:mod:`payments.migrations`) and rejects any other change; a test
holds the two against each other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

ACQUIRER = "acquirer"
"""The acquirer of the ACQUIRER_ variables: the only one of old rows, and the one of payments that fit no route."""


class PaymentStatus(StrEnum):
    """The status of a payment."""

    ACCEPTED = "accepted"
    """Stored, and to be processed: the acquirer has not decided yet."""
    REQUIRES_ACTION = "requires_action"
    """The cardholder has to act, such as authenticate by 3-D Secure, or has acted and the acquirer has not decided."""
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
    EXPIRED = "expired"
    """The acquirer released the authorization, as its time had passed; nothing was captured."""
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
    """What happens to a payment: one of its operations enters a status, or is answered so by the acquirer."""

    PENDING = "pending"
    ACTION_REQUIRED = "action_required"
    """The cardholder has to act; the operation stays pending."""
    SUCCEEDED = "succeeded"
    FULLY_REFUNDED = "fully_refunded"
    """A refund succeeded, and with it everything that was captured is refunded."""
    DECLINED = "declined"
    FAILED = "failed"
    EXPIRED = "expired"
    """The acquirer has released what the operation had authorized."""


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
    Transition(
        OperationKind.AUTHORIZATION, Event.ACTION_REQUIRED, PaymentStatus.ACCEPTED, PaymentStatus.REQUIRES_ACTION
    ),
    Transition(OperationKind.AUTHORIZATION, Event.SUCCEEDED, PaymentStatus.REQUIRES_ACTION, PaymentStatus.AUTHORIZED),
    Transition(OperationKind.AUTHORIZATION, Event.DECLINED, PaymentStatus.REQUIRES_ACTION, PaymentStatus.DECLINED),
    Transition(OperationKind.AUTHORIZATION, Event.FAILED, PaymentStatus.REQUIRES_ACTION, PaymentStatus.FAILED),
    Transition(OperationKind.AUTHORIZATION, Event.EXPIRED, PaymentStatus.AUTHORIZED, PaymentStatus.EXPIRED),
    Transition(OperationKind.SALE, Event.PENDING, PaymentStatus.ACCEPTED, PaymentStatus.ACCEPTED),
    Transition(OperationKind.SALE, Event.SUCCEEDED, PaymentStatus.ACCEPTED, PaymentStatus.CAPTURED),
    Transition(OperationKind.SALE, Event.DECLINED, PaymentStatus.ACCEPTED, PaymentStatus.DECLINED),
    Transition(OperationKind.SALE, Event.FAILED, PaymentStatus.ACCEPTED, PaymentStatus.FAILED),
    Transition(OperationKind.SALE, Event.ACTION_REQUIRED, PaymentStatus.ACCEPTED, PaymentStatus.REQUIRES_ACTION),
    Transition(OperationKind.SALE, Event.SUCCEEDED, PaymentStatus.REQUIRES_ACTION, PaymentStatus.CAPTURED),
    Transition(OperationKind.SALE, Event.DECLINED, PaymentStatus.REQUIRES_ACTION, PaymentStatus.DECLINED),
    Transition(OperationKind.SALE, Event.FAILED, PaymentStatus.REQUIRES_ACTION, PaymentStatus.FAILED),
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
