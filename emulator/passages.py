"""Passages of a request through what runs here and is no API of AWS: load balancers, functions, the internet.

What records them is set once (:func:`record_with`), by the server; until then they are nobody's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from emulator.record import RecordedPassage

_recorders: list[Callable[[RecordedPassage], None]] = []


@dataclass
class Passage:
    """One that is under way; ``outcome`` and ``way`` are said before its end."""

    outcome: str = ""
    way: str = ""


def record_with(record: Callable[[RecordedPassage], None]) -> None:
    """Let each passage from now on be recorded by ``record``."""
    _recorders[:] = [record]


@contextmanager
def passing(kind: str, who: str, what: str) -> Iterator[Passage]:
    """Record what happens in the block, at its end."""
    begun, at = time.monotonic(), datetime.now(UTC)
    passage = Passage()
    try:
        yield passage
    finally:
        recorded = RecordedPassage(
            time=at.isoformat(timespec="milliseconds"),
            kind=kind,
            who=who,
            what=what,
            way=passage.way,
            outcome=passage.outcome,
            seconds=round(time.monotonic() - begun, 4),
        )
        for record in _recorders:
            record(recorded)
