"""Notifications of acquirers: decisions that come by themselves, each stored once, in whichever order they arrive.

The API stores a notification that it has verified, by a function: it sees no operation of whichever merchant, and
completes none. The function has the operation processed again, whose processing takes the decision from here. One about
an operation that the database does not have stays: it may be all that is left of a charge.
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE payments.acquirer_notifications (
    event_id     text NOT NULL CONSTRAINT acquirer_notifications_event CHECK (length(event_id) BETWEEN 1 AND 192),
    acquirer_key uuid NOT NULL,
    approved     boolean NOT NULL,
    amount       bigint NOT NULL,  -- in minor units
    currency     text NOT NULL CONSTRAINT acquirer_notifications_currency CHECK (currency ~ '^[A-Z]{3}$'),
    reference    text CONSTRAINT acquirer_notifications_reference CHECK (length(reference) <= 128),
    reason       text CONSTRAINT acquirer_notifications_reason CHECK (length(reason) <= 64),
    expires_at   timestamptz,  -- of an authorization
    received_at  timestamptz NOT NULL DEFAULT now(),
    applied_at   timestamptz,
    PRIMARY KEY (event_id),
    CONSTRAINT acquirer_notifications_decision
        CHECK (CASE WHEN approved THEN reference IS NOT NULL ELSE reason IS NOT NULL END)
);
CREATE INDEX acquirer_notifications_new ON payments.acquirer_notifications (acquirer_key) WHERE applied_at IS NULL;
"""

# payments.migrating lets the owner see the rows of all merchants (0004), for the time of one statement. It is not an
# option of the function (SET payments.migrating = 'on'), which PostgreSQL takes from a superuser alone: RDS has none.
RECEIVE = """
CREATE FUNCTION payments.receive_notification(
    new_event text, new_key uuid, new_approved boolean, new_amount bigint, new_currency text, new_reference text,
    new_reason text, new_expiry timestamptz
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO payments.acquirer_notifications
        (event_id, acquirer_key, approved, amount, currency, reference, reason, expires_at)
    VALUES (new_event, new_key, new_approved, new_amount, new_currency, new_reference, new_reason, new_expiry)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM set_config('payments.migrating', 'on', true);
    INSERT INTO payments.outbox (merchant_id, operation_id, created_at)
    SELECT merchant_id, id, now() FROM payments.operations WHERE acquirer_key = new_key AND status = 'pending';
    PERFORM set_config('payments.migrating', '', true);
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION payments.receive_notification FROM PUBLIC;
"""


def upgrade() -> None:
    """Add the table and the function."""
    for part in (TABLE, RECEIVE):
        op.execute(part)


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
