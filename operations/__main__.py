"""`python -m operations`: the commands that people run, by family (operations/cli)."""

from __future__ import annotations

import typer

from operations.cli import deployment, description, operation, payment_api
from operations.outcome import exit_codes

FAMILIES = {
    "Deploy the payment platform": deployment.application,
    "Operate an environment": operation.application,
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
for title, family in FAMILIES.items():
    for command in family.registered_commands:
        command.rich_help_panel = title
    application.add_typer(family)


def main() -> None:
    """Run the command that the arguments name."""
    with exit_codes():
        application(prog_name="python -m operations")


if __name__ == "__main__":
    main()
