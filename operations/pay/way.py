"""The way of a payment, from the records of the local AWS: who did what, when, and which statement allowed it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.table import Table
from rich.text import Text

from emulator.record import Call, RecordedPassage, read_calls, read_passages, read_refusals


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One hop: at what time, who, what it did, and what came of it or allowed it."""

    time: str
    who: str
    what: str
    said: str


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage that a payment passes; ``is_reached`` where one of the records is of it."""

    name: str
    is_reached: bool


@dataclass(frozen=True, kw_only=True)
class Place:
    """Whose records are of the payment: the platform's host, the roles of task and function, the acquirer's host.

    Roles are named for a region: those of each that may serve, as after a failover.
    """

    host: str
    task_roles: tuple[str, ...]
    function_roles: tuple[str, ...]
    function: str
    acquirer: str
    path: str = "/api/v1/payments"
    door: str = "distribution"
    """The kind of the passage by which requests come in."""
    authorizer: str = ""
    """The function that authorizes requests at the door, if there is one."""


DOORS = {"distribution": "CloudFront", "gateway": "API Gateway"}
STATEMENTS_APART = "; "
_DURATION = re.compile(r" in \d+ ms$")
INGRESS = {"distribution", "gateway", "web ACL", "load balancer"}
"""The kinds of passages of a customer's request, whose path is the payments'."""


def hops(directory: Path, since: str, place: Place) -> list[Hop]:
    """The hops since a time (ISO 8601, UTC), in their order."""
    found = [_of_call(one, place) for one in _calls(directory, since, place)]
    found += [_of_passage(one) for one in _passages(directory, since, place)]
    found += [
        Hop(
            time=one.time,
            who=one.principal.rpartition("assumed-role/")[2],
            what=one.action,
            said=f"REFUSED: {one.missing}",
        )
        for one in read_refusals(directory)
        if one.time >= since and _is_of(one.principal, place)
    ]
    return sorted(found, key=lambda one: one.time)


def drawn(found: Iterable[Hop]) -> Table:
    """The hops as a reader wants them: a line for each, with its answer, or each statement that allowed it, below.

    A hop that is made again, as each look at a payment that is not yet settled, is there once, with how often.
    """
    table = Table(box=None, show_header=False, pad_edge=False)
    for hop, times in _counted(found):
        again = f"  ({times} times)" if times > 1 else ""
        said = "".join(f"\n    {line}" for line in hop.said.split(STATEMENTS_APART))
        table.add_row(
            hop.time[11:23], Text(f"{hop.who}  {hop.what}{again}", style="bold").append(said, style="not bold")
        )
    return table


def _counted(found: Iterable[Hop]) -> list[tuple[Hop, int]]:
    """Each hop as it was first made, and how often; one that ended otherwise is another."""
    firsts: dict[Hop, Hop] = {}
    times: dict[Hop, int] = {}
    for hop in found:
        same = replace(hop, time="", said=_DURATION.sub("", hop.said))
        firsts.setdefault(same, hop)
        times[same] = times.get(same, 0) + 1
    return [(firsts[same], count) for same, count in times.items()]


def stages(directory: Path, since: str, place: Place, *, status: str) -> list[Stage]:
    """The stages of a payment, in their order; ``status`` is the payment's as it was last read."""
    calls, passages = _calls(directory, since, place), _passages(directory, since, place)
    done = {(one.operation.removesuffix("Batch"), _role_of(one, place)) for one in calls if one.status == 200}  # noqa: PLR2004

    roles = {role for _, role in done}  # a function is recorded at its end, its calls as they are made

    def passed(kind: str, outcome: Sequence[str]) -> bool:
        return any(
            one.kind == kind and one.outcome in outcome and one.what.startswith(("POST", "1")) for one in passages
        )

    return [
        Stage(name=DOORS[place.door], is_reached=passed(place.door, ["201", "202"])),
        Stage(name="load balancer and task", is_reached=passed("load balancer", ["201", "202"])),
        Stage(name="queue", is_reached=("SendMessage", "task") in done),
        Stage(name="function", is_reached="function" in roles or passed("function", ["returned"])),
        Stage(name="acquirer", is_reached=passed("internet", ["200"])),
        Stage(name="settled", is_reached=status in {"captured", "authorized", "declined"}),
    ]


def _calls(directory: Path, since: str, place: Place) -> list[Call]:
    return [one for one in read_calls(directory) if one.time >= since and _is_of(one.assumed_role, place)]


def _passages(directory: Path, since: str, place: Place) -> list[RecordedPassage]:
    def concerns(one: RecordedPassage) -> bool:
        if one.kind in INGRESS:
            return place.path in one.what
        if one.kind == "DNS":
            return one.what == f"A {place.host}"
        return one.kind == "database" or one.who in {place.function, place.acquirer, place.authorizer}

    return [one for one in read_passages(directory) if one.time >= since and concerns(one)]


def _is_of(principal: str, place: Place) -> bool:
    return any(f"/{role}/" in principal for role in (*place.task_roles, *place.function_roles))


def _role_of(call: Call, place: Place) -> str:
    return "task" if any(f"/{role}/" in call.assumed_role for role in place.task_roles) else "function"


def _of_call(call: Call, place: Place) -> Hop:
    said = STATEMENTS_APART.join(call.allowed_by) or "not decided"
    answered = "" if call.status == 200 else f"{call.status} {call.error}: "  # noqa: PLR2004
    return Hop(
        time=call.time,
        who=f"{_role_of(call, place)} {call.assumed_role.split('/')[1]}",
        what=call.action,
        said=answered + said,
    )


def _of_passage(passage: RecordedPassage) -> Hop:
    way = f"{passage.way} -> " if passage.way else ""
    said = f"{way}{passage.outcome} in {passage.seconds * 1000:.0f} ms"
    return Hop(time=passage.time, who=f"{passage.kind} {passage.who}", what=passage.what, said=said)
