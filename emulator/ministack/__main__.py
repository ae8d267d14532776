"""``python -m emulator.ministack``: the local AWS of the payment API in the foreground."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from emulator import lifeline
from emulator.address import HOST, TOKENS_VARIABLE
from emulator.answer import Answer
from emulator.behind import BEHIND
from emulator.clock import DEFAULT_SECONDS_PER_MINUTE
from emulator.lifetime import CannotServeError
from emulator.process import free_port
from emulator.server import refuse_port_in_use, serve

DEFAULT_PORT = 5577
DEFAULT_DIRECTORY = Path(".local-api")
EXIT_CANNOT_SERVE = 2

SERVICES = (
    *("apigateway", "application-autoscaling", "cloudformation", "cloudtrail", "dynamodb", "ecr"),
    *("s3", "ssm", "wafv2"),
)
"""By signing name: what ministack serves; everything else is served by moto and runs."""


def _get_usage(region: str, asked: Mapping[str, Any]) -> Answer:
    from emulator.runtime.gateway.usage import get_usage  # it needs moto as the server has changed it

    return get_usage(region, asked)


def main(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port on 127.0.0.1.")] = DEFAULT_PORT,
    directory: Annotated[
        Path, typer.Option(file_okay=False, help="Takes the state and the record.")
    ] = DEFAULT_DIRECTORY,
    tasks: Annotated[int, typer.Option(min=0, help="How many tasks of a service run at most, as processes.")] = 1,
    seconds_per_minute: Annotated[
        float, typer.Option(min=0.001, help="How long a minute of a deployment takes; 60 is real time.")
    ] = DEFAULT_SECONDS_PER_MINUTE,
) -> None:
    """Serve until SIGTERM or Ctrl-C. Exit code 2: the port is in use, or a server already runs in the directory."""
    console = Console(stderr=True, soft_wrap=True)
    try:
        refuse_port_in_use(port)
        behind = free_port()
        command = [sys.executable, "-m", "emulator.ministack.server", "--port", str(behind)]
        variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        held = lifeline.run([*command, "--front", f"http://{HOST}:{port}"], variables)
        os.environ[TOKENS_VARIABLE] = "1"
        BEHIND.begin(f"http://{HOST}:{behind}", SERVICES, {"apigateway GetUsage": _get_usage})
        with held:
            serve(
                port,
                directory,
                tasks=tasks,
                seconds_per_minute=seconds_per_minute,
                ready=lambda url: console.print(f"local AWS ready at {url}", highlight=False),
            )
    except CannotServeError as refusal:
        console.print(f"emulator: {refusal}", style="red", highlight=False, markup=False)
        raise typer.Exit(EXIT_CANNOT_SERVE) from None


if __name__ == "__main__":
    typer.run(main)
