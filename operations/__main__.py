"""`python -m operations`: the commands that people run, by family (operations/cli)."""

from __future__ import annotations

import os
import signal
from typing import Annotated, NoReturn


def _end_in_silence(*_: object) -> NoReturn:
    os._exit(130)


# Ctrl-C while all that follows is loaded, which takes a while: nothing has begun.
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end_in_silence)

import typer  # noqa: E402

from operations.cli import deployment, description, merchants, operation, payment_api  # noqa: E402
from operations.outcome import exit_codes  # noqa: E402

FAMILIES = {
    "Deploy the payment platform": deployment.application,
    "Operate an environment": operation.application,
    "Merchants of either system": merchants.application,
    "The payment API": payment_api.application,
    "Describe an environment": description.application,
}

application = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The payment platform's commands. Exit codes: 0 success, 1 failure, 2 bad input or an unmet condition, "
    "130 interrupted (Terraform then ends by itself and releases its lock).",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from operations.version import version

        typer.echo(version())
        raise typer.Exit


@application.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version, and end.")
    ] = False,
) -> None:
    """Options before a command."""


for title, family in FAMILIES.items():
    for command in family.registered_commands:
        command.rich_help_panel = title
    application.add_typer(family)


def main() -> None:
    """Run the command that the arguments name."""
    with exit_codes():
        if signal.getsignal(signal.SIGINT) is _end_in_silence:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        application(prog_name="python -m operations")


if __name__ == "__main__":
    main()
