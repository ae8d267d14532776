"""An index of the authorizations that the acquirer will release, by when it does.

It is empty at first, and holds no authorization any more that was captured, voided or released. It is made
concurrently, and can be made again.
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INDEX = """
CREATE INDEX CONCURRENTLY IF NOT EXISTS operations_expiring ON payments.operations (expires_at)
WHERE expires_at IS NOT NULL AND expired_at IS NULL
"""


def upgrade() -> None:
    """Make the index while requests go on."""
    with op.get_context().autocommit_block():
        op.execute(INDEX)


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
