"""What tests of rotations share: Secrets Manager, the function, and a database of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.postgresql import Postgresql
from tests.rotation.support import REGION, Database, Outside, Vault, database, load_handler

MASTER_PASSWORD, USER_PASSWORD = "master's-first-4711", "user's-first-0815"


@pytest.fixture
def secrets_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield boto3.client("secretsmanager")


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, postgresql: Postgresql) -> ModuleType:
    """The function, which trusts the tests' CA in place of AWS's."""
    module = load_handler("rotate_database_secret")
    monkeypatch.setattr(module, "BUNDLE", postgresql.ca)
    module._verification.cache_clear()
    return module


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
def outside(monkeypatch: pytest.MonkeyPatch, function: ModuleType, master: str, application: str) -> Outside:
    """All that the function calls from now on."""
    made = Outside()
    made.watch(monkeypatch, function)
    return made
