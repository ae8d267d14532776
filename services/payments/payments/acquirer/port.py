"""What an acquirer is asked and what it can answer, whoever it is.

The operation's id is the acquirer's idempotency key: asked twice with one key, it does the thing once and gives the
same answer. An answer that was lost is no refusal: it is looked up by the key, before anything is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from payments.states import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """An operation as the acquirer is asked for it. The amount is in minor units of the currency."""

    key: UUID
    kind: Kind
    amount: int
    currency: str
    token: str | None = field(default=None, repr=False)
    """What stands for the card; for an authorization or a sale."""
    reference: str | None = None
    """What the acquirer calls the payment; for what comes after those."""


@dataclass(frozen=True, slots=True)
class Approved:
    """Done. ``reference`` is what the acquirer calls it."""

    reference: str


@dataclass(frozen=True, slots=True)
class Declined:
    """Not done, for good; ``reason`` such as insufficient_funds."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The acquirer's book has nothing under the key."""


@dataclass(frozen=True, slots=True)
class NotDone:
    """Nothing was done, so it may be asked again: in ``retry_after_seconds``, if the acquirer has said so."""

    cause: str
    retry_after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been done, and the answer is lost. Never to be taken for a refusal."""

    cause: str


Answer = Approved | Declined
Outcome = Answer | NotDone | Unknown
Found = Answer | NotKnown | Unknown


class Acquirer(Protocol):
    """Someone who can be asked. Neither method raises for what the acquirer or the network does."""

    async def perform(self, demand: Demand, seconds: float) -> Outcome:
        """Ask for an operation; the answer comes within ``seconds``."""

    async def look_up(self, demand: Demand, seconds: float) -> Found:
        """What has become of an operation that was asked for, by its key."""

    def closed_for_seconds(self) -> float:
        """How long it is not to be asked at all, as it does not answer; 0 when it may be."""
