"""``python -m emulator.ministack``: the local AWS of the payment API in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emulator.lifetime import CannotServeError
from emulator.ministack.server import serve

DEFAULT_PORT = 5577
DEFAULT_DIRECTORY = Path(".local-api")
EXIT_CANNOT_SERVE = 2


def main(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port on 127.0.0.1.")] = DEFAULT_PORT,
    directory: Annotated[Path, typer.Option(file_okay=False, help="Takes the state: server.json.")] = DEFAULT_DIRECTORY,
) -> None:
    """Serve until SIGTERM or Ctrl-C. Exit code 2: the port is in use, or a server already runs in the directory."""
    try:
        serve(port, directory)
    except CannotServeError as refusal:
        Console(stderr=True, soft_wrap=True).print(f"emulator: {refusal}", style="red", highlight=False, markup=False)
        raise typer.Exit(EXIT_CANNOT_SERVE) from None


if __name__ == "__main__":
    typer.run(main)
