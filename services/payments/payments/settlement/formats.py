"""Forms of settlement files. The first one, :class:`Csv`, is our own; an acquirer's is one more class.

Acquirers' files vary, and say the same: a line for each transaction, with the reference that was sent with it, the
acquirer's own, type, amount, currency and time; such as Adyen's Settlement details report,
https://docs.adyen.com/reporting/settlement-reconciliation/transaction-level/settlement-details-report

A form is read line by line, and remembers nothing: a file may be larger than the memory, and a run that has no time
left is taken up at the next line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar
from uuid import UUID

from payments.states import OperationKind

MAX_LINE_BYTES = 2048
MAX_AMOUNT = 999_999_999_999
"""In minor units; the database's limit."""
CURRENCY = re.compile(r"[A-Z]{3}")
NAME = re.compile(r"[\x21-\x7e]{1,128}")
REASON = re.compile(r"[\x21-\x7e]{0,64}")
DIGITS = re.compile(r"[0-9]{1,12}")
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
T = TypeVar("T")


class UnreadableLine(Exception):
    """A line does not have the form. The message says what is wrong, with nothing of the line in it."""


@dataclass(frozen=True)
class Period:
    """The first line: the file has what the acquirer has settled in this time."""

    begins: datetime
    ends: datetime
    """Not included."""


@dataclass(frozen=True)
class SettledOperation:
    """An operation, as the acquirer has it in its book. The amount is in minor units of the currency."""

    key: UUID
    """The idempotency key that it was requested with."""
    reference: str
    """The acquirer's name for the payment."""
    kind: OperationKind
    amount: int
    currency: str
    approved: bool
    reason: str
    """Why it was declined."""
    processed_at: datetime


@dataclass(frozen=True)
class End:
    """The last line, with the number of operations before it: without it the file is cut short."""

    operations: int


Record = Period | SettledOperation | End


class Format(Protocol):
    """The form of an acquirer's files."""

    def parse(self, line: bytes) -> Record:
        """What a line says; ``line`` is without its end.

        Raises:
            UnreadableLine: it does not have the form.
        """


class Csv:
    """Our own form: UTF-8, fields separated by commas, lines ended by a line feed. Times are ISO 8601 with an offset.

    period,1,BEGINS,ENDS                           first; 1 is the version of the form
    operation,KEY,REFERENCE,KIND,AMOUNT,CURRENCY,STATUS,REASON,PROCESSED_AT
    end,OPERATIONS                                 last; how many there are

    KEY is the idempotency key of the request. AMOUNT is in minor units. STATUS is approved or declined, of which only
    the latter has a REASON. Each approved sale, capture and refund of the period must be there; others may be.
    """

    def parse(self, line: bytes) -> Record:
        """See :class:`Format`."""
        try:
            (fields,) = csv.reader([line.decode()], strict=True)
        except (ValueError, csv.Error):
            raise UnreadableLine("is no line of comma-separated values") from None
        kind, *values = fields or [""]
        known = RECORDS.get(kind)
        if known is None:
            raise UnreadableLine("begins with none of period, operation and end")
        count, read = known
        if len(values) != count:
            raise UnreadableLine(f"has {len(values) + 1} fields, and a line of this kind has {count + 1}")
        return read(*values)


def _period(version: str, begins: str, ends: str) -> Period:
    if version != "1":
        raise UnreadableLine("is of another version")
    period = Period(_time("begins", begins), _time("ends", ends))
    if period.begins >= period.ends:
        raise UnreadableLine("ends before it begins")
    return period


def _operation(  # noqa: PLR0917 - the fields of a line
    key: str,
    reference: str,
    kind: str,
    amount: str,
    currency: str,
    status: str,
    reason: str,
    processed_at: str,
) -> SettledOperation:
    for name, value, form in (
        ("reference", reference, NAME),
        ("amount", amount, DIGITS),
        ("currency", currency, CURRENCY),
        ("reason", reason, REASON),
    ):
        if not form.fullmatch(value):
            raise UnreadableLine(f"has no valid {name}")
    if status not in {"approved", "declined"}:
        raise UnreadableLine("has no valid status")
    if not 1 <= int(amount) <= MAX_AMOUNT:
        raise UnreadableLine("has no valid amount")
    return SettledOperation(
        key=_of(UUID, "key", key),
        reference=reference,
        kind=_of(OperationKind, "kind", kind),
        amount=int(amount),
        currency=currency,
        approved=status == "approved",
        reason=reason,
        processed_at=_time("time", processed_at),
    )


def _end(operations: str) -> End:
    if not DIGITS.fullmatch(operations):
        raise UnreadableLine("has no valid number of operations")
    return End(int(operations))


RECORDS: dict[str, tuple[int, Callable[..., Record]]] = {
    "period": (3, _period),
    "operation": (8, _operation),
    "end": (1, _end),
}


def _of(kind: Callable[[str], T], name: str, text: str) -> T:
    try:
        return kind(text)
    except ValueError:
        raise UnreadableLine(f"has no valid {name}") from None


def _time(name: str, text: str) -> datetime:
    time = _of(datetime.fromisoformat, name, text)
    if time.tzinfo is None or not EARLIEST <= time <= LATEST:
        raise UnreadableLine(f"has no valid {name}")
    return time.astimezone(UTC)


FORMATS: dict[str, Format] = {"csv": Csv()}
"""By the name in the setting SETTLEMENT_FORMAT."""
