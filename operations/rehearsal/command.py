"""The rehearse-load command: customers pay while the platform is operated, and each payment is counted at both ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
from rich.console import Console
from rich.table import Table

from operations.outcome import Failed
from operations.pay.platform import FINAL, Platform, front_door
from operations.rehearsal.course import Course, Event, chosen
from operations.rehearsal.customers import Customers, Payment, read_statuses
from operations.rehearsal.events import EVENTS, Operator
from settings import Settings

SECONDS_WITHOUT_AN_END = 300.0  # as long as a message is hidden whose function died: 270 s at the shipped settings
NUMBER_OF_MERCHANTS = 3
ACCEPTED, CAPTURED = "202", "captured"
FIRST_KINDS = {"sale", "authorization"}

AnOperator = TypeVar("AnOperator")


@dataclass(frozen=True, kw_only=True)
class Books:
    """The payments of the customers beside the acquirer's book: what has to be empty."""

    lost: list[Payment]
    """Accepted, and unknown or unanswered at the end."""
    failed: list[Payment]
    """Answered otherwise than captured, though the rehearsal acquirer declines nothing."""
    unpaid: list[Payment]
    """Said to be captured, and not in the acquirer's book."""
    charged_twice: list[Payment]
    refused: list[Payment]
    """Refused by an answer that no repetition changes, though nothing was wrong with them."""
    never_accepted: list[Payment]

    @classmethod
    def compare(cls, payments: Sequence[Payment], charges: Counter[str]) -> Books:
        """Compare payments with how often the acquirer has charged each card's token."""
        accepted = [one for one in payments if one.identifier]
        return cls(
            lost=[one for one in accepted if one.status not in FINAL],
            failed=[one for one in accepted if one.status in FINAL - {CAPTURED}],
            unpaid=[one for one in accepted if one.status == CAPTURED and not charges[one.token]],
            charged_twice=[one for one in payments if charges[one.token] > 1],
            refused=[one for one in payments if one.refusal],
            never_accepted=[one for one in payments if not one.identifier and not one.refusal],
        )

    def problems(self) -> list[str]:
        """A line for each kind of payment that there should be none of."""
        kinds = {
            "lost": self.lost,
            "not captured": self.failed,
            "captured, and not charged": self.unpaid,
            "charged twice": self.charged_twice,
            "refused": self.refused,
            "never accepted": self.never_accepted,
        }
        return [f"{len(found)} {kind}: {_first(found)}" for kind, found in kinds.items() if found]


def _first(payments: Sequence[Payment]) -> str:
    one = payments[0]
    return f"the first in {one.phase!r}, {one.identifier or one.idempotency_key} {one.refusal or one.status}".strip()


@dataclass(frozen=True)
class LoadRehearsal:
    """Rehearses with a number of customers on the platform that deploy-local made."""

    settings: Settings
    directory: Path
    environment: str
    console: Console

    def run(self, customers: int, pause: float, names: Sequence[str]) -> None:
        """Let the events happen while the customers pay; ``pause`` is in seconds, between two payments of one.

        Raises:
            Refused: nothing is deployed, or an event is unknown.
            Failed: an event did not end well, or a payment was lost, not charged, charged twice or refused.
        """
        events = chosen(names, EVENTS)
        platform = Platform.find(self.settings, self.directory)
        door = front_door(self.settings, platform.server)
        acquirer = platform.run_acquirer()
        keys = [platform.new_key(f"rehearsal-{number}") for number in range(min(customers, NUMBER_OF_MERCHANTS))]
        crowd = Customers(door, [keys[number % len(keys)] for number in range(customers)], pause=pause)
        crowd.begin("start")
        course: Course[Operator] = course_of(crowd, self.console)
        failure = course.happen(events, Operator(platform=platform, environment=self.environment))
        crowd.phase = "end"
        payments = crowd.end()
        self.console.print(f"{len(payments)} payments were sent; reading what became of each ...")
        read_statuses(door, payments, SECONDS_WITHOUT_AN_END)
        self.console.print(table_of(events, payments, crowd.tries, course))
        problems = [
            *idle([one.name for one in events], crowd.tries),
            *Books.compare(payments, charges_of(acquirer)).problems(),
        ]
        if failure or problems:
            raise Failed("\n".join(([failure] if failure else []) + problems))
        self.console.print("each payment was accepted, answered, and charged once")


def course_of(crowd: Customers, console: Console) -> Course[AnOperator]:
    """The course of a rehearsal during which a crowd pays: each of its payments has the event in which it was sent."""

    def begin(name: str) -> None:
        crowd.phase = name

    return Course(console=console, begin=begin, so_far=lambda: f", {crowd.count()} payments so far")


def table_of(
    events: Sequence[Event[AnOperator]],
    payments: Sequence[Payment],
    tries: Counter[tuple[str, str]],
    course: Course[AnOperator],
) -> Table:
    """A row for each event: its wall time, the payments that were sent during it, and what was seen."""
    titles = ["event", "seconds", "payments", "settled", "tries that failed", "longest until accepted"]
    table = Table(*titles, *(["seen"] if course.seen else []), box=None, pad_edge=False)
    for event in events:
        sent = [one for one in payments if one.phase == event.name]
        failed = {outcome: n for (phase, outcome), n in sorted(tries.items()) if phase == event.name}
        failed.pop(ACCEPTED, None)
        cells = [
            event.meaning,
            f"{course.seconds.get(event.name, 0):.0f}",
            str(len(sent)),
            str(sum(one.status in FINAL for one in sent)),
            ", ".join(f"{outcome}: {n}" for outcome, n in failed.items()) or "none",
            f"{max((one.seconds for one in sent), default=0):.1f} s",
        ]
        table.add_row(*cells, *([course.seen.get(event.name, "-")] if course.seen else []))
    return table


def idle(names: Sequence[str], tries: Counter[tuple[str, str]]) -> list[str]:
    """A line for the name of each event during which nobody tried to pay: it has shown nothing."""
    tried = {phase for phase, _ in tries}
    return [f"nobody tried to pay during {name}" for name in names if name not in tried]


def charges_of(acquirer: str) -> Counter[str]:
    """How often the acquirer at a URL has charged each card's token, by its book."""
    entries = httpx.get(f"{acquirer}/_book/entries", trust_env=False).raise_for_status().json()
    return Counter(str(one["subject"]) for one in entries if one["kind"] in FIRST_KINDS and one["status"] == "approved")
