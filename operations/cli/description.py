"""Commands that describe an environment before it is deployed: its cost and its architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from operations.outcome import console

application = typer.Typer()


@application.command()
def estimate(
    environments: Annotated[
        list[str] | None, typer.Argument(help="Names in settings/environments, or .toml files; default: all.")
    ] = None,
    *,
    prices: Annotated[Path | None, typer.Option(help="A table like operations/estimate/prices.toml.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write docs/cost.md instead.")] = False,
) -> None:
    """Show the monthly cost of environments before any use, and what the figure excludes."""
    from operations.estimate import command as estimates

    if write:
        estimates.PAGE.write_text(estimates.page(), encoding="utf-8")
    else:
        estimates.run(environments or [], prices, console())


@application.command()
def picture(
    plan: Annotated[
        str | None,
        typer.Argument(
            help="Output of terraform show -json, or a cdk.tf.json; - for standard input. Default: synthesize now."
        ),
    ] = None,
    *,
    environment: Annotated[str, typer.Option(help="The environment to synthesize where no PLAN is given.")] = "local",
    output: Annotated[
        Path | None,
        typer.Option(
            help="The SVG file. Default: docs/architecture.svg; without PLAN also the tables in docs/architecture.md."
        ),
    ] = None,
) -> None:
    """Draw the architecture of a plan or an environment as an SVG."""
    from operations.picture.command import run

    run(plan, environment, output, console())
