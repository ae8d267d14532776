"""The simulated acquirer's book: what it has performed, by idempotency key, to be compared with the platform's."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

FIRST_KINDS = {"sale", "authorization"}
LATER_KINDS = {"capture", "void", "refund"}
OK, BAD_REQUEST, NOT_FOUND, NOT_ALLOWED, UNPROCESSABLE = 200, 400, 404, 405, 422
APPROVED, DECLINED, PENDING, ACTION_REQUIRED = "approved", "declined", "pending", "action_required"
LOOK_UPS = ("key", "reference", "repeat", "file")
"""How the acquirer tells what became of a request: by its key, by the merchant's reference, by a repeat of it, or in
its file only, and then it knows no keys."""


class InvalidRequest(Exception):
    """The request is invalid, and nothing was performed; ``status`` is the HTTP status of the response."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An operation and the answer to it; a decision never changes. The amount is in minor units."""

    key: str
    kind: str
    amount: int
    currency: str
    subject: str
    """The card's token of a first operation, the payment's reference of a later one."""
    status: str
    reference: str
    reason: str
    requested_at: float = 0.0
    performed_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def approved(self) -> bool:
        """Whether it is performed."""
        return self.status == APPROVED

    def response(self) -> dict[str, Any]:
        """The body of a response with the answer."""
        common = {
            "key": self.key,
            "kind": self.kind,
            "amount": self.amount,
            "currency": self.currency,
            "status": self.status,
        }
        if self.status == DECLINED:
            return {**common, "reason": self.reason}
        if self.status == ACTION_REQUIRED:
            action = {"url": f"https://acs.example.com/{self.key}", "method": "POST", "data": {"creq": self.key}}
            return {**common, "reference": self.reference, "action": action}
        return {**common, "reference": self.reference}


@dataclass
class Account:
    """The amounts of the payment of a reference."""

    currency: str
    authorized: int = 0
    captured: int = 0
    refunded: int = 0

    def allows(self, kind: str, amount: int) -> bool:
        """Whether a later operation of this kind and amount is possible."""
        if kind == "capture":
            return 0 < amount <= self.authorized
        if kind == "void":
            return amount == self.authorized
        return 0 < amount <= self.captured - self.refunded

    def perform(self, kind: str, amount: int) -> None:
        """Perform an operation that is possible."""
        if kind == "authorization":
            self.authorized = amount
        elif kind == "sale":
            self.captured = amount
        elif kind == "capture":
            self.captured, self.authorized = amount, 0
        elif kind == "void":
            self.authorized = 0
        else:
            self.refunded += amount


@dataclass
class Book:
    """All entries and accounts."""

    entries: dict[str, Entry] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    """Requests received, by key."""
    look_up: str = "key"
    """One of :data:`LOOK_UPS`."""
    key_retention_seconds: float = float("inf")
    """How long a key is remembered: a later request with it is performed again."""
    clock: Callable[[], float] = time.time

    def answered(self, key: str) -> Entry | None:
        """The entry of a key that is remembered."""
        entry = self.entries.get(key)
        if entry is None or self.look_up == "file":
            return None
        return entry if self.clock() - entry.requested_at < self.key_retention_seconds else None

    def find(self, key: str, *, by_reference: bool) -> tuple[int, dict[str, Any]]:
        """The response to a look-up by key, or by the merchant's reference: status and body."""
        if self.look_up != ("reference" if by_reference else "key"):
            return NOT_ALLOWED, {"problem": "there is no such look-up"}
        entry = self.entries.get(key) if by_reference else self.answered(key)
        return (OK, entry.response()) if entry else (NOT_FOUND, {"key": key, "status": "not_found"})

    def decide(self, key: str, *, approved: bool = True) -> Entry:
        """Decide on an operation that is pending, or that waits for the cardholder."""
        entry = self.entries[key]
        if entry.status not in {PENDING, ACTION_REQUIRED}:
            raise ValueError(f"{key} is {entry.status}")
        if approved:
            self.accounts.setdefault(entry.reference, Account(entry.currency)).perform(entry.kind, entry.amount)
        reason = "" if approved else "authentication_failed"
        status = APPROVED if approved else DECLINED
        self.entries[key] = replace(entry, status=status, reason=reason, performed_at=datetime.now(UTC))
        return self.entries[key]

    def enter(self, key: str, request: dict[str, Any], decline_reason: str, promise: str = "") -> Entry:
        """Perform or decline the operation of a request, once for each key; returns its entry, old or new.

        Args:
            key: the idempotency key.
            request: the request's body.
            decline_reason: the reason for which the operation is to be declined, or an empty text.
            promise: pending or action_required, where the decision comes later (:meth:`decide`); or an empty text.

        Raises:
            InvalidRequest: the request is invalid, or its key was used for another request.
        """
        self.requests[key] += 1
        kind, amount, currency, subject = _read(request)
        if before := self.answered(key):
            if (before.kind, before.amount, before.currency, before.subject) != (kind, amount, currency, subject):
                raise InvalidRequest(UNPROCESSABLE, "the key was used for another request")
            return before
        reference = subject if kind in LATER_KINDS else f"ref-{key}"
        if not decline_reason and kind in LATER_KINDS and not self._allows(reference, kind, amount, currency):
            decline_reason = "not_possible"
        if not decline_reason and not promise:
            self.accounts.setdefault(reference, Account(currency)).perform(kind, amount)
        entry = Entry(
            key=key,
            kind=kind,
            amount=amount,
            currency=currency,
            subject=subject,
            status=DECLINED if decline_reason else promise or APPROVED,
            reference=reference,
            reason=decline_reason,
            requested_at=self.clock(),
        )
        if key in self.entries:  # forgotten: it is performed a second time
            self.entries[f"{key}#{self.requests[key]}"] = self.entries[key]
        self.entries[key] = entry
        return entry

    def _allows(self, reference: str, kind: str, amount: int, currency: str) -> bool:
        account = self.accounts.get(reference)
        return account is not None and account.currency == currency and account.allows(kind, amount)

    def summary(self) -> dict[str, Any]:
        """Counts and sums by kind and currency, and the tokens that were charged more than once."""
        approved = [entry for entry in self.entries.values() if entry.approved]
        counts: Counter[str] = Counter()
        sums: Counter[str] = Counter()
        for entry in approved:
            counts[f"{entry.kind} {entry.currency}"] += 1
            sums[f"{entry.kind} {entry.currency}"] += entry.amount
        charges = Counter(entry.subject for entry in approved if entry.kind in FIRST_KINDS)
        return {
            "counts": dict(counts),
            "sums": dict(sums),
            "declined": sum(1 for entry in self.entries.values() if entry.status == DECLINED),
            "requests": sum(self.requests.values()),
            "repeated": sum(1 for number in self.requests.values() if number > 1),
            "charged_twice": sorted(token for token, number in charges.items() if number > 1),
        }


def _read(request: dict[str, Any]) -> tuple[str, int, str, str]:
    kind, amount, currency = request.get("kind"), request.get("amount"), request.get("currency")
    subject = request.get("token") if kind in FIRST_KINDS else request.get("reference")
    valid = kind in FIRST_KINDS | LATER_KINDS and type(amount) is int and amount > 0
    if not (valid and isinstance(currency, str) and isinstance(subject, str) and subject):
        raise InvalidRequest(BAD_REQUEST, "kind, amount, currency and token or reference are required")
    return str(kind), int(str(amount)), currency, subject
