"""`python -m tests.load`: payments under load while processes are killed; the books are compared to the minor unit at
the end.

Exit codes: 0 everything is right, 1 something is not, 2 bad input.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from operations.outcome import console, exit_codes

if TYPE_CHECKING:
    from tests.load.size import Size

application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@application.command()
def load(
    *,
    payments: Annotated[int | None, typer.Option(min=1, help="How many are taken altogether.")] = None,
    in_flight: Annotated[int | None, typer.Option(min=1, help="How many are to be in flight at once.")] = None,
    clients: Annotated[int | None, typer.Option(min=1, max=2000, help="Connections of customers.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=16)] = None,
    services: Annotated[int | None, typer.Option(min=1, max=16)] = None,
    at_once: Annotated[int | None, typer.Option(min=1, max=1000, help="Messages at once in a worker.")] = None,
    seconds_between_kills: Annotated[float | None, typer.Option(min=0.5)] = None,
    seed: Annotated[int | None, typer.Option(help="Another one lets other things happen.")] = None,
    outage: Annotated[float, typer.Option(min=0, help="Seconds that the acquirer is down, under load.")] = 0.0,
    brown_out: Annotated[float, typer.Option(min=0, help="Seconds in which each call to the queue takes 3.4.")] = 0.0,
    lost_seconds: Annotated[float, typer.Option(min=0, help="Last seconds that the database loses, under load.")] = 0.0,
    migrate: Annotated[bool, typer.Option("--migrate", help="Migrate under load, beside an open transaction.")] = False,
    release: Annotated[
        bool, typer.Option("--release", help="Replace the version by a new one with a migration, under load.")
    ] = False,
    rows: Annotated[int, typer.Option(min=0, help="Payments of years ago, there before.")] = 0,
    merchants: Annotated[int, typer.Option(min=2, max=500, help="With --flood: how many pay.")] = 50,
    flood: Annotated[bool, typer.Option("--flood", help="Only measure the others' latency while one floods.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A small load, as in the tests.")] = False,
    image: Annotated[Path | None, typer.Option(help="Where to write the picture, as SVG.")] = None,
    logs: Annotated[Path | None, typer.Option(help="Where to keep the logs of all processes.")] = None,
) -> None:
    """Take payments under load while processes are killed, and hold the books against each other."""
    from payments.processing.settings import ProcessingSettings
    from tests.load.load import run
    from tests.load.report import show
    from tests.load.size import QUICK, Size
    from tests.load.world import world

    given = {
        "payments": payments,
        "in_flight": in_flight,
        "clients": clients,
        "workers": workers,
        "services": services,
        "at_once": at_once,
        "seconds_between_kills": seconds_between_kills,
        "seed": seed,
    }
    size = replace(QUICK if quick else Size(), **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    if outage or brown_out or lost_seconds or migrate or release:  # the acquirer works at the beginning
        size = replace(size, outage=False, outage_seconds=outage, brown_out_seconds=brown_out, migrate=migrate)
        size = replace(size, release=release, lost_seconds=lost_seconds)
        size = replace(size, tries=ProcessingSettings().tries, in_flight=in_flight or size.payments)
    if outage:  # what is given up is poisoned for sure
        size = replace(size, failing_percent=0.0, silent_percent=0.0)
    size = replace(size, rows=rows)
    out = console()
    folder = Path(tempfile.mkdtemp(prefix="load-"))
    if flood:
        _flood(replace(size, merchants=merchants, services=services or 1, workers=1, outage=False), folder)
        return
    try:
        with world(size, folder) as made:
            result = asyncio.run(run(made, lambda text: out.print(text, markup=False)))
        show(result, out, image)
    finally:
        if logs:
            shutil.copytree(folder, logs, dirs_exist_ok=True)
        shutil.rmtree(folder)
    if result.problems:
        sys.exit(1)


def _flood(size: Size, folder: Path) -> None:
    """Compare the latency of many merchants with and without the flood of one of them."""
    from tests.load.flood import compare
    from tests.load.world import world

    out = console()
    try:
        with world(size, folder) as made:
            found = asyncio.run(compare(made, lambda text: out.print(text, markup=False)))
    finally:
        shutil.rmtree(folder)
    for name, one in (("without the flood", found.quiet), ("with the flood", found.flooded)):
        out.print(
            f"{name}: {len(one.milliseconds)} payments of the others, "
            f"p50 {one.percentile(50):.1f} ms, p99 {one.percentile(99):.1f} ms",
            markup=False,
        )
    out.print(f"the flooding merchant got {dict(found.flood)}", markup=False)
    out.print(f"the others' p99 with the flood is {found.ratio:.2f} times that without", markup=False)
    for problem in found.problems:
        out.print(problem, markup=False)
    if found.problems:
        sys.exit(1)


if __name__ == "__main__":
    with exit_codes():
        application(prog_name="python -m tests.load")
