"""The simulated acquirer's settlement file, made of its own book: the form of :mod:`payments.settlement.formats`.

It is written here anew, and not by the code that reads it: the two ends meet in the file alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from rehearsal.book import APPROVED, DECLINED, Entry

DECIDED = (APPROVED, DECLINED)


def settlement_file(entries: Iterable[Entry], begins: datetime, ends: datetime) -> Iterator[str]:
    """The lines of the file of a period: all entries of the book that were decided on in it."""
    yield f"period,1,{begins.isoformat()},{ends.isoformat()}\n"
    number = 0
    for entry in entries:
        if entry.status in DECIDED and begins <= entry.performed_at < ends:
            number += 1
            yield _line(entry)
    yield f"end,{number}\n"


def _line(entry: Entry) -> str:
    fields = (
        *("operation", entry.key, entry.reference, entry.kind, str(entry.amount), entry.currency, entry.status),
        *(entry.reason, entry.performed_at.isoformat()),
    )
    return ",".join(fields) + "\n"
