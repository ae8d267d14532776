"""What a payment goes through: the states, and the one table of transitions between them.

A payment changes only by its operations: each is asked of the acquirer once, and answered once. The database holds the
same table (:mod:`payments.migrations`) and refuses what is not in it; a test holds the two against each other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where a payment stands."""

    ACCEPTED = "accepted"
    """It is stored and will be processed; the acquirer has not answered yet."""
    AUTHORIZED = "authorized"
    """The amount is reserved, and waits for its capture."""
    CAPTURING = "capturing"
    """The capture is asked for."""
    CAPTURED = "captured"
    """The amount, or a part of it, is taken."""
    REFUNDED = "refunded"
    """All that was captured is given back."""
    VOIDING = "voiding"
    """The end of the reservation is asked for."""
    VOIDED = "voided"
    """The reservation is ended, nothing was taken."""
    REFUSED = "refused"
    """The acquirer said no."""
    FAILED = "failed"
    """Given up: the acquirer does not know of it, so nothing was taken."""


class Kind(StrEnum):
    """What an acquirer can be asked for."""

    AUTHORIZATION = "authorization"
    SALE = "sale"
    """Authorization and capture in one."""
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class Progress(StrEnum):
    """Where an operation stands: asked, and then one of the others for good."""

    ASKED = "asked"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    """The acquirer said no."""
    FAILED = "failed"
    """Given up: the acquirer does not know of it."""


class Event(StrEnum):
    """What befalls a payment: the progress of one of its operations."""

    ASKED = "asked"
    SUCCEEDED = "succeeded"
    COMPLETED = "completed"
    """A refund has succeeded, and with it all that was captured is given back."""
    REFUSED = "refused"
    FAILED = "failed"


class Transition(NamedTuple):
    """A payment in ``origin`` goes to ``target`` when this befalls an operation of this kind."""

    kind: Kind
    event: Event
    origin: State
    target: State


TRANSITIONS = (
    Transition(Kind.AUTHORIZATION, Event.ASKED, State.ACCEPTED, State.ACCEPTED),
    Transition(Kind.AUTHORIZATION, Event.SUCCEEDED, State.ACCEPTED, State.AUTHORIZED),
    Transition(Kind.AUTHORIZATION, Event.REFUSED, State.ACCEPTED, State.REFUSED),
    Transition(Kind.AUTHORIZATION, Event.FAILED, State.ACCEPTED, State.FAILED),
    Transition(Kind.SALE, Event.ASKED, State.ACCEPTED, State.ACCEPTED),
    Transition(Kind.SALE, Event.SUCCEEDED, State.ACCEPTED, State.CAPTURED),
    Transition(Kind.SALE, Event.REFUSED, State.ACCEPTED, State.REFUSED),
    Transition(Kind.SALE, Event.FAILED, State.ACCEPTED, State.FAILED),
    Transition(Kind.CAPTURE, Event.ASKED, State.AUTHORIZED, State.CAPTURING),
    Transition(Kind.CAPTURE, Event.SUCCEEDED, State.CAPTURING, State.CAPTURED),
    Transition(Kind.CAPTURE, Event.REFUSED, State.CAPTURING, State.AUTHORIZED),
    Transition(Kind.CAPTURE, Event.FAILED, State.CAPTURING, State.AUTHORIZED),
    Transition(Kind.VOID, Event.ASKED, State.AUTHORIZED, State.VOIDING),
    Transition(Kind.VOID, Event.SUCCEEDED, State.VOIDING, State.VOIDED),
    Transition(Kind.VOID, Event.REFUSED, State.VOIDING, State.AUTHORIZED),
    Transition(Kind.VOID, Event.FAILED, State.VOIDING, State.AUTHORIZED),
    Transition(Kind.REFUND, Event.ASKED, State.CAPTURED, State.CAPTURED),
    Transition(Kind.REFUND, Event.SUCCEEDED, State.CAPTURED, State.CAPTURED),
    Transition(Kind.REFUND, Event.COMPLETED, State.CAPTURED, State.REFUNDED),
    Transition(Kind.REFUND, Event.REFUSED, State.CAPTURED, State.CAPTURED),
    Transition(Kind.REFUND, Event.FAILED, State.CAPTURED, State.CAPTURED),
)
"""All that can befall a payment. What is not here is refused, by the database too."""
