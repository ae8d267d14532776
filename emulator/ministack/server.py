"""Ministack with its additions, on 127.0.0.1 only, behind the local AWS of the payment API."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from emulator.address import HOST
from emulator.cloudformation.front import URL_VARIABLE
from emulator.process import ACCOUNT_ID


def environment(port: int) -> dict[str, str]:
    """Environment variables that ministack reads when it is imported."""
    return {
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "0",
    }


def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port on 127.0.0.1.")],
    front: Annotated[str, typer.Option(help="The URL of the local AWS in front.")],
) -> None:
    """Serve until the process is killed. Everything it knows is in memory and ends with it."""
    os.environ.update({**environment(port), URL_VARIABLE: front})
    from ministack import app

    from emulator.ministack import additions

    additions.install()
    app.app = additions.wrapped(app.app)
    sys.argv[1:] = []  # ministack reads it
    app.main()


if __name__ == "__main__":
    typer.run(serve)
