"""Display of a release in progress: a live view on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from operations.release.progress import Look, Plan
from operations.release.service import Place
from operations.watching import PICTURES_PER_SECOND, SECONDS_BETWEEN_LINES, clock

BAR_CHARACTERS = 30
STYLES = {
    "Succeeded": "green",
    "OK": "green",
    "InProgress": "yellow",
    "Failed": "red",
    "Stopped": "red",
    "ALARM": "bold red",
    "missing": "red",
    "Pending": "dim",
    "Skipped": "dim",
    "INSUFFICIENT_DATA": "dim",
}

Show = Callable[[Look], None]


@contextmanager
def drawn(console: Console, place: Place, plan: Plan) -> Iterator[Show]:
    """Give the block a function that displays a status of the deployment.

    Args:
        console: a terminal shows a live view; other outputs get a line for each change.
        place: environment, region and service.
        plan: for the remaining time.
    """
    if console.is_terminal:
        with _live(console, place, plan) as show:
            yield show
    else:
        yield _lines(console, place, plan)


@contextmanager
def _live(console: Console, place: Place, plan: Plan) -> Iterator[Show]:
    latest: list[Look] = []

    def draw() -> RenderableType:
        return picture(place, plan, latest[-1], datetime.now(UTC)) if latest else Text("asking AWS ...")

    with Live(get_renderable=draw, console=console, refresh_per_second=PICTURES_PER_SECOND) as live:

        def show(look: Look) -> None:
            latest[:] = [look]
            live.refresh()

        yield show


def _lines(console: Console, place: Place, plan: Plan) -> Show:
    said: list[tuple[str, float]] = []

    def show(look: Look) -> None:
        state, now = state_line(place, look), time.monotonic()
        if said and said[-1][0] == state and now - said[-1][1] < SECONDS_BETWEEN_LINES:
            return
        said[:] = [(state, now)]
        times = times_line(look, plan, datetime.now(UTC))
        console.print(f"{state}; {times}", markup=False)

    return show


def state_line(place: Place, look: Look) -> str:
    """Text of a line without the time: a different one is a change."""
    parts = [f"{place.service} {look.deployment_id}: {look.stage}", look.share]
    if on := [alarm.name for alarm in look.alarms if alarm.is_on]:
        parts.append("in alarm: " + ", ".join(on))
    elif look.alarms:
        parts.append(f"no alarm of {len(look.alarms)} is on")
    return "; ".join(parts)


def times_line(look: Look, plan: Plan, now: datetime) -> str:
    """Elapsed time, and the minimum of the remaining time."""
    elapsed = f"{clock(look.elapsed(now))} elapsed"
    remaining = look.remaining(plan, now)
    return f"{elapsed}, at least {clock(remaining)} to go" if remaining else elapsed


def picture(place: Place, plan: Plan, look: Look, now: datetime) -> RenderableType:
    """The release as it is now, for a terminal."""
    head = Text.assemble(
        (place.service, "bold"), f" in {place.region}  {look.deployment_id}  ", (look.stage, _style(look.stage))
    )
    parts: list[RenderableType] = [head, bar(look.green_percent), Text(times_line(look, plan, now), style="dim")]
    parts += _section("lifecycle", [(event.name, event.status, event.message) for event in look.events])
    parts += _section("alarms", [(one.name, one.state, one.reason if one.is_on else "") for one in look.alarms])
    if look.service_events:
        parts.append(Text("\nservice", style="bold"))
        parts += [Padding(Text(line, overflow="ellipsis", no_wrap=True), (0, 0, 0, 2)) for line in look.service_events]
    return Group(*parts)


def bar(green_percent: float | None) -> Text:
    """Traffic shares of blue and green, to scale; distinguishable without colours, too."""
    percent = green_percent or 0.0
    full = round(percent / 100 * BAR_CHARACTERS)
    text = Text.assemble(("█" * full, "green"), ("░" * (BAR_CHARACTERS - full), "blue"), "  ")
    text.append(f"green {percent:.0f} %", "green").append("  ").append(f"blue {100 - percent:.0f} %", "blue")
    return text


def _section(title: str, rows: list[tuple[str, str, str]]) -> list[RenderableType]:
    if not rows:
        return []
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for name, state, message in rows:
        table.add_row(Text("  " + name), Text(state, _style(state)), Text(message, "dim", overflow="ellipsis"))
    return [Text("\n" + title, style="bold"), table]


def _style(state: str) -> str:
    return STYLES.get(state, "")
