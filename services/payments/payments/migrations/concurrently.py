"""Indexes made concurrently, so that requests go on, and made anew where an earlier run was cut off."""

from __future__ import annotations

from alembic import op


def create_index(name: str, definition: str, *, schema: str = "payments") -> None:
    """Create an index such as ``payments_by_status`` on ``payments.payments (status, id)``, in an autocommit_block.

    No statement waits behind it, so it waits without a timeout for the transactions that began before it. A run that
    was cut off leaves an invalid index, which is dropped first.
    https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
    """
    timeout = op.get_bind().exec_driver_sql("SELECT current_setting('lock_timeout')").scalar()
    op.execute("SET lock_timeout = 0")
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema}.{name}")
    op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")
    op.execute(f"SET lock_timeout = '{timeout}'")
