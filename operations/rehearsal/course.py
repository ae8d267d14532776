"""The course of a rehearsal: events that happen one after the other, until one does not end well.

All rehearsals have it: which events there are, the wall time of each, and what was seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from rich.console import Console

from emulator.process import EmulatorError
from operations.outcome import Failed, Refused

Operator = TypeVar("Operator")


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """The name, as ``--only`` has it."""


Happening = TypeVar("Happening", bound=Named)


@dataclass(frozen=True, kw_only=True)
class Event(Generic[Operator]):
    """An event: its name, as the report and ``--only`` have it, and what makes it happen and returns what was seen."""

    name: str
    meaning: str
    happen: Callable[[Operator], str | None]


def chosen(names: Sequence[str], events: Sequence[Happening]) -> list[Happening]:
    """Those of the events with these names, in the order in which they happen; all where none is named.

    Raises:
        Refused: there is no such event.
    """
    known = [one.name for one in events]
    for name in names:
        if name not in known:
            raise Refused(f"--only: {name!r} is not allowed; an event is: {', '.join(known)}")
    return [one for one in events if not names or one.name in names]


@dataclass(frozen=True, kw_only=True)
class Course(Generic[Operator]):
    """What has happened so far, by the names of events."""

    console: Console
    begin: Callable[[str], None] = lambda _name: None
    """Called with an event's name before it happens."""
    so_far: Callable[[], str] = lambda: ""
    """What is said behind an event's wall time."""
    seconds: dict[str, float] = field(default_factory=dict)
    """The wall time."""
    seen: dict[str, str] = field(default_factory=dict)

    def happen(self, events: Sequence[Event[Operator]], operator: Operator) -> str:
        """Let the events happen; the message of the one that failed, after which none happens."""
        for event in events:
            self.begin(event.name)
            began = time.monotonic()
            try:
                if said := event.happen(operator):
                    self.seen[event.name] = said
            except (Failed, Refused, EmulatorError) as failure:
                return f"{event.name}: {failure}"
            finally:
                self.seconds[event.name] = time.monotonic() - began
                self.console.print(f"{event.name}: {self.seconds[event.name]:.0f} s{self.so_far()}")
        return ""
