"""Statuses in the field's terms, part one: new columns, kept equal to the old ones while both versions run.

| table | old column | new column | values that differ |
|---|---|---|---|
| payments | state | status | refused is declined |
| operations | state | status | asked is pending, refused is declined |
| operations | settled_at | completed_at | |

The version before reads and writes the old columns, this version the new ones. The triggers copy each write to the
other column, so that both versions run on this schema, and the version before can come back. Nothing is rewritten here,
so that the locks are held for a moment only: rows from before get their status in 0003. Once the version before is
retired everywhere, a later migration drops the old columns.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE payments.payments ADD COLUMN status text;
ALTER TABLE payments.payments ALTER COLUMN status SET DEFAULT 'accepted';
ALTER TABLE payments.operations ADD COLUMN status text, ADD COLUMN completed_at timestamptz;
ALTER TABLE payments.operations ALTER COLUMN status SET DEFAULT 'pending';
"""

TRANSLATIONS = """
CREATE FUNCTION payments.status_of(state text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE state WHEN 'asked' THEN 'pending' WHEN 'refused' THEN 'declined' ELSE state END
$$;
CREATE FUNCTION payments.state_of(status text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE status WHEN 'pending' THEN 'asked' WHEN 'declined' THEN 'refused' ELSE status END
$$;
UPDATE payments.transitions SET
    event = CASE event WHEN 'completed' THEN 'fully_refunded' ELSE payments.status_of(event) END,
    origin = payments.status_of(origin),
    target = payments.status_of(target);
"""

# Validated in 0003. A row that is written from now on keeps them at once.
CONSTRAINTS = """
ALTER TABLE payments.payments ADD CONSTRAINT payments_status CHECK (
    status IS NOT NULL AND status = CASE state WHEN 'refused' THEN 'declined' ELSE state END
) NOT VALID;
ALTER TABLE payments.operations ADD CONSTRAINT operations_status CHECK (
    status IS NOT NULL
    AND status = CASE state WHEN 'asked' THEN 'pending' WHEN 'refused' THEN 'declined' ELSE state END
) NOT VALID;
ALTER TABLE payments.operations ADD CONSTRAINT operations_completed_at CHECK (
    completed_at IS NOT DISTINCT FROM settled_at AND (completed_at IS NULL) = (status = 'pending')
) NOT VALID;
"""

GUARD_PAYMENT = """
CREATE OR REPLACE FUNCTION payments.guard_payment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'accepted' OR NEW.state <> 'accepted' THEN
            RAISE EXCEPTION 'a payment begins as accepted'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_begins_accepted';
        END IF;
        RETURN NEW;
    END IF;
    before := coalesce(OLD.status, payments.status_of(OLD.state));
    IF NEW.state <> OLD.state AND NEW.status IS NOT DISTINCT FROM OLD.status THEN
        NEW.status := payments.status_of(NEW.state);  -- written by the version before
    END IF;
    NEW.status := coalesce(NEW.status, before);
    NEW.state := payments.state_of(NEW.status);
    IF (NEW.id, NEW.amount, NEW.currency, NEW.created_at) IS DISTINCT FROM
       (OLD.id, OLD.amount, OLD.currency, OLD.created_at) THEN
        RAISE EXCEPTION 'id, amount, currency and created_at of a payment do not change'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_is_lasting';
    END IF;
    IF NEW.status <> before AND NOT EXISTS (
        SELECT FROM payments.transitions WHERE origin = before AND target = NEW.status
    ) THEN
        RAISE EXCEPTION 'no transition leads from % to %', before, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_follows_transitions';
    END IF;
    RETURN NEW;
END $$;
"""

