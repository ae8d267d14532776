"""What the tests of the payments service share: one PostgreSQL server a run, and databases with the schema."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from payments.migrate import migrate
from tests import postgresql
from tests.postgresql import Postgresql


@dataclass(frozen=True)
class Database:
    """A database of the server."""

    server: Postgresql
    name: str

    def connect(self) -> psycopg.Connection[Any]:
        """A connection of the superuser that commits by itself."""
        return self.server.connect(database=self.name)


@contextmanager
def database_of(server: Postgresql) -> Iterator[Database]:
    """A database of its own, dropped afterwards with all connections to it."""
    name = f"test_{secrets.token_hex(6)}"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield Database(server, name)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def server() -> Iterator[Postgresql]:
    """PostgreSQL."""
    with postgresql.running() as server:
        yield server


@pytest.fixture
def empty_database(server: Postgresql) -> Iterator[Database]:
    """A database of its own, without anything in it."""
    with database_of(server) as database:
        yield database


@pytest.fixture
def database(empty_database: Database) -> Database:
    """A database of its own, with the schema."""
    migrate(empty_database.connect)
    return empty_database


@pytest.fixture(scope="session")
def shared_database(server: Postgresql) -> Iterator[Database]:
    """A database with the schema that tests use together, each with payments of its own."""
    with database_of(server) as database:
        migrate(database.connect)
        yield database


@pytest.fixture
def connection(shared_database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the shared database."""
    with shared_database.connect() as connection:
        yield connection
