"""What acquirers answer besides a decision: it comes later, or the cardholder has to act first; and authorizations end.

A payment whose cardholder has to act is requires_action, until the acquirer's decision; its next_action is what the
cardholder's browser does. An operation knows since when the acquirer may have performed it (requested_at), so that no
request is repeated whose key the acquirer may have forgotten; what is older than the last epoch is looked up first. An
authorization that the acquirer has released is expired.

The version before knows neither status, and fails to read a payment of them. It meets none: an acquirer that answers so
is configured after the release. Columns without a default are metadata, and only pending operations change, so the
locks are held for a moment only.
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0011"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE payments.operations
    -- Since when the acquirer may have performed it; NULL where it has not, or has said so.
    ADD COLUMN requested_at timestamptz,
    -- Whose turn it is, where the acquirer has answered and not decided. Such an operation is not requested again.
    ADD COLUMN awaiting text CONSTRAINT operations_awaiting CHECK (awaiting IN ('acquirer', 'cardholder')),
    ADD COLUMN next_action jsonb,  -- of the cardholder
    ADD COLUMN decide_by timestamptz,  -- a person is told if there is no decision by then
    ADD COLUMN expires_at timestamptz,  -- of an authorization: when the acquirer releases it
    ADD COLUMN expired_at timestamptz;
ALTER TABLE payments.payments
    ADD COLUMN next_action jsonb,
    ADD COLUMN capture_before timestamptz;
"""

# The acquirer may have met what was attempted before this migration. These are the pending operations only.
REQUESTED_BEFORE = """
UPDATE payments.operations SET requested_at = created_at WHERE status = 'pending' AND attempts > 0
"""

# Moved by a failover and a restore: what the database knew between them and its loss is lost.
EPOCHS = """
CREATE TABLE payments.epochs (
    began_at timestamptz PRIMARY KEY DEFAULT now(),
    cause    text NOT NULL CONSTRAINT epochs_cause CHECK (length(cause) BETWEEN 1 AND 128)
);
"""

TRANSITIONS = """
INSERT INTO payments.transitions (kind, event, origin, target) VALUES
    ('authorization', 'action_required', 'accepted',        'requires_action'),
    ('authorization', 'succeeded',       'requires_action', 'authorized'),
    ('authorization', 'declined',        'requires_action', 'declined'),
    ('authorization', 'failed',          'requires_action', 'failed'),
    ('authorization', 'expired',         'authorized',      'expired'),
    ('sale',          'action_required', 'accepted',        'requires_action'),
    ('sale',          'succeeded',       'requires_action', 'captured'),
    ('sale',          'declined',        'requires_action', 'declined'),
    ('sale',          'failed',          'requires_action', 'failed');
"""

# As in 0002, but for next_action and capture_before, and for the two events that are no status of the operation.
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
        next_action = NULL,
        capture_before = CASE WHEN next_status IN ('authorized', 'capturing', 'voiding')
            THEN coalesce(NEW.expires_at, capture_before) END,
        acquirer_reference = CASE
            WHEN NEW.kind IN ('authorization', 'sale') THEN NEW.acquirer_reference ELSE acquirer_reference END,
        updated_at = greatest(now(), updated_at)
    WHERE id = NEW.payment_id;
    RETURN NULL;
END $$;
"""

# What happens to a payment while the status of its operation stays as it is.
FOLLOW_OPERATION = """
CREATE FUNCTION payments.follow_operation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    happened text := CASE WHEN NEW.expired_at IS NOT NULL THEN 'expired' ELSE 'action_required' END;
    before text;
    next_status text;
BEGIN
    PERFORM set_config('payments.merchant', NEW.merchant_id::text, true);
    SELECT status INTO before FROM payments.payments WHERE id = NEW.payment_id FOR NO KEY UPDATE;
    SELECT target INTO next_status FROM payments.transitions
        WHERE kind = NEW.kind AND event = happened AND origin = before;
    IF NOT FOUND AND NOT (happened = 'action_required' AND before = 'requires_action') THEN
        RAISE EXCEPTION 'a payment that is % takes no % that is %', before, NEW.kind, happened
            USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_fits_state';
    END IF;
    UPDATE payments.payments SET
        status = coalesce(next_status, before),
        token = NULL,  -- the acquirer has answered
        next_action = NEW.next_action,
        capture_before = NULL,
        acquirer_reference = coalesce(NEW.acquirer_reference, acquirer_reference),
        updated_at = greatest(now(), updated_at)
    WHERE id = NEW.payment_id;
    RETURN NULL;
END $$;
CREATE TRIGGER follow_action AFTER UPDATE ON payments.operations FOR EACH ROW
    WHEN (NEW.status = 'pending' AND OLD.next_action IS DISTINCT FROM NEW.next_action)
    EXECUTE FUNCTION payments.follow_operation();
CREATE TRIGGER follow_expiry AFTER UPDATE ON payments.operations FOR EACH ROW
    WHEN (OLD.expired_at IS NULL AND NEW.expired_at IS NOT NULL)
    EXECUTE FUNCTION payments.follow_operation();
"""


def upgrade() -> None:
    """Add the columns and the transitions, and let the triggers follow them, in one transaction."""
    for part in (COLUMNS, REQUESTED_BEFORE, EPOCHS, TRANSITIONS, MOVE_PAYMENT, FOLLOW_OPERATION):
        op.execute(part)


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
