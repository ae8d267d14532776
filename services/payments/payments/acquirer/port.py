"""The port to an acquirer: what it is requested to do, and the possible outcomes, whichever acquirer it is.

The idempotency key of a request is made of what the merchant sent: requested twice with one key, the acquirer performs
it once and gives the same decision. A lost response is no decline: its outcome is looked up by the key before the
operation is requested again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol
from uuid import UUID

from payments.states import OperationKind


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquirerRequest:
    """A request to perform an operation. The amount is in minor units of the currency."""

    key: UUID
    kind: OperationKind
    amount: int
    currency: str
    token: str | None = field(default=None, repr=False)
    """The card's token; for an authorization or a sale."""
    reference: str | None = None
    """The acquirer's name for the payment; for operations after the authorization or sale."""


@dataclass(frozen=True, slots=True)
class Approved:
    """Performed; ``reference`` is the acquirer's name for the payment."""

    reference: str


@dataclass(frozen=True, slots=True)
class Declined:
    """Declined for good; ``reason`` such as insufficient_funds."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """The acquirer says that it has no record of this key: never a gateway's page, which knows of no key."""


class Unserved(Enum):
    """Why the acquirer has not served a call: whoever had called would have got no better answer."""

    FAILED = auto()
    """No connection, no answer in time, or an error of its own: one operation may do that, too."""
    THROTTLED = auto()
    """We call too often."""
    CREDENTIAL_REJECTED = auto()
    """It does not accept our credential: no call succeeds until a person has acted."""
    SUSPENDED = auto()
    """The circuit is open, or no time was left: no call was made."""


@dataclass(frozen=True, slots=True)
class NotPerformed:
    """Nothing was performed, so a retry is safe: after ``retry_after_seconds``, if the acquirer has sent that."""

    cause: str
    retry_after_seconds: float = 0.0
    unserved: Unserved | None = None
    """None where it is only about this operation, such as an invalid request."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The operation may have been performed, and the response is lost. Never to be treated as a decline."""

    cause: str
    unserved: Unserved | None = None
    """None where the acquirer has served the call."""


Decision = Approved | Declined
Outcome = Decision | NotPerformed | Unknown
LookUpResult = Decision | NotFound | Unknown


class Acquirer(Protocol):
    """An acquirer. Neither call raises for an error of the acquirer or the network."""

    async def perform(self, request: AcquirerRequest, seconds: float) -> Outcome:
        """Request an operation; returns within ``seconds``."""

    async def look_up(self, request: AcquirerRequest, seconds: float) -> LookUpResult:
        """Look up the decision on an operation by its key; returns within ``seconds``."""

    def open_for_seconds(self) -> float:
        """For how long the circuit breaker stays open, and no call is made; 0 where calls are made."""
