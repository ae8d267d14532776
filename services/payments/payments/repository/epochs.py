"""Epochs of the database: what it knew before the last one, and did not know after it, is lost.

An epoch begins when another server is the writer, as after a failover to another region or a restore: a server is known
by when it started, which is the same by whichever address. One also begins by ``python -m payments epoch``. What was
accepted before it may have been requested in the seconds that are lost, even where its row says that it was not: it is
looked up before it is requested. A failover or a restart that loses nothing begins one, too: that costs a look-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from payments.repository.records import Connection

MAX_CAUSE = 128
"""Characters of a cause, as in the database."""
FIRST = "2000-01-01 00:00:00+00"
"""Of the server that is the writer when epochs are first used: nothing is older."""
BEGIN = f"""
INSERT INTO payments.epochs (began_at, cause)
SELECT CASE WHEN %(cause)s::text IS NULL AND NOT EXISTS (SELECT FROM payments.epochs)
        THEN '{FIRST}'::timestamptz ELSE now() END,
    coalesce(%(cause)s, 'server of ' || extract(epoch FROM pg_postmaster_start_time()))
ON CONFLICT DO NOTHING
"""  # noqa: S608 - a constant


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """An epoch."""

    began_at: datetime
    cause: str
    since_writer_started: bool
    """Whether it began since the server that is the writer has started."""


def begin_epoch(connection: Connection, cause: str | None = None) -> datetime | None:
    """Begin an epoch, because another server is the writer or of another ``cause``; returns when it began."""
    connection.execute(BEGIN, {"cause": cause})
    row = connection.execute("SELECT max(began_at) FROM payments.epochs").fetchone()
    return row[0] if row else None


def last_epoch(connection: Connection) -> datetime | None:
    """When the last epoch began; one begins now where another server is the writer."""
    row = connection.execute(
        """
        SELECT began_at, cause IS DISTINCT FROM 'server of ' || extract(epoch FROM pg_postmaster_start_time())
        FROM payments.epochs ORDER BY began_at DESC LIMIT 1
        """
    ).fetchone()
    return row[0] if row and not row[1] else begin_epoch(connection)


def begin_epoch_once(connection: Connection, cause: str) -> None:
    """Begin an epoch of a cause, unless one of it has begun since the server that is the writer has started."""
    connection.execute(
        """
        INSERT INTO payments.epochs (cause)
        SELECT %(cause)s
        WHERE NOT EXISTS (
            SELECT FROM payments.epochs WHERE cause = %(cause)s AND began_at >= pg_postmaster_start_time()
        )
        """,
        {"cause": cause},
    )


def list_epochs(connection: Connection, limit: int = 10) -> list[Epoch]:
    """The last epochs, the newest first."""
    with connection.cursor(row_factory=class_row(Epoch)) as cursor:
        return cursor.execute(
            """
            SELECT began_at, cause, began_at >= pg_postmaster_start_time() AS since_writer_started
            FROM payments.epochs ORDER BY began_at DESC LIMIT %s
            """,
            (limit,),
        ).fetchall()
