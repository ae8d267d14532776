"""Statuses in the field's terms, part two: the status of rows from before 0002, and the indexes by status.

Rows are updated in batches, each in a transaction of its own, and indexes are made concurrently: requests go on. It can
end anywhere and be run again. A table of a hundred million rows takes longer than the ten minutes of the function that
migrates: then it is run by hand before the deployment (docs/decisions/0030-the-schema-before-the-functions.md).
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BATCH_ROWS = 5000
FIRST_ID = "00000000-0000-0000-0000-000000000000"
# The triggers set the new columns from the old ones.
BATCH = """
WITH batch AS (
    SELECT id FROM payments.{table} WHERE id > CAST(:after AS uuid) AND status IS NULL
    ORDER BY id LIMIT :rows FOR NO KEY UPDATE
), updated AS (
    UPDATE payments.{table} AS row SET status = payments.status_of(row.state) FROM batch WHERE row.id = batch.id
    RETURNING row.id
)
SELECT id::text FROM updated ORDER BY id DESC LIMIT 1
"""
INDEXES = {
    "payments_by_status": "payments.payments (status, id)",
    "operations_pending": "payments.operations (next_attempt_at) WHERE status = 'pending'",
}
# A validated CHECK (status IS NOT NULL) spares SET NOT NULL the scan of the table under its lock.
# https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-SET-DROP-NOT-NULL
VALIDATIONS = (
    "ALTER TABLE payments.payments VALIDATE CONSTRAINT payments_status",
    "ALTER TABLE payments.operations VALIDATE CONSTRAINT operations_status",
    "ALTER TABLE payments.operations VALIDATE CONSTRAINT operations_completed_at",
    "ALTER TABLE payments.payments ALTER COLUMN status SET NOT NULL",
    "ALTER TABLE payments.operations ALTER COLUMN status SET NOT NULL",
)


def upgrade() -> None:
    """Set the statuses, validate what 0002 has promised of them, and make the indexes."""
    with op.get_context().autocommit_block():
        for table in ("payments", "operations"):
            _set_statuses(table)
        for statement in VALIDATIONS:
            op.execute(statement)
        for name, definition in INDEXES.items():
            op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {definition}")


def _set_statuses(table: str) -> None:
    connection = op.get_bind()
    statement = text(BATCH.format(table=table))
    after: str | None = FIRST_ID
    while after:
        after = connection.execute(statement, {"after": after, "rows": BATCH_ROWS}).scalar()


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
