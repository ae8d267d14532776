"""Merchants and their credentials, part two: composite keys, for older rows too.

Rows are updated in batches, indexes are made concurrently, and foreign keys are validated without the lock that they
are added under: requests go on. It can end anywhere and be run again.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BATCH_ROWS = 5000
BATCH = """
WITH batch AS (
    SELECT key FROM payments.idempotency_keys WHERE key > :after AND merchant_key IS NULL
    ORDER BY key LIMIT :rows FOR NO KEY UPDATE
), updated AS (
    UPDATE payments.idempotency_keys AS row SET merchant_key = row.key FROM batch WHERE row.key = batch.key
    RETURNING row.key
)
SELECT max(key) FROM updated
"""
VALIDATIONS = (
    "ALTER TABLE payments.idempotency_keys VALIDATE CONSTRAINT idempotency_keys_key",
    (
        "ALTER TABLE payments.idempotency_keys DROP CONSTRAINT IF EXISTS idempotency_keys_of_merchant, "
        "ADD CONSTRAINT idempotency_keys_of_merchant CHECK (merchant_key IS NOT NULL) NOT VALID"
    ),
    "ALTER TABLE payments.idempotency_keys VALIDATE CONSTRAINT idempotency_keys_of_merchant",
    "ALTER TABLE payments.idempotency_keys ALTER COLUMN merchant_key SET NOT NULL",
)
INDEXES = {
    "payments_of_merchant": "payments.payments (merchant_id, id)",
    "operations_of_merchant": "payments.operations (merchant_id, id)",
    "idempotency_keys_by_merchant": "payments.idempotency_keys (merchant_id, merchant_key)",
}
LISTED = "payments_of_merchant_by_status ON payments.payments (merchant_id, status, id)"
# Before each foreign key, in one transaction with it (several statements of one call are): requests lock their
# idempotency key first, and so none that comes now holds one of the two tables and waits for the other.
LOCKS = "LOCK TABLE payments.idempotency_keys, payments.outbox, payments.operations, payments.payments"
# What refers to another table's row refers to one of the same merchant.
REFERENCES = (
    ("operations", "payment_id", "payments", "operations_payment_id_fkey"),
    ("outbox", "operation_id", "operations", "outbox_operation_id_fkey"),
)


def upgrade() -> None:
    """Set what the merchants sent as keys, make the indexes, and let the composite foreign keys replace the others."""
    with op.get_context().autocommit_block():
        _set_keys()
        for statement in VALIDATIONS:
            op.execute(statement)
        for name, definition in INDEXES.items():
            op.execute(f"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {definition}")
        op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {LISTED}")
        for table, column, other, before in REFERENCES:
            name = f"{table}_of_the_same_merchant"
            op.execute(
                f"{LOCKS} IN SHARE ROW EXCLUSIVE MODE; "
                f"ALTER TABLE payments.{table} DROP CONSTRAINT IF EXISTS {name}, ADD CONSTRAINT {name} "
                f"FOREIGN KEY (merchant_id, {column}) REFERENCES payments.{other} (merchant_id, id) NOT VALID"
            )
            op.execute(f"ALTER TABLE payments.{table} VALIDATE CONSTRAINT {name}")
            op.execute(f"{LOCKS}; ALTER TABLE payments.{table} DROP CONSTRAINT IF EXISTS {before}")


def _set_keys() -> None:
    connection = op.get_bind()
    after: str | None = ""
    while after is not None:
        after = connection.execute(text(BATCH), {"after": after, "rows": BATCH_ROWS}).scalar()


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
