"""Operators' access to the database: a role that logs in by IAM alone, and reads what an incident asks for.

It reads no token of a card, no key of a merchant and no body of a response. Its transactions are read-only, and end by
themselves, as do its idle sessions; each of its statements is logged, by pgAudit. Nobody has a password of it.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Appendix.PostgreSQL.CommonDBATasks.pgaudit.exclude-user-db.html
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql

from payments.migrate import LOCK_TIMEOUT_SECONDS
from payments.roles import READABLE_OF_PAYMENTS

MOST_CONNECTIONS = 5
MEMBER_OF = ("rds_iam", "pg_monitor")
"""The role of logins by IAM; and what all sessions do, whom they block, and the figures of statements."""
SETTINGS = {
    "default_transaction_read_only": "on",
    "idle_session_timeout": "15min",
    "statement_timeout": "60s",
    "pgaudit.log": "all",
}
READS = (
    f"SELECT ({READABLE_OF_PAYMENTS}) ON payments.payments",
    "SELECT ON payments.operations, payments.transitions, payments.schema_version",
    "SELECT ON payments.outbox, payments.circuits, payments.merchants",
)
TABLES_OF_MERCHANTS = ("payments", "operations", "outbox")
"""Tables with row-level security (migration 0004): without a policy the role would see no row of them."""
POLICY = "operators_read"


def admit(connection: psycopg.Connection[Any], role: str) -> None:
    """Create the role, or bring an existing one in line.

    ``connection`` is the master user's, in autocommit mode, and the schema is up to date.

    Raises:
        psycopg.errors.LockNotAvailable: a table's lock could not be had; the call may be repeated.
    """
    name = sql.Identifier(role)
    if not _exists(connection, role):
        with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
    for setting, value in SETTINGS.items():
        parts = sql.SQL(".").join(map(sql.Identifier, setting.split(".")))
        connection.execute(sql.SQL("ALTER ROLE {} SET {} = {}").format(name, parts, sql.Literal(value)))
    for one in (*MEMBER_OF, "USAGE ON SCHEMA payments", *READS):
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.SQL(one), name))
    _show_rows(connection, name)
    # Last: it may log in once all of its limits are there.
    limits = sql.SQL(f"LOGIN NOCREATEDB NOCREATEROLE CONNECTION LIMIT {MOST_CONNECTIONS} PASSWORD NULL")
    connection.execute(sql.SQL("ALTER ROLE {} {}").format(name, limits))


def shut_out(connection: psycopg.Connection[Any], role: str) -> None:
    """Let the role, where there is one, log in no more. Its sessions end by themselves."""
    if _exists(connection, role):
        connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(role)))


def _exists(connection: psycopg.Connection[Any], role: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None


def _show_rows(connection: psycopg.Connection[Any], name: sql.Identifier) -> None:
    connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(f"{LOCK_TIMEOUT_SECONDS}s")))
    found = "SELECT 1 FROM pg_policies WHERE schemaname = 'payments' AND tablename = %s AND policyname = %s"
    for table in TABLES_OF_MERCHANTS:
        if not connection.execute(found, (table, POLICY)).fetchone():
            create = sql.SQL("CREATE POLICY {} ON {} FOR SELECT TO {} USING (true)")
            connection.execute(create.format(sql.Identifier(POLICY), sql.Identifier("payments", table), name))
