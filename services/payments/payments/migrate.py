"""Brings the database's schema up to date: `python -m payments migrate`.

Steps are safe while the version before serves: they expand (a column that may be empty, a table, an index made
concurrently) and contract only what no running version uses any more. A step that must wait for a lock gives up soon,
as all who come after it wait too, and is tried again, as is one that a deadlock has ended; otherwise it may take as
long as it takes. A step that builds an index does so `IF NOT EXISTS`, after all else that it does: what an attempt
that gave up has left of the index is removed before the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from payments.roles import GRANTS, RIGHTS, Process

SCHEMA = "payments"
MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x7061796D656E7473  # "payments": one migration run at a time
LOCK_TIMEOUT_SECONDS = 2
WAIT_SECONDS = 600
"""How long a migration run waits for another one."""
ATTEMPTS = 30
SECONDS_BETWEEN_ATTEMPTS = 1.0
# An index that is being built at the moment is not valid yet either.
INVALID_INDEXES = """
SELECT index.relname
FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = %s AND NOT indisvalid
  AND indexrelid NOT IN (SELECT index_relid FROM pg_stat_progress_create_index WHERE index_relid IS NOT NULL)
"""
# Made by the migration from which on each process has a login of its own (0017).
HAS_LOGINS = "SELECT EXISTS (SELECT FROM pg_policies WHERE schemaname = %s AND policyname = 'published_rows')"
# What a login is a member of beside its own rights: those of other processes, and a role that it shares with others.
RIGHTS_OF_OTHERS = """
SELECT DISTINCT role.rolname
FROM pg_auth_members JOIN pg_roles AS role ON role.oid = roleid JOIN pg_roles AS login ON login.oid = member
WHERE login.rolname = %(login)s AND role.rolname <> %(own)s AND EXISTS (
    SELECT FROM pg_roles AS rights
    WHERE rights.rolname = ANY(%(rights)s) AND pg_has_role(role.oid, rights.oid, 'MEMBER')
)
"""
Connect = Callable[[], psycopg.Connection[Any]]


def migrate(
    connect: Connect,
    *,
    logins: Mapping[str, Process] | None = None,
    directory: Path = MIGRATIONS,
    attempts: int = ATTEMPTS,
    wait_seconds: float = WAIT_SECONDS,
) -> str:
    """Run the missing migrations, one migration run at a time.

    Args:
        connect: opens a connection of the schema's owner.
        logins: existing users by name, and the process of each, whose rights it gets. It loses those of all other
            processes, unless this is the run that gives each process its login: until the next run, the version before
            goes on with the login that it had for all.
        directory: where the steps are.
        attempts: how often a step is tried that must wait for a lock, or that a deadlock ends.
        wait_seconds: how long another one who migrates is waited for.

    Returns:
        The schema's migration.

    Raises:
        psycopg.errors.LockNotAvailable: a lock could not be had in any of the attempts, or another one still migrates.
        psycopg.errors.DeadlockDetected: the last attempt was ended by a deadlock.
    """
    with closing(connect()) as guard:
        guard.autocommit = True
        _take_time(guard)
        _wait_for_others(guard, wait_seconds)
        guard.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
        _create_roles(guard)
        shared = _version(guard) is not None and guard.execute(HAS_LOGINS, (SCHEMA,)).fetchone() != (True,)
        for attempt in range(1, attempts + 1):
            _drop_invalid_indexes(guard)
            try:
                _upgrade(connect, directory)
                break
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                if attempt == attempts:
                    raise
                time.sleep(SECONDS_BETWEEN_ATTEMPTS)
        if directory == MIGRATIONS:  # the grants are those of this version's schema
            _grant(guard)
        for login, process in (logins or {}).items():
            _assign(guard, login, process, shared=shared)
        return _version(guard) or ""


def _version(guard: psycopg.Connection[Any]) -> str | None:
    """The schema's migration; None where there is no schema yet."""
    if guard.execute("SELECT to_regclass('payments.schema_version')").fetchone() == (None,):
        return None
    row = guard.execute("SELECT version_num FROM payments.schema_version").fetchone()
    return str(row[0]) if row else None


