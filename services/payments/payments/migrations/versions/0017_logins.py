"""A login of the database for each kind of process: what the publisher and the administration see.

Housekeeping was both, so that whoever had taken over a process of the API could have made merchants and keys. Now the
publisher sees those idempotency keys only that no request can ask for any more, as their shortest lifetime is a day
(``idempotency_days`` of :mod:`payments.settings`), and the administration reads payments and operations.

The version before goes on with its login, which the migration from a schema before this one leaves the rights of every
process (:func:`payments.migrate.migrate`). Policies are rows of the catalogue: nothing is rewritten, and the locks are
held for a moment only.
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

PUBLISHING, ADMINISTRATION = "payments_publishing_rights", "payments_administration_rights"
# In the order of 0004, as requests take theirs.
LOCKS = "LOCK TABLE payments.idempotency_keys, payments.outbox, payments.operations, payments.payments"
EXPIRED = "created_at < now() - interval '1 day'"
POLICIES = f"""
CREATE POLICY published_rows ON payments.outbox TO {PUBLISHING} USING (true) WITH CHECK (true);
CREATE POLICY published_rows ON payments.operations FOR SELECT TO {PUBLISHING} USING (true);
CREATE POLICY expired_rows ON payments.idempotency_keys FOR SELECT TO {PUBLISHING} USING ({EXPIRED});
CREATE POLICY expired_rows_are_deleted ON payments.idempotency_keys FOR DELETE TO {PUBLISHING} USING ({EXPIRED});
CREATE POLICY expired_rows_are_locked ON payments.idempotency_keys FOR UPDATE TO {PUBLISHING}
    USING ({EXPIRED}) WITH CHECK (false);
CREATE POLICY every_row_is_shown ON payments.payments FOR SELECT TO {ADMINISTRATION} USING (true);
CREATE POLICY every_row_is_shown ON payments.operations FOR SELECT TO {ADMINISTRATION} USING (true);
"""


def upgrade() -> None:
    """Make the policies, in one transaction."""
    for part in (LOCKS, POLICIES):
        op.execute(part)


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
