"""What tests of rotations share: Secrets Manager, the function, and a database of the test's own."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console
from rich.table import Table

from shared.postgresql_rotation import connection
from tests.postgresql import Postgresql
from tests.rotation.support import REGION, Database, Outside, Vault, database, load_handler

MASTER_PASSWORD, USER_PASSWORD = "master's-first-4711", "user's-first-0815"

# Of `make test-rotation`; 0 otherwise: a shorter run, and no table.
ROTATIONS = int(os.environ.get("ROTATIONS") or 0)


@dataclass
class Figures:
    """What the tests of a run have counted, by strategy or scenario."""

    logins: dict[str, Mapping[str, float]] = field(default_factory=dict)
    crashes: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))

    def logged_in(self, strategy: str, **counted: float) -> None:
        self.logins[strategy] = counted

    def crashed(self, scenario: str, *, works: bool) -> None:
        self.crashes[scenario]["tried"] += 1
        self.crashes[scenario]["works"] += works

    def healed(self, scenario: str) -> None:
        self.crashes[scenario]["healed"] += 1

    def tables(self) -> Iterator[Table]:
        logins = Table("strategy", "rotations", "logins tried", "logins failed", "longest refusal of AWSCURRENT")
        for strategy, counted in self.logins.items():
            window = counted.get("window_seconds")
            shown = [f"{counted[name]:.0f}" for name in ("rotations", "tried", "failed")]
            logins.add_row(strategy, *shown, "none" if window is None else f"{window * 1000:.1f} ms")
        yield logins
        crashes = Table("rotation", "crash points tried", "AWSCURRENT works at once", "healed by the next rotation")
        for scenario, counted in self.crashes.items():
            crashes.add_row(scenario, *(str(counted[name]) for name in ("tried", "works", "healed")))
        total = [sum(counted[name] for counted in self.crashes.values()) for name in ("tried", "works", "healed")]
        crashes.add_row("all", *map(str, total))
        yield crashes


FIGURES = Figures()


@pytest.fixture(scope="session")
def figures() -> Figures:
    """What this run counts."""
    return FIGURES


def pytest_terminal_summary() -> None:
    """Print the figures of `make test-rotation`."""
    if ROTATIONS:
        for table in FIGURES.tables():
            Console(width=120).print(table)


@pytest.fixture
def secrets_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield boto3.client("secretsmanager")


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, postgresql: Postgresql) -> ModuleType:
    """The function, which trusts the tests' CA in place of AWS's."""
    monkeypatch.setattr(connection, "BUNDLE", postgresql.ca)
    connection.verification.cache_clear()
    return load_handler("rotate_database_secret")


@pytest.fixture
def vault(secrets_manager: Any, function: ModuleType) -> Vault:
    return Vault(secrets_manager, function)


@pytest.fixture
def own_database(postgresql: Postgresql) -> Iterator[Database]:
    with database(postgresql, MASTER_PASSWORD, USER_PASSWORD) as made:
        yield made


@pytest.fixture
def master(vault: Vault, own_database: Database) -> str:
    """The ARN of the master's secret."""
    return vault.make(own_database.secret(own_database.master, MASTER_PASSWORD))


@pytest.fixture
def application(vault: Vault, own_database: Database, master: str) -> str:
    """The ARN of the application's secret."""
    return vault.make(own_database.secret(own_database.user, USER_PASSWORD, masterarn=master))


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch, master: str, application: str) -> Outside:
    """All that the function calls from now on."""
    made = Outside()
    made.watch(monkeypatch, connection)
    return made
