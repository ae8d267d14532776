"""The programs that run on the payment API, and what each calls of AWS: its calls.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2]
SERVICE = "payments service"
PROGRAMS = {
    **{path.name: path for path in (PROJECT / "lambda").iterdir()},
    SERVICE: PROJECT / "services" / "payments",
}
OF_API = (
    *("administer_merchants", "prepare_database", "process_payment", "reconcile_payments", "rotate_api_key"),
    *("rotate_database_secret", "show_certificate", "smoke_test"),
    SERVICE,
)


def calls_of(program: str) -> dict[str, list[str]]:
    """What a program calls, by thing."""
    read: dict[str, list[str]] = tomllib.loads((PROGRAMS[program] / "calls.toml").read_text())
    return read
