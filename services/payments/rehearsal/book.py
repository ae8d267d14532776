"""The simulated acquirer's book: what it has performed, by idempotency key, to be compared with the platform's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

FIRST_KINDS = {"sale", "authorization"}
LATER_KINDS = {"capture", "void", "refund"}
BAD_REQUEST, UNPROCESSABLE = 400, 422


class InvalidRequest(Exception):
    """The request is invalid, and nothing was performed; ``status`` is the HTTP status of the response."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An operation and the decision on it, which never changes. The amount is in minor units."""

    key: str
    kind: str
    amount: int
    currency: str
    subject: str
    """The card's token of a first operation, the payment's reference of a later one."""
    approved: bool
    reference: str
    reason: str

    def response(self) -> dict[str, Any]:
        """The body of a response with the decision."""
        common = {"key": self.key, "kind": self.kind, "amount": self.amount, "currency": self.currency}
        if self.approved:
            return {**common, "status": "approved", "reference": self.reference}
        return {**common, "status": "declined", "reason": self.reason}


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

    def enter(self, key: str, request: dict[str, Any], decline_reason: str) -> Entry:
        """Perform or decline the operation of a request, once for each key; returns its entry, old or new.

        Args:
            key: the idempotency key.
            request: the request's body.
            decline_reason: the reason for which the operation is to be declined, or an empty text.

        Raises:
            InvalidRequest: the request is invalid, or its key was used for another request.
        """
        self.requests[key] += 1
        kind, amount, currency, subject = _read(request)
        before = self.entries.get(key)
        if before:
            if (before.kind, before.amount, before.currency, before.subject) != (kind, amount, currency, subject):
                raise InvalidRequest(UNPROCESSABLE, "the key was used for another request")
            return before
        reference = subject if kind in LATER_KINDS else f"ref-{key}"
        if not decline_reason and kind in LATER_KINDS and not self._allows(reference, kind, amount, currency):
            decline_reason = "not_possible"
        if not decline_reason:
            self.accounts.setdefault(reference, Account(currency)).perform(kind, amount)
        entry = Entry(
            key=key,
            kind=kind,
            amount=amount,
            currency=currency,
            subject=subject,
            approved=not decline_reason,
            reference=reference,
            reason=decline_reason,
        )
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
            "declined": len(self.entries) - len(approved),
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
