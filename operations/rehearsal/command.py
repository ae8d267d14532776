"""The rehearse-load command: customers pay while the platform is operated, and each payment is counted at both ends."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from operations.outcome import Failed, Refused
from operations.pay.platform import FINAL, Platform, front_door
from operations.rehearsal.customers import Customers, Payment, read_statuses
from operations.rehearsal.events import EVENTS, Event, Operator
from settings import Settings

SECONDS_TO_SETTLE = 300.0
NUMBER_OF_MERCHANTS = 3
ACCEPTED, CAPTURED = "202", "captured"
FIRST_KINDS = {"sale", "authorization"}


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
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, customers: int, pause: float, names: Sequence[str]) -> None:
        """Let the events happen while the customers pay; ``pause`` is in seconds, between two payments of one.

        Raises:
            Refused: nothing is deployed, or an event is unknown.
            Failed: an event did not end well, or a payment was lost, not charged, charged twice or refused.
        """
        events = chosen(names)
        platform = Platform.find(self.settings, self.directory)
        door = front_door(self.settings, platform.server)
        acquirer = platform.run_acquirer()
        keys = [platform.new_key(f"rehearsal-{number}") for number in range(min(customers, NUMBER_OF_MERCHANTS))]
        crowd = Customers(door, [keys[number % len(keys)] for number in range(customers)], pause=pause)
        crowd.begin("start")
        failure = self._happen(events, crowd, Operator(platform=platform, environment=self.environment))
        crowd.phase = "end"
        payments = crowd.end()
        self.console.print(f"{len(payments)} payments were sent; reading what became of each ...")
        read_statuses(door, payments, SECONDS_TO_SETTLE)
        self._report(events, payments, crowd.tries)
        problems = [*idle(events, crowd.tries), *Books.compare(payments, charges_of(acquirer)).problems()]
        if failure or problems:
            raise Failed("\n".join(([failure] if failure else []) + problems))
        self.console.print("each payment was accepted, answered, and charged once")

    def _happen(self, events: Sequence[Event], crowd: Customers, operator: Operator) -> str:
        """Let the events happen; the message of the one that failed, after which none happens."""
        for event in events:
            crowd.phase, began = event.name, time.monotonic()
            try:
                event.happen(operator)
            except Failed as failure:
                return f"{event.name}: {failure}"
            finally:
                self.seconds[event.name] = time.monotonic() - began
                self.console.print(f"{event.name}: {self.seconds[event.name]:.0f} s, {crowd.count()} payments so far")
        return ""

    def _report(self, events: Sequence[Event], payments: Sequence[Payment], tries: Counter[tuple[str, str]]) -> None:
        table = Table(
            "event", "seconds", "payments", "settled", "tries that failed", "longest until accepted", box=None
        )
        for event in events:
            sent = [one for one in payments if one.phase == event.name]
            failed = {outcome: n for (phase, outcome), n in sorted(tries.items()) if phase == event.name}
            failed.pop(ACCEPTED, None)
            table.add_row(
                event.meaning,
                f"{self.seconds.get(event.name, 0):.0f}",
                str(len(sent)),
                str(sum(one.status in FINAL for one in sent)),
                ", ".join(f"{outcome}: {n}" for outcome, n in failed.items()) or "none",
                f"{max((one.seconds for one in sent), default=0):.1f} s",
            )
        self.console.print(table)


def chosen(names: Sequence[str]) -> list[Event]:
    """The events of these names, in the order in which they happen; all where none is named.

    Raises:
        Refused: there is no such event.
    """
    known = [one.name for one in EVENTS]
    for name in names:
        if name not in known:
            raise Refused(f"--only: {name!r} is not allowed; an event is: {', '.join(known)}")
    return [one for one in EVENTS if not names or one.name in names]


def idle(events: Sequence[Event], tries: Counter[tuple[str, str]]) -> list[str]:
    """A line for each event during which nobody tried to pay: it has shown nothing."""
    tried = {phase for phase, _ in tries}
    return [f"nobody tried to pay during {one.name}" for one in events if one.name not in tried]


def charges_of(acquirer: str) -> Counter[str]:
    """How often the acquirer at a URL has charged each card's token, by its book."""
    entries = httpx.get(f"{acquirer}/_book/entries", trust_env=False).raise_for_status().json()
    return Counter(str(one["subject"]) for one in entries if one["kind"] in FIRST_KINDS and one["status"] == "approved")
