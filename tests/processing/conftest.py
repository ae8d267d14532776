"""Fixtures of the processing tests: databases with the schema."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from payments.migrate import migrate
from tests import postgresql
from tests.payments.conftest import Database, database_of
from tests.postgresql import Postgresql


@pytest.fixture(scope="session")
def server() -> Iterator[Postgresql]:
    """PostgreSQL."""
    with postgresql.running({"max_connections": "200"}) as server:
        yield server


@pytest.fixture(scope="session")
def template(server: Postgresql) -> Iterator[str]:
    """A database with the schema, copied for each test: that is faster than a migration."""
    with database_of(server) as database:
        migrate(database.connect)
        yield database.name


@pytest.fixture
def database(server: Postgresql, template: str) -> Iterator[Database]:
    """A database of its own, with the schema."""
    name = f"test_{secrets.token_hex(6)}"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield Database(server, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
