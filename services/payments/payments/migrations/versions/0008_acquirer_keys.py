"""The acquirer's key of each operation, made of what the merchant has sent.

Rows from before, and those that the version before goes on writing, have none: their key is their id, as it was. The
index is unique, so that what a merchant has sent once never stands for another operation, also after its idempotency
key was purged. It is made concurrently, and all of it can be run again.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COLUMN = "ALTER TABLE payments.operations ADD COLUMN IF NOT EXISTS acquirer_key uuid"
INDEX = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS operations_acquirer_key ON payments.operations (acquirer_key)"


def upgrade() -> None:
    """Add the column, and the index while requests go on."""
    with op.get_context().autocommit_block():
        op.execute(COLUMN)
        op.execute(INDEX)


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
