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
from typing import Annotated

import typer

from operations.outcome import console, exit_codes

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
    quick: Annotated[bool, typer.Option("--quick", help="A small load, as in the tests.")] = False,
    image: Annotated[Path | None, typer.Option(help="Where to write the picture, as SVG.")] = None,
    logs: Annotated[Path | None, typer.Option(help="Where to keep the logs of all processes.")] = None,
) -> None:
    """Take payments under load while processes are killed, and hold the books against each other."""
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
    out = console()
    folder = Path(tempfile.mkdtemp(prefix="load-"))
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


if __name__ == "__main__":
    with exit_codes():
        application(prog_name="python -m tests.load")
