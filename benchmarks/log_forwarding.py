"""`make test-log-forwarding`: forwards a file of a million lines through throttling and a crash, and counts.

Exit codes: 0 nothing was lost, 1 a line was lost or a limit of CloudWatch Logs broken.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from emulator import process
from operations.outcome import console
from tests.functions.log_forwarding import BUCKET, Killed, World, access_lines, world_with

MALFORMED_EVERY = 100
THROTTLED_EVERY = 7


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What became of one file."""

    lines: int
    seconds: float
    unpacking_seconds: float
    arrived: Counter[str]
    calls: int
    throttled: int
    broken_limits: int
    peak_mib: float

    @property
    def lost(self) -> int:
        """Lines that did not arrive."""
        return self.lines - len(self.arrived)

    @property
    def row(self) -> list[str]:
        """As a row of the table."""
        return [
            f"{self.lines:,}",
            f"{self.lost:,}",
            f"{sum(self.arrived.values()) - len(self.arrived):,}",
            str(self.broken_limits),
            f"{self.calls} ({self.throttled})",
            f"{self.seconds:.1f}",
            f"{self.lines / self.seconds:,.0f}",
            f"{self.seconds / self.unpacking_seconds:.1f}",
            f"{self.peak_mib:.0f}",
        ]


def lines_of(count: int) -> Iterator[str]:
    """Numbered lines, of which some are malformed."""
    for number, line in enumerate(access_lines(count)):
        yield f"malformed {number} \x00 ünïcode\n" if number % MALFORMED_EVERY == 7 else line


def measure(world: World, lines: int, *, crash: bool) -> Measured:
    """Forward a file of so many lines, again after a crash in its middle."""
    key = world.put(lines_of(lines), f"{lines}-{crash}.log.gz")
    world.logs.throttle_every = THROTTLED_EVERY
    if crash:
        middle = lines // 4000  # about half of the calls
        world.logs.after_storing = lambda call: world.kill() if call == middle else None
        try:
            world.forward(key)
        except Killed:
            world.logs.after_storing = lambda _: None
        else:
            raise AssertionError("the crash did not happen")
    began = time.monotonic()
    run = world.forward(key)
    seconds = time.monotonic() - began
    assert run.failed == [], run.output
    return Measured(
        lines=lines,
        seconds=seconds,
        unpacking_seconds=_unpacking_seconds(world, key),
        arrived=Counter(world.logs.messages),
        calls=world.logs.calls,
        throttled=world.logs.throttled,
        broken_limits=len(world.logs.broken_limits),
        peak_mib=run.peak_kib / 1024,
    )


def _unpacking_seconds(world: World, key: str) -> float:
    """How long it takes to read and unpack the file, and to do nothing with it."""
    began = time.monotonic()
    with gzip.GzipFile(fileobj=world.s3.get_object(Bucket=BUCKET, Key=key)["Body"]) as unpacked:
        for _ in unpacked:
            pass
    return time.monotonic() - began


def table(measured: Iterable[Measured]) -> Table:
    """What was measured, a row a file."""
    columns = (
        "lines",
        "lost",
        "twice",
        "limits broken",
        "calls (throttled)",
        "seconds",
        "lines/s",
        "to unpacking",
        "MiB",
    )
    made = Table(*columns, title="Forwarding of load balancer logs; the second file after a crash in its middle")
    for column in made.columns:
        column.justify = "right"
    for one in measured:
        made.add_row(*one.row)
    return made


def main(lines: Annotated[int, typer.Option(min=20_000, help="Lines of the large file.")] = 1_000_000) -> None:
    """Forward a small file and a large one, through throttling; the large one crashes in its middle first."""
    measured = []
    with tempfile.TemporaryDirectory() as folder, process.running(Path(folder) / "local-aws") as server:
        for count, crash in ((lines // 10, False), (lines, True)):
            with console(stderr=True).status(f"{count:,} lines"), world_with(server.url) as world:
                measured.append(measure(world, count, crash=crash))
    console().print(table(measured))
    sys.exit(1 if any(one.lost or one.broken_limits for one in measured) else 0)


if __name__ == "__main__":
    typer.run(main)