GUARD_OPERATION = """
CREATE OR REPLACE FUNCTION payments.guard_operation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'pending' OR NEW.state <> 'asked' THEN
            RAISE EXCEPTION 'an operation begins as pending'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_begins_pending';
        END IF;
        RETURN NEW;
    END IF;
    before := coalesce(OLD.status, payments.status_of(OLD.state));
    IF NEW.state <> OLD.state AND NEW.status IS NOT DISTINCT FROM OLD.status THEN
        NEW.status := payments.status_of(NEW.state);  -- written by the version before
    END IF;
    NEW.status := coalesce(NEW.status, before);
    NEW.state := payments.state_of(NEW.status);
    NEW.completed_at := coalesce(NEW.completed_at, NEW.settled_at);
    NEW.settled_at := NEW.completed_at;
    IF (NEW.id, NEW.payment_id, NEW.kind, NEW.amount, NEW.created_at) IS DISTINCT FROM
       (OLD.id, OLD.payment_id, OLD.kind, OLD.amount, OLD.created_at) THEN
        RAISE EXCEPTION 'id, payment_id, kind, amount and created_at of an operation do not change'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_is_lasting';
    END IF;
    IF before <> 'pending' AND NEW.status <> before THEN
        RAISE EXCEPTION 'an operation is completed once'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_is_completed_once';
    END IF;
    RETURN NEW;
END $$;
"""

# The version before knows operation_fits_state and operation_fits_amount by their names.
MOVE_PAYMENT = """
CREATE OR REPLACE FUNCTION payments.move_payment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    payment payments.payments;
    before text;
    happened text := NEW.status;
    next_status text;
    free bigint;
BEGIN
    -- Not FOR UPDATE: the foreign key of the operation holds a lock already that others may hold, too.
    SELECT * INTO payment FROM payments.payments WHERE id = NEW.payment_id FOR NO KEY UPDATE;
    before := coalesce(payment.status, payments.status_of(payment.state));
    IF NEW.kind = 'refund' AND NEW.status = 'succeeded'
       AND payment.refunded_amount + NEW.amount = payment.captured_amount THEN
        happened := 'fully_refunded';
    END IF;
    SELECT target INTO next_status FROM payments.transitions
        WHERE kind = NEW.kind AND event = happened AND origin = before;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a payment that is % takes no % that is %', before, NEW.kind, happened
            USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_fits_state';
    END IF;
    IF NEW.status = 'pending' THEN
        free := CASE NEW.kind
            WHEN 'refund' THEN payment.captured_amount - payment.refunding_amount - payment.refunded_amount
            ELSE payment.amount
        END;
        IF NEW.amount > free OR (NEW.amount < free AND NEW.kind NOT IN ('capture', 'refund')) THEN
            RAISE EXCEPTION 'the amount of a % may be %', NEW.kind, free
                USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_fits_amount', DETAIL = free::text;
        END IF;
        IF NEW.kind IN ('authorization', 'sale') THEN
            RETURN NULL;  -- the payment was stored with it, as it should be
        END IF;
    END IF;
    UPDATE payments.payments SET
        status = next_status,
        captured_amount = captured_amount
            + CASE WHEN NEW.status = 'succeeded' AND NEW.kind IN ('sale', 'capture') THEN NEW.amount ELSE 0 END,
        refunding_amount = refunding_amount
            + CASE WHEN NEW.kind <> 'refund' THEN 0 WHEN NEW.status = 'pending' THEN NEW.amount ELSE -NEW.amount END,
        refunded_amount = refunded_amount
            + CASE WHEN NEW.status = 'succeeded' AND NEW.kind = 'refund' THEN NEW.amount ELSE 0 END,
        token = CASE WHEN next_status = 'accepted' THEN token END,
        acquirer_reference = CASE
            WHEN NEW.kind IN ('authorization', 'sale') THEN NEW.acquirer_reference ELSE acquirer_reference END,
        updated_at = greatest(now(), updated_at)
    WHERE id = NEW.payment_id;
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    """Add the columns and replace the triggers' functions, in one transaction."""
    for part in (COLUMNS, TRANSLATIONS, GUARD_PAYMENT, GUARD_OPERATION, MOVE_PAYMENT, CONSTRAINTS):
        op.execute(part)


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
