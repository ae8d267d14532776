"""Brings the database's schema up to date: `python -m payments migrate`.

Steps are safe while the version before serves: they expand (a column that may be empty, a table, an index made
concurrently) and contract only what no running version uses any more. A step that must wait for a lock gives up soon,
as all who come after it wait too, and is tried again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

SCHEMA = "payments"
MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x7061796D656E7473  # "payments": one who migrates at a time
LOCK_TIMEOUT_SECONDS = 2
ATTEMPTS = 30
SECONDS_BETWEEN_ATTEMPTS = 1.0
# What the application may do. A payment changes by its operations alone.
GRANTS = (
    "GRANT USAGE ON SCHEMA payments TO {role}",
    "GRANT SELECT, INSERT ON payments.payments TO {role}",
    "GRANT SELECT, INSERT, UPDATE ON payments.operations TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON payments.outbox TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON payments.idempotency_keys TO {role}",
    "GRANT SELECT ON payments.transitions, payments.schema_version TO {role}",
)

Connect = Callable[[], psycopg.Connection[Any]]


def migrate(
    connect: Connect,
    *,
    application_role: str | None = None,
    directory: Path = MIGRATIONS,
    attempts: int = ATTEMPTS,
) -> str:
    """Run the steps that are missing, one who migrates at a time.

    Args:
        connect: opens a connection of the schema's owner.
        application_role: who may use the tables afterwards.
        directory: where the steps are.
        attempts: how often a step is tried that must wait for a lock.

    Returns:
        The step that the schema is at.

    Raises:
        psycopg.errors.LockNotAvailable: a lock could not be had in any of the attempts.
    """
    with closing(connect()) as guard:
        guard.autocommit = True
        guard.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        guard.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
        for attempt in range(1, attempts + 1):
            try:
                _upgrade(connect, directory)
                break
            except psycopg.errors.LockNotAvailable:
                if attempt == attempts:
                    raise
                time.sleep(SECONDS_BETWEEN_ATTEMPTS)
        if application_role:
            for grant in GRANTS:
                guard.execute(sql.SQL(grant).format(role=sql.Identifier(application_role)))
        row = guard.execute("SELECT version_num FROM payments.schema_version").fetchone()
    return str(row[0]) if row else ""


def _upgrade(connect: Connect, directory: Path) -> None:
    # Only here: the service itself does not need them.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import DBAPIError

    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
    configuration = Config()
    configuration.set_main_option("script_location", str(directory))
    with engine.connect() as connection:
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
        connection.commit()
        configuration.attributes["connection"] = connection
        try:
            command.upgrade(configuration, "head")
        except DBAPIError as error:
            raise error.orig or error from None
