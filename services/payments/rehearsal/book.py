"""The simulated acquirer's own book: what it has done, by idempotency key, to be held against the platform's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

FIRST = {"sale", "authorization"}
FOLLOWING = {"capture", "void", "refund"}


class Refused(Exception):
    """The request is wrong, and nothing was done: ``status`` is what HTTP answers."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What was asked under a key, and what the answer is for good. The amount is in minor units."""

    key: str
    kind: str
    amount: int
    currency: str
    subject: str
    """The token of a first operation, the reference of a later one."""
    approved: bool
    reference: str
    reason: str

    def answer(self) -> dict[str, Any]:
        """As it goes over the wire."""
        common = {"key": self.key, "kind": self.kind, "amount": self.amount, "currency": self.currency}
        if self.approved:
            return {**common, "status": "approved", "reference": self.reference}
        return {**common, "status": "declined", "reason": self.reason}


@dataclass
class Account:
    """What is reserved, taken and given back under a reference."""

    currency: str
    reserved: int = 0
    taken: int = 0
    given_back: int = 0

    def has_room(self, kind: str, amount: int) -> bool:
        """Whether an operation of this kind and amount fits."""
        if kind == "capture":
            return 0 < amount <= self.reserved
        if kind == "void":
            return amount == self.reserved
        return 0 < amount <= self.taken - self.given_back

    def do(self, kind: str, amount: int) -> None:
        """Move the money."""
        if kind == "authorization":
            self.reserved = amount
        elif kind == "sale":
            self.taken = amount
        elif kind == "capture":
            self.taken, self.reserved = amount, 0
        elif kind == "void":
            self.reserved = 0
        else:
            self.given_back += amount


@dataclass
class Book:
    """All entries and accounts."""

    entries: dict[str, Entry] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    """How often each key came."""

    def enter(self, key: str, asked: dict[str, Any], declined_for: str) -> Entry:
        """Do what is asked under a key, once, and give the same answer ever after.

        Args:
            key: the idempotency key.
            asked: the body of the request.
            declined_for: the reason why this is declined, or nothing.

        Raises:
            Refused: the request is wrong, or comes with the key of another one.
        """
        self.asked[key] += 1
        kind, amount, currency, subject = _read(asked)
        before = self.entries.get(key)
        if before:
            if (before.kind, before.amount, before.currency, before.subject) != (kind, amount, currency, subject):
                raise Refused(422, "the key belongs to another request")
            return before
        reference = subject if kind in FOLLOWING else f"ref-{key}"
        if not declined_for and kind in FOLLOWING and not self._has_room(reference, kind, amount, currency):
            declined_for = "not_possible"
        if not declined_for:
            self.accounts.setdefault(reference, Account(currency)).do(kind, amount)
        entry = Entry(
            key=key,
            kind=kind,
            amount=amount,
            currency=currency,
            subject=subject,
            approved=not declined_for,
            reference=reference,
            reason=declined_for,
        )
        self.entries[key] = entry
        return entry

    def _has_room(self, reference: str, kind: str, amount: int, currency: str) -> bool:
        account = self.accounts.get(reference)
        return account is not None and account.currency == currency and account.has_room(kind, amount)

    def summary(self) -> dict[str, Any]:
        """Counts and sums by kind and currency, and the tokens that were charged more than once."""
        approved = [entry for entry in self.entries.values() if entry.approved]
        counts: Counter[str] = Counter()
        sums: Counter[str] = Counter()
        for entry in approved:
            counts[f"{entry.kind} {entry.currency}"] += 1
            sums[f"{entry.kind} {entry.currency}"] += entry.amount
        charged = Counter(entry.subject for entry in approved if entry.kind in FIRST)
        return {
            "counts": dict(counts),
            "sums": dict(sums),
            "declined": len(self.entries) - len(approved),
            "asked": sum(self.asked.values()),
            "asked_again": sum(1 for number in self.asked.values() if number > 1),
            "charged_twice": sorted(token for token, number in charged.items() if number > 1),
        }


def _read(asked: dict[str, Any]) -> tuple[str, int, str, str]:
    kind, amount, currency = asked.get("kind"), asked.get("amount"), asked.get("currency")
    subject = asked.get("token") if kind in FIRST else asked.get("reference")
    right = kind in FIRST | FOLLOWING and type(amount) is int and amount > 0
    if not (right and isinstance(currency, str) and isinstance(subject, str) and subject):
        raise Refused(400, "kind, amount, currency and token or reference are needed")
    return str(kind), int(str(amount)), currency, subject
