"""Display of a failover: status of both regions, steps, and progress of each step.

A terminal shows a display that is updated in place; other outputs get a line for each change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from operations.failover.aws import Aws
from operations.failover.state import RegionState, State
from operations.failover.steps import Seen, Step
from operations.region import Region
from operations.watching import PICTURES_PER_SECOND, SECONDS_BETWEEN_LINES, clock

Show = Callable[[Seen], None]
ALARMS_SHOWN = 3


def found(state: State, aws: Aws) -> Table:
    """Status of both regions, side by side."""
    primary, recovery = (state.regions[place] for place in (Region.PRIMARY, Region.RECOVERY))
    table = Table("", f"primary, {primary.name}", f"recovery, {recovery.name}", box=None, pad_edge=False)
    reached = {True: "get an answer", False: "get no answer", None: "not known"}
    table.add_row("health checkers", *(reached[state.traffic.reached[one.place]] for one in (primary, recovery)))
    table.add_row("requests", *(_requests(state, one.place) for one in (primary, recovery)))
    for name in {**primary.services, **recovery.services}:
        table.add_row(f"tasks of {name}", *(_tasks(one, name) for one in (primary, recovery)))
    table.add_row("database", *(_database(state, aws.names[one.place].database) for one in (primary, recovery)))
    table.add_row("its secret", *(_secret(one) for one in (primary, recovery)))
    table.add_row("releases", *(_list(one, one.releases, "none goes on") for one in (primary, recovery)))
    table.add_row("alarms", *(_list(one, one.alarms, "none is on") for one in (primary, recovery)))
    return table


def _requests(state: State, place: Region) -> str:
    if state.traffic.answered is None:
        return "not known"
    return "go here" if state.traffic.answered is place else ""


def _tasks(region: RegionState, name: str) -> str:
    if name not in region.services:
        return "does not answer"
    one = region.services[name]
    healthy = "" if one.healthy is None else f", {one.healthy} healthy"
    held = ", none is ended" if one.scale_in_suspended else ""
    return f"{one.running} of {one.desired}{healthy}, between {one.least} and {one.most}{held}"


def _database(state: State, cluster: str) -> str:
    database = state.database
    role = "writer" if cluster in database.writers else "reader"
    if cluster in database.unsynchronized:
        role += ", is being synchronized"
    if (move := database.move) and move.to == cluster:
        role += f", {move.status}"
    if cluster not in database.writers and database.lag_milliseconds is not None:
        role += f", {database.lag_milliseconds:.0f} ms behind"
    return role


def _secret(region: RegionState) -> str:
    return {True: "is there", False: "is MISSING", None: "does not answer"}[region.has_secret]


def _list(region: RegionState, names: Sequence[str], none: str) -> str:
    if not region.answers:
        return "does not answer"
    more = f" and {len(names) - ALARMS_SHOWN} more" if len(names) > ALARMS_SHOWN else ""
    return ", ".join(names[:ALARMS_SHOWN]) + more if names else none


def plan(steps: Sequence[Step], state: State) -> Table:
    """The steps, and which are complete."""
    table = Table("", "step", "now", box=None, pad_edge=False)
    for number, step in enumerate(steps, start=1):
        seen = step.seen_in(state)
        table.add_row(f"{number}", step.title, f"done: {seen.text}" if seen.done else seen.text)
    return table


@contextmanager
def watched(console: Console, step: Step, number: int, of: int) -> Iterator[Show]:
    """Give the block a function that displays a step's status."""
    began = time.monotonic()
    latest: list[Seen] = []

    def head() -> str:
        return f"step {number} of {of}, {clock(timedelta(seconds=time.monotonic() - began))}"

    def draw() -> RenderableType:
        text = latest[-1].text if latest else "asking AWS ..."
        return Group(Text.assemble((head(), "bold"), f"  {step.title}"), Text(f"  {text}", style="dim"))

    if console.is_terminal:
        with Live(get_renderable=draw, console=console, refresh_per_second=PICTURES_PER_SECOND, transient=True) as live:

            def show(seen: Seen) -> None:
                latest[:] = [seen]
                live.refresh()

            yield show
        return
    said: list[tuple[str, float]] = []

    def say(seen: Seen) -> None:
        now = time.monotonic()
        if not said or said[-1][0] != seen.text or now - said[-1][1] > SECONDS_BETWEEN_LINES:
            said[:] = [(seen.text, now)]
            console.print(f"  {head()}: {seen.text}", markup=False)

    yield say