def _create_roles(guard: psycopg.Connection[Any]) -> None:
    """Create the roles of :data:`RIGHTS`.

    Roles belong to the server, not to the database: another run may create one at the same moment.
    """
    for role in RIGHTS:
        if not guard.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
            with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
                guard.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))


def _grant(guard: psycopg.Connection[Any]) -> None:
    """Give each role the rights of :data:`GRANTS`, and take from it any other: at once, as requests go on."""
    with guard.transaction():
        for role, granted in GRANTS.items():
            for kind in ("TABLES", "FUNCTIONS", "SEQUENCES"):
                revoke = f"REVOKE ALL ON ALL {kind} IN SCHEMA {SCHEMA} FROM {{}}"
                guard.execute(sql.SQL(revoke).format(sql.Identifier(role)))
            for one in (f"USAGE ON SCHEMA {SCHEMA}", *granted):
                guard.execute(sql.SQL("GRANT {} TO {}").format(sql.SQL(one), sql.Identifier(role)))


def _assign(guard: psycopg.Connection[Any], login: str, process: Process, *, shared: bool) -> None:
    """Give a login the rights of its process, and take from it those of others, unless it is still ``shared``."""
    with guard.transaction():
        guard.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(process.rights), sql.Identifier(login)))
        if shared:
            return
        asked = {"login": login, "own": process.rights, "rights": list(RIGHTS)}
        for (role,) in guard.execute(RIGHTS_OF_OTHERS, asked).fetchall():
            guard.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(role), sql.Identifier(login)))
        names = sql.Identifier(guard.info.dbname), sql.Identifier(login)
        for change in ("REVOKE ALL ON DATABASE {0} FROM {1}", "GRANT CONNECT ON DATABASE {0} TO {1}"):
            guard.execute(sql.SQL(change).format(*names))


def _take_time(connection: psycopg.Connection[Any]) -> None:
    """Lift limits that do not fit a migration: the timeouts of the service's connections, and row-level security.

    Locks have a timeout of their own.
    """
    connection.execute("SELECT set_config('payments.migrating', 'on', false)")
    for setting in ("statement_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(sql.SQL("SET {} = 0").format(sql.Identifier(setting)))
    connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(f"{LOCK_TIMEOUT_SECONDS}s")))


def _wait_for_others(guard: psycopg.Connection[Any], seconds: float) -> None:
    """Take the advisory lock of migration runs, until the connection is closed.

    It polls, because a waiting statement would hold a snapshot, for whose end a concurrent index build of the other run
    would wait.
    """
    deadline = time.monotonic() + seconds
    while guard.execute("SELECT pg_try_advisory_lock(%s)", (ADVISORY_LOCK,)).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise psycopg.errors.LockNotAvailable("somebody else still migrates")
        time.sleep(SECONDS_BETWEEN_ATTEMPTS)


def _drop_invalid_indexes(guard: psycopg.Connection[Any]) -> None:
    """Drop invalid indexes of failed concurrent builds: they cost writes, are never read, and block the next build.

    https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
    """
    for (name,) in guard.execute(INVALID_INDEXES, (SCHEMA,)).fetchall():
        guard.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(SCHEMA, name)))


def _upgrade(connect: Connect, directory: Path) -> None:
    # Imported only here: the service itself does not need them.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import DBAPIError

    # The isolation level is named, or SQLAlchemy would leave the connection in the autocommit that it was opened with:
    # a migration that fails half-way would not be rolled back.
    engine = create_engine(
        "postgresql+psycopg://", creator=connect, poolclass=NullPool, isolation_level="READ COMMITTED"
    )
    configuration = Config()
    configuration.set_main_option("script_location", str(directory))
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        _take_time(driver)
        driver.commit()
        configuration.attributes["connection"] = connection
        try:
            command.upgrade(configuration, "head")
        except DBAPIError as error:
            raise error.orig or error from None
