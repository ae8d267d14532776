"""Notifications that an acquirer sends by itself: verified, and read as decisions.

The platform's own form, which the rehearsal acquirer sends:

    Acquirer-Signature: t=SECONDS,v1=HEX     HMAC-SHA-256 of "SECONDS.BODY" under a key that both know
    {"id", "operation": the answer as in payments.acquirer.dialect}

A key is replaced by having two for a while: any of them is accepted. A notification that was signed more than five
minutes ago, or that comes from the future, is refused; one that is repeated within that time is stored once, by its id.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from payments.acquirer.dialect import ANSWERS
from payments.acquirer.port import Approved, Decision, Declined

SIGNATURE = "acquirer-signature"
SIGNED = re.compile(r"t=([0-9]{1,12})((?:,v1=[0-9a-f]{64}){1,4})")
TOLERANCE_SECONDS = 300
EVENT_ID = re.compile(r"[\x21-\x7e]{1,128}")


class NotAuthentic(Exception):
    """The notification is not signed by the acquirer, or was signed too long ago."""


class NotUnderstood(Exception):
    """The notification is the acquirer's, and its form is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A decision on an operation. The amount is in minor units of the currency."""

    event_id: str
    """The acquirer's name for the notification, the same whenever it is repeated."""
    key: UUID
    """The operation's key at the acquirer."""
    decision: Decision
    amount: int
    currency: str


class Notifications(Protocol):
    """The notifications of an acquirer."""

    def read(self, headers: Mapping[str, str], body: bytes, now: float) -> Sequence[Notification]:
        """Verify a notification, and read its decisions; what it says besides is left out.

        Args:
            headers: names are in lower case.
            body: as it was received.
            now: seconds since 1970.

        Raises:
            NotAuthentic: it is not signed by the acquirer, or was signed too long ago.
            NotUnderstood: its form is unknown.
        """


@dataclass(frozen=True)
class PlainNotifications:
    """Notifications in the platform's own form; see the module."""

    keys: Sequence[bytes]

    def read(self, headers: Mapping[str, str], body: bytes, now: float) -> Sequence[Notification]:
        """See :class:`Notifications`."""
        self._verify(headers.get(SIGNATURE, ""), body, now)
        try:
            values = json.loads(body)
            event_id, operation = str(values["id"]), values["operation"]
            if not EVENT_ID.fullmatch(event_id):
                raise NotUnderstood("not an id")
            decision = ANSWERS[str(operation["status"])](operation)
            if not isinstance(decision, Decision):
                return ()
            return (notification(event_id, operation["key"], decision, operation["amount"], operation["currency"]),)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise NotUnderstood("not a notification") from None

    def _verify(self, header: str, body: bytes, now: float) -> None:
        found = SIGNED.fullmatch(header)
        if not found or abs(now - int(found[1])) > TOLERANCE_SECONDS:
            raise NotAuthentic("no signature of the last five minutes")
        given = [one.removeprefix("v1=") for one in found[2].split(",") if one]
        expected = [signature(key, int(found[1]), body) for key in self.keys]
        if not any(hmac.compare_digest(one, other) for one in given for other in expected):
            raise NotAuthentic("the signature is wrong")


def signature(key: bytes, seconds: int, body: bytes) -> str:
    """The signature of a body at a time, in hexadecimal."""
    return hmac.new(key, f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()


def notification(event_id: str, key: Any, decision: Decision, amount: Any, currency: Any) -> Notification:
    """A notification of values from outside.

    Raises:
        ValueError: one of them is invalid.
    """
    if type(amount) is not int or amount <= 0 or not re.fullmatch(r"[A-Z]{3}", str(currency)):
        raise ValueError("not an amount")
    return Notification(event_id=event_id, key=UUID(str(key)), decision=decision, amount=amount, currency=str(currency))


def decision_of(*, approved: bool, reference: str | None, reason: str | None, expires_at: datetime | None) -> Decision:
    """The decision of a notification as it is stored."""
    return Approved(reference or "", expires_at) if approved else Declined(reason or "")
