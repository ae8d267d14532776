"""The port to an acquirer: what it is requested to do, the possible outcomes, and what an acquirer is capable of.

The idempotency key of a request is made of what the merchant sent: requested twice with one key, the acquirer performs
it once and gives the same decision, for as long as it remembers the key. A lost response is no decline: its outcome is
looked up before the operation is requested again. Acquirers differ in how that is done, and some cannot be asked at
all; each declares it in its :class:`Capabilities`.

A decision may also come later, by a look-up or a notification: where the acquirer needs time (:class:`Pending`), or the
cardholder has to act (:class:`ActionRequired`, as with 3-D Secure).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from typing import Protocol
from uuid import UUID

from payments.states import OperationKind


class LookUp(StrEnum):
    """How an acquirer tells what became of a request whose response was lost."""

    BY_KEY = "key"
    """By its idempotency key, for as long as it remembers the key."""
    BY_REFERENCE = "reference"
    """By our reference, which the request has sent along: for ever."""
    BY_REPEAT = "repeat"
    """By the same request with the same key, which performs what was not performed."""
    BY_FILE = "file"
    """In its settlement file only. It knows no idempotency keys: each request is performed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an acquirer is capable of."""

    look_up: LookUp = LookUp.BY_KEY
    key_retention: timedelta = timedelta(days=7)
    """How long it remembers an idempotency key. Later, a repeated request would be performed again."""
    decides_within: timedelta = timedelta(hours=24)
    """How long a pending decision takes at most; after that a person is told."""

    @property
    def can_look_up(self) -> bool:
        """Whether there is a look-up that performs nothing."""
        return self.look_up in {LookUp.BY_KEY, LookUp.BY_REFERENCE}

    @property
    def can_repeat(self) -> bool:
        """Whether a request with a key that the acquirer remembers is performed once only."""
        return self.look_up is not LookUp.BY_FILE

    def remembers(self, age: timedelta) -> bool:
        """Whether the acquirer still knows a key that it may have met so long ago."""
        return self.can_repeat and age < self.key_retention - KEY_MARGIN


KEY_MARGIN = timedelta(minutes=5)
"""A request may be under way for so long, and clocks differ."""


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
    expires_at: datetime | None = None
    """When the acquirer releases an authorization that was not captured; None where it has not said so."""


@dataclass(frozen=True, slots=True)
class Declined:
    """Declined for good; ``reason`` such as insufficient_funds."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pending:
    """Accepted: the decision comes later. The request is not repeated."""

    reference: str


@dataclass(frozen=True, slots=True)
class ActionRequired:
    """The cardholder has to act at ``url``, such as authenticate by 3-D Secure. The request is not repeated."""

    reference: str
    url: str
    method: str = "GET"
    """HTTP method by which the cardholder's browser goes to ``url``."""
    data: Mapping[str, str] = field(default_factory=dict)
    """Form fields that it sends there, with POST."""
    expires_at: datetime | None = None
    """Until when the cardholder may act; None where the acquirer has not said so."""


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
Promise = Pending | ActionRequired
Outcome = Decision | Promise | NotPerformed | Unknown
LookUpResult = Decision | Promise | NotFound | Unknown


class Acquirer(Protocol):
    """An acquirer. Neither call raises for an error of the acquirer or the network."""

    @property
    def capabilities(self) -> Capabilities:
        """What it is capable of."""

    async def perform(self, request: AcquirerRequest, seconds: float) -> Outcome:
        """Request an operation; returns within ``seconds``."""

    async def look_up(self, request: AcquirerRequest, seconds: float) -> LookUpResult:
        """Look up the decision on an operation; returns within ``seconds``.

        It performs nothing. An acquirer without a look-up is not called, and the result is unknown.
        """

    def open_for_seconds(self) -> float:
        """For how long the circuit breaker stays open, and no call is made; 0 where calls are made."""

    def half_open_for_seconds(self) -> float | None:
        """For how long the circuit breaker has been letting trial calls pass; None where it is closed or open."""
