"""Migrations: as long as they take, one at a time, and with no index left that is not valid (Q1, W7.1)."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from payments import migrate as module
from payments.migrate import ADVISORY_LOCK, MIGRATIONS, migrate
from tests.payments.conftest import Database

pytestmark = [pytest.mark.requirement("Q1"), pytest.mark.requirement("W7.1")]

STEP = '''
"""A step more."""

from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("""{statement}""")
'''
INDEX = "CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_of_reference ON payments.payments (reference)"
PATIENCE_SECONDS = 60


@pytest.fixture
def with_step(tmp_path: Path) -> Callable[[str], Path]:
    """The migrations with one step more, of one statement."""

    def made(statement: str) -> Path:
        copied = tmp_path / "migrations"
        shutil.copytree(MIGRATIONS, copied)
        heads = sorted(path.name.partition("_")[0] for path in (copied / "versions").glob("[0-9]*.py"))
        (copied / "versions" / "9999_next.py").write_text(STEP.format(head=heads[-1], statement=statement))
        return copied

    return made


@pytest.fixture
def hurried(database: Database) -> Callable[[], psycopg.Connection[Any]]:
    """Connects as the service does: with timeouts, here short ones."""

    def connect() -> psycopg.Connection[Any]:
        options = "-c statement_timeout=200 -c lock_timeout=100 -c idle_in_transaction_session_timeout=200"
        values = database.server.connection("postgres", database.server.password, database.name)
        return psycopg.connect(**values, options=options, autocommit=True)

    return connect


@pytest.fixture(autouse=True)
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_ATTEMPTS", 0.05)


def valid(database: Database, name: str) -> list[bool]:
    query = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"
    with database.connect() as connection:
        return [bool(one) for (one,) in connection.execute(query, (f"payments.{name}",)).fetchall()]


def test_migration_may_take_longer_than_the_statement_timeout_of_the_service(
    hurried: Callable[[], psycopg.Connection[Any]], with_step: Callable[[str], Path]
) -> None:
    assert migrate(hurried, directory=with_step("SELECT pg_sleep(1)")) == "9999"


def test_second_migration_run_waits_and_finds_nothing_to_do(
    database: Database, hurried: Callable[[], psycopg.Connection[Any]], with_step: Callable[[str], Path]
) -> None:
    directory = with_step("SELECT 1")
    with ThreadPoolExecutor(1) as second, database.connect() as first:
        first.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        asked = threading.Event()
        waiting = second.submit(migrate, asking(hurried, asked), directory=directory)
        assert asked.wait(PATIENCE_SECONDS)
        assert not waiting.done()
        first.execute("SELECT pg_advisory_unlock(%s)", (ADVISORY_LOCK,))
        assert waiting.result(PATIENCE_SECONDS) == "9999"


def asking(
    connect: Callable[[], psycopg.Connection[Any]], asked: threading.Event
) -> Callable[[], psycopg.Connection[Any]]:
    """As ``connect``; ``asked`` is set once the lock was asked for more than once, in vain."""

    def counted() -> psycopg.Connection[Any]:
        connection = connect()
        execute: Any = connection.execute
        times = 0

        def counting(statement: Any, *more: Any, **named: Any) -> Any:
            nonlocal times
            if "pg_try_advisory_lock" in str(statement):
                times += 1
                if times > 1:
                    asked.set()
            return execute(statement, *more, **named)

        setattr(connection, "execute", counting)  # noqa: B010 (its type is overloaded)
        return connection

    return counted


def test_waiting_migration_run_does_not_block_a_concurrent_index_build(
    database: Database, hurried: Callable[[], psycopg.Connection[Any]], with_step: Callable[[str], Path]
) -> None:
    """A statement that waits for the lock holds a snapshot, and the build waits for its end: neither would go on."""
    with ThreadPoolExecutor(1) as second, database.connect() as first:
        first.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        asked = threading.Event()
        waiting = second.submit(migrate, asking(hurried, asked), directory=with_step("SELECT 1"))
        assert asked.wait(PATIENCE_SECONDS)
        with database.connect() as builder:
            builder.execute("SET lock_timeout = '10s'")
            builder.execute(INDEX)
        first.execute("SELECT pg_advisory_unlock(%s)", (ADVISORY_LOCK,))
        assert waiting.result(PATIENCE_SECONDS) == "9999"
    assert valid(database, "payments_of_reference") == [True]


def test_migration_run_that_waits_too_long_fails(
    database: Database, hurried: Callable[[], psycopg.Connection[Any]]
) -> None:
    with database.connect() as first:
        first.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        with pytest.raises(psycopg.errors.LockNotAvailable, match="somebody else still migrates"):
            migrate(hurried, wait_seconds=0)


def test_invalid_index_of_an_earlier_attempt_is_rebuilt(database: Database, with_step: Callable[[str], Path]) -> None:
    with database.connect() as holder, database.connect() as builder, holder.transaction():
        holder.execute("LOCK TABLE payments.payments IN ROW EXCLUSIVE MODE")
        builder.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            builder.execute(INDEX)
    assert valid(database, "payments_of_reference") == [False]
    assert migrate(database.connect, directory=with_step(INDEX)) == "9999"
    assert valid(database, "payments_of_reference") == [True]


def test_index_that_failed_in_one_attempt_is_built_in_the_next(
    database: Database, with_step: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_TIMEOUT_SECONDS", 1)
    left = threading.Event()
    drop: Any = module._drop_invalid_indexes
    attempts = 0

    def dropping(guard: psycopg.Connection[Any]) -> None:
        nonlocal attempts
        attempts += 1
        if attempts > 1:
            left.set()
            assert released.wait(PATIENCE_SECONDS)
        drop(guard)

    released = threading.Event()
    monkeypatch.setattr(module, "_drop_invalid_indexes", dropping)
    with ThreadPoolExecutor(1) as pool, database.connect() as holder:
        with holder.transaction():
            holder.execute("LOCK TABLE payments.payments IN ROW EXCLUSIVE MODE")
            migrating = pool.submit(migrate, database.connect, directory=with_step(INDEX))
            assert left.wait(PATIENCE_SECONDS)
            assert valid(database, "payments_of_reference") == [False]
        released.set()
        assert migrating.result(PATIENCE_SECONDS) == "9999"
    assert valid(database, "payments_of_reference") == [True]
