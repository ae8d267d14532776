"""Request of the redrive command, from the command line: a filter of messages, and an action."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from operations.outcome import Refused

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LEAST_REASON = 10  # characters


class Task(StrEnum):
    """Action on the messages."""

    SHOW = "show"
    RETURN = "return"
    DISCARD = "discard"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Filter of messages; all given conditions must match."""

    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    payment: str | None = None
    reason: str | None = None
    """A part of the operation's reason or last error; not the reason of a discard."""
    currency: str | None = None
    min_amount: int | None = None
    """In minor units of the currency."""
    max_amount: int | None = None
    completed: bool = False
    """Only messages whose operation is completed by now: they have nothing left to request."""

    @property
    def needs_database(self) -> list[str]:
        """The options whose values only the database knows."""
        given = {
            "--reason": self.reason,
            "--currency": self.currency,
            "--min-amount": self.min_amount,
            "--max-amount": self.max_amount,
            "--completed": self.completed or None,
        }
        return [option for option, value in given.items() if value is not None]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the queue is: the environment's suffix and account, and the name of one of its regions."""

    environment: str
    account_id: str
    region: str

    def __str__(self) -> str:
        return f"{self.environment}, {self.region}, account {self.account_id}"


@dataclass(frozen=True, kw_only=True)
class Request:
    """Arguments of the command line."""

    queue: str
    place: Place
    approve: bool = False
    """Whether nobody is asked before messages are deleted."""
    filter: Filter = Filter()
    limit: int = 1000
    database: bool = False
    return_: bool = False
    discard: str | None = None
    """Why; without it nothing is discarded."""
    record: Path = Path("discarded.jsonl")

    @property
    def task(self) -> Task:
        """The requested action.

        Raises:
            Refused: two actions, a discard without a reason, or a filter that needs the database.
        """
        if self.return_ and self.discard is not None:
            raise Refused("--return: not allowed with --discard; one of them is")
        if self.discard is not None and len(self.discard.strip()) < LEAST_REASON:
            raise Refused(
                f"--discard: {self.discard!r} is not allowed; a reason of {LEAST_REASON} characters or more is"
            )
        if (options := self.filter.needs_database) and not self.database:
            raise Refused(f"{options[0]}: only the database knows it; --database is needed with it")
        if self.return_:
            return Task.RETURN
        return Task.DISCARD if self.discard is not None else Task.SHOW


def duration(option: str, text: str | None) -> timedelta | None:
    """The duration in text such as 90m, 2h or 3d.

    Raises:
        Refused: the text has another form.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if not found:
        raise Refused(f"{option}: {text!r} is not allowed; a number with s, m, h or d is, such as 90m")
    return timedelta(**{UNITS[found[2]]: int(found[1])})
