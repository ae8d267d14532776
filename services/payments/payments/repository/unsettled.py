"""What is measured of settlement: differences that are open, and what no file has named."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from payments.repository.records import Connection
from payments.repository.settlement import SETTLED_KINDS
from payments.states import ACQUIRER


def count_open_differences(connection: Connection, acquirer: str = ACQUIRER) -> int:
    """How many differences of an acquirer's files are neither closed by a later line nor by a person."""
    query = """
        SELECT count(*)
        FROM payments.settlement_differences JOIN payments.settlement_files AS file ON file.id = file_id
        WHERE closed_at IS NULL AND coalesce(acquirer, %s) = %s
    """
    return int((connection.execute(query, (ACQUIRER, acquirer)).fetchone() or (0,))[0])


def covered_until(connection: Connection, acquirer: str = ACQUIRER) -> datetime | None:
    """The end of the time that an acquirer's files without a gap tell of; None where there is no file."""
    row = connection.execute(
        """
        WITH checked AS (
            SELECT begins, ends FROM payments.settlement_files
            WHERE checked_at IS NOT NULL AND coalesce(acquirer, %s) = %s
        )
        SELECT min(ends) FROM checked AS file
        WHERE NOT EXISTS (SELECT FROM checked AS next WHERE next.begins <= file.ends AND next.ends > file.ends)
        """,
        (ACQUIRER, acquirer),
    ).fetchone()
    return row[0] if row else None


def oldest_unsettled_seconds(connection: Connection, since: UUID, acquirer: str = ACQUIRER) -> float:
    """The age of an acquirer's first operation since ``since`` that moved money and that no file names; 0 if none."""
    row = connection.execute(
        """
        SELECT extract(epoch FROM now() - completed_at)::float FROM payments.operations AS operation
        WHERE id >= %s AND status = 'succeeded' AND kind = ANY(%s) AND coalesce(acquirer, %s) = %s AND NOT EXISTS (
            SELECT FROM payments.settlement_lines AS line
            WHERE line.acquirer_key = coalesce(operation.acquirer_key, operation.id)
        )
        ORDER BY id LIMIT 1
        """,
        (since, list(SETTLED_KINDS), ACQUIRER, acquirer),
    ).fetchone()
    return max(float(row[0]), 0.0) if row else 0.0
