"""Claims of the outbox's messages: a publisher holds no transaction while it talks to the queue.

The version before locks rows instead, and sends what is claimed too: the consumer accepts a message twice. A column
without a default is metadata, so the lock is held for a moment only.
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

COLUMN = "ALTER TABLE payments.outbox ADD COLUMN claimed_until timestamptz"


def upgrade() -> None:
    """Add the column."""
    op.execute(COLUMN)


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
