"""Tries and look-ups of operations counted apart, and a circuit that all processes share.

The version before counts both as attempts and knows no circuit: it goes on as it did. Its attempts only make this
version look up first. Nothing is rewritten: columns with a constant default are metadata, so the locks are held for a
moment only.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE payments.operations
    -- Requests without a decision that could have charged, while the acquirer served others.
    ADD COLUMN tries integer NOT NULL DEFAULT 0,
    ADD COLUMN next_look_up_at timestamptz,  -- by the reconciler; NULL is at once
    -- Answers of the acquirer, hours apart, that it has no record of the operation, since it was last requested.
    ADD COLUMN times_not_found integer NOT NULL DEFAULT 0,
    ADD COLUMN not_found_at timestamptz;  -- the last one that counts
"""

# One row for each acquirer. Closed while open_until is NULL; half open once it has passed.
CIRCUITS = """
CREATE TABLE payments.circuits (
    name         text PRIMARY KEY,
    failures     integer NOT NULL DEFAULT 0,  -- in a row, of whichever process
    times_opened integer NOT NULL DEFAULT 0,  -- in a row
    open_until   timestamptz,
    trial_until  timestamptz,  -- a process makes the trial call
    cause        text CONSTRAINT circuits_cause CHECK (length(cause) <= 128)
);
INSERT INTO payments.circuits (name) VALUES ('acquirer');
"""


def upgrade() -> None:
    """Add the columns and the table, in one transaction."""
    for part in (COLUMNS, CIRCUITS):
        op.execute(part)


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
