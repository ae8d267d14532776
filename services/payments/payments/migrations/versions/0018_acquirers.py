"""Several acquirers: an operation knows which of them it was requested from, and a settlement file whose it is.

NULL is of an operation that no acquirer can have performed yet, or of rows from before, which went to the one acquirer
there was (``acquirer``, as its circuit is named): requested_at tells them apart.

The version before knows one acquirer, and would request everything from it. It meets no other one: routes are
configured after the release. Columns without a default are metadata, so the locks are held for a moment only.
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE payments.operations
    ADD COLUMN acquirer text,
    ADD CONSTRAINT operations_acquirer CHECK (length(acquirer) BETWEEN 1 AND 32) NOT VALID;
ALTER TABLE payments.settlement_files
    ADD COLUMN acquirer text,
    ADD CONSTRAINT settlement_files_acquirer CHECK (length(acquirer) BETWEEN 1 AND 32) NOT VALID;
"""


def upgrade() -> None:
    """Add the columns, in one transaction. No row has a value yet, so the constraints need not look for one."""
    op.execute(COLUMNS)


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
