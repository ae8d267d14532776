"""``python -m emulator``: the command line of the local AWS."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emulator import process
from emulator.clock import DEFAULT_SECONDS_PER_MINUTE
from emulator.lifetime import CannotServeError
from emulator.runtime import stand_in
from emulator.server import serve

DEFAULT_PORT = 5566
DEFAULT_DIRECTORY = Path(".local-aws")
EXIT_CANNOT_SERVE = 2

application = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode="rich")


@application.callback()
def main() -> None:
    """A local AWS to rehearse deployments on: no account, no network, nothing to pay."""


@application.command("serve")
def serve_command(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port on 127.0.0.1.")] = DEFAULT_PORT,
    directory: Annotated[
        Path, typer.Option(file_okay=False, help="Takes the record: calls.jsonl, violations.jsonl, server.json.")
    ] = DEFAULT_DIRECTORY,
    contract: Annotated[
        bool,
        typer.Option(help="Hold every request against AWS's published model. Off only to measure what that costs."),
    ] = True,
    seconds_per_minute: Annotated[
        float, typer.Option(min=0.001, help="How long a minute of a release takes; 60 is real time.")
    ] = DEFAULT_SECONDS_PER_MINUTE,
    tasks: Annotated[
        int, typer.Option(min=0, help="How many tasks of a service run at most, as processes; 0 are none.")
    ] = 0,
) -> None:
    """Serve the local AWS in the foreground until SIGTERM or Ctrl-C.

    Everything it knows is in memory and ends with it. Exit code 2: the port is in use, or a local AWS already runs in
    the directory.
    """
    console = Console(soft_wrap=True)
    try:
        serve(
            port,
            directory,
            contract=contract,
            seconds_per_minute=seconds_per_minute,
            tasks=tasks,
            ready=lambda url: console.print(f"local AWS ready at {url}, record in {directory}", highlight=False),
        )
    except CannotServeError as refusal:
        Console(stderr=True, soft_wrap=True).print(f"emulator: {refusal}", style="red", highlight=False, markup=False)
        raise typer.Exit(EXIT_CANNOT_SERVE) from None


@application.command("stand-in")
def stand_in_command(
    image: Annotated[str, typer.Argument(help="The image, by digest, for whose tasks it answers.")],
    *,
    status: Annotated[int, typer.Option(min=200, max=599, help="The status of every answer.")] = 200,
    body: Annotated[str, typer.Option(help="The body of every answer.")] = "",
    directory: Annotated[
        Path, typer.Option(file_okay=False, help="The directory of the local AWS.")
    ] = DEFAULT_DIRECTORY,
) -> None:
    """Answer in the place of an image's tasks, which do not run here, until SIGTERM or Ctrl-C.

    Exit code 2: no local AWS runs in the directory.
    """
    server = process.find(directory)
    if server is None:
        Console(stderr=True).print(f"emulator: no local AWS runs in {directory}", style="red", highlight=False)
        raise typer.Exit(EXIT_CANNOT_SERVE)
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with stand_in.serving(server, image, status, body.encode()):
        said = f"{image} answers {status} in the local AWS at {server.url}; Ctrl-C ends that"
        Console(soft_wrap=True).print(said, highlight=False, markup=False)
        signal.sigwait(signals)


@application.command("databases")
def databases_command(
    *,
    directory: Annotated[
        Path, typer.Option(file_okay=False, help="The directory of the local AWS.")
    ] = DEFAULT_DIRECTORY,
) -> None:
    """Let PostgreSQL run behind the database clusters, and print their endpoints as lines of a hosts file.

    The authority that has signed their certificates is in authority.pem in the directory. Exit code 2: no local AWS
    runs there, or the servers cannot start.
    """
    server = process.find(directory)
    try:
        if server is None:
            raise process.EmulatorError(f"no local AWS runs in {directory}")
        found = process.databases(server)
    except process.EmulatorError as refusal:
        Console(stderr=True, soft_wrap=True).print(f"emulator: {refusal}", style="red", highlight=False, markup=False)
        raise typer.Exit(EXIT_CANNOT_SERVE) from None
    (directory / "authority.pem").write_text(found.authority, encoding="ascii")
    for name, address in found.names.items():
        Console(soft_wrap=True).print(f"{address} {name}", highlight=False, markup=False)


if __name__ == "__main__":
    application(prog_name="python -m emulator")
