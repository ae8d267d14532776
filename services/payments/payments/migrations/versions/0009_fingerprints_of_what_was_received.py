"""A fingerprint of each request as it was received, beside that of the request as the version then understood it.

The version before writes and reads the other one alone, which this version goes on writing. A later migration drops it,
once no such version runs. A column without a default is metadata, so the lock is held for a moment only.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

COLUMN = """
-- A byte with the version of how it is made, then a SHA-256. NULL in rows of the version before.
ALTER TABLE payments.idempotency_keys ADD COLUMN received bytea;
"""


def upgrade() -> None:
    """Add the column."""
    op.execute(COLUMN)


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
