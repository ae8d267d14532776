"""Payments, their operations, the outbox, and the keys that make requests idempotent."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The table of transitions is payments.states as it was then: a change of it comes with a migration of its own.
TABLES = """
CREATE TABLE payments.transitions (
    kind   text NOT NULL,
    event  text NOT NULL,
    origin text NOT NULL,
    target text NOT NULL,
    PRIMARY KEY (kind, event, origin)
);
INSERT INTO payments.transitions (kind, event, origin, target) VALUES
    ('authorization', 'asked',     'accepted',   'accepted'),
    ('authorization', 'succeeded', 'accepted',   'authorized'),
    ('authorization', 'refused',   'accepted',   'refused'),
    ('authorization', 'failed',    'accepted',   'failed'),
    ('sale',          'asked',     'accepted',   'accepted'),
    ('sale',          'succeeded', 'accepted',   'captured'),
    ('sale',          'refused',   'accepted',   'refused'),
    ('sale',          'failed',    'accepted',   'failed'),
    ('capture',       'asked',     'authorized', 'capturing'),
    ('capture',       'succeeded', 'capturing',  'captured'),
    ('capture',       'refused',   'capturing',  'authorized'),
    ('capture',       'failed',    'capturing',  'authorized'),
    ('void',          'asked',     'authorized', 'voiding'),
    ('void',          'succeeded', 'voiding',    'voided'),
    ('void',          'refused',   'voiding',    'authorized'),
    ('void',          'failed',    'voiding',    'authorized'),
    ('refund',        'asked',     'captured',   'captured'),
    ('refund',        'succeeded', 'captured',   'captured'),
    ('refund',        'completed', 'captured',   'refunded'),
    ('refund',        'refused',   'captured',   'captured'),
    ('refund',        'failed',    'captured',   'captured');

-- Amounts are whole numbers of the currency's minor unit.
CREATE TABLE payments.payments (
    id                    uuid PRIMARY KEY,  -- version 7: in the order of creation
    state                 text NOT NULL DEFAULT 'accepted',
    amount                bigint NOT NULL CONSTRAINT payments_amount CHECK (amount BETWEEN 1 AND 999999999999),
    currency              text NOT NULL CONSTRAINT payments_currency CHECK (currency ~ '^[A-Z]{3}$'),
    captured_amount       bigint NOT NULL DEFAULT 0,
    refunding_amount      bigint NOT NULL DEFAULT 0,  -- asked for, not yet answered
    refunded_amount       bigint NOT NULL DEFAULT 0,
    token                 text CONSTRAINT payments_token CHECK (length(token) <= 128),
    reference             text CONSTRAINT payments_reference CHECK (length(reference) <= 64),
    acquirer_reference    text CONSTRAINT payments_acquirer_reference CHECK (length(acquirer_reference) <= 128),
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL,
    CONSTRAINT payments_captured_within_amount CHECK (captured_amount BETWEEN 0 AND amount),
    CONSTRAINT payments_refunded_within_captured CHECK (
        refunding_amount >= 0 AND refunded_amount >= 0 AND refunding_amount + refunded_amount <= captured_amount
    ),
    CONSTRAINT payments_state_fits_amounts CHECK (
        (captured_amount > 0) = (state IN ('captured', 'refunded'))
        AND (refunded_amount = captured_amount AND captured_amount > 0) = (state = 'refunded')
    ),
    -- The token is needed for the first answer of the acquirer, and not kept longer.
    CONSTRAINT payments_token_while_accepted CHECK ((token IS NOT NULL) = (state = 'accepted'))
);
CREATE INDEX payments_of_state ON payments.payments (state, id);

CREATE TABLE payments.operations (
    id                 uuid PRIMARY KEY,  -- the acquirer's idempotency key, too
    payment_id         uuid NOT NULL REFERENCES payments.payments (id),
    kind               text NOT NULL,
    amount             bigint NOT NULL CONSTRAINT operations_amount CHECK (amount BETWEEN 1 AND 999999999999),
    state              text NOT NULL DEFAULT 'asked'
                       CONSTRAINT operations_state CHECK (state IN ('asked', 'succeeded', 'refused', 'failed')),
    correlation_id     text NOT NULL CONSTRAINT operations_correlation_id CHECK (length(correlation_id) <= 128),
    attempts           integer NOT NULL DEFAULT 0,  -- times that the acquirer was, or may have been, called
    next_attempt_at    timestamptz NOT NULL,
    claimed_by         uuid,  -- who is calling the acquirer, until claimed_until
    claimed_until      timestamptz,
    last_error         text CONSTRAINT operations_last_error CHECK (length(last_error) <= 128),
    reason             text CONSTRAINT operations_reason CHECK (length(reason) <= 64),  -- of a refusal
    acquirer_reference text CONSTRAINT operations_acquirer_reference CHECK (length(acquirer_reference) <= 128),
    created_at         timestamptz NOT NULL,
    settled_at         timestamptz,
    CONSTRAINT operations_settled_at CHECK ((settled_at IS NULL) = (state = 'asked')),
    CONSTRAINT operations_claim CHECK ((claimed_by IS NULL) = (claimed_until IS NULL))
);
CREATE INDEX operations_of_payment ON payments.operations (payment_id, id);
CREATE UNIQUE INDEX operations_one_first ON payments.operations (payment_id) WHERE kind IN ('authorization', 'sale');
CREATE INDEX operations_unsettled ON payments.operations (next_attempt_at) WHERE state = 'asked';

-- What is to be sent to the queue. Written with the operation in one transaction, deleted once it is sent.
CREATE TABLE payments.outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    operation_id uuid NOT NULL REFERENCES payments.operations (id),
    trace        text CONSTRAINT outbox_trace CHECK (length(trace) <= 128),  -- W3C traceparent
    created_at   timestamptz NOT NULL
);

CREATE TABLE payments.idempotency_keys (
    key         text PRIMARY KEY CONSTRAINT idempotency_keys_key CHECK (length(key) BETWEEN 1 AND 128),
    fingerprint bytea NOT NULL,  -- SHA-256 of method, path and body
    status      smallint NOT NULL,
    answer      text NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE INDEX idempotency_keys_by_age ON payments.idempotency_keys (created_at);
"""

# The functions run with their owner's rights: the application may insert operations and settle them, and cannot change
# a payment by itself.
GUARD_OF_PAYMENTS = """
CREATE FUNCTION payments.guard_payment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'accepted' THEN
            RAISE EXCEPTION 'a payment begins as accepted'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_begins_accepted';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.amount, NEW.currency, NEW.created_at) IS DISTINCT FROM
       (OLD.id, OLD.amount, OLD.currency, OLD.created_at) THEN
        RAISE EXCEPTION 'id, amount, currency and created_at of a payment do not change'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_is_lasting';
    END IF;
    IF NEW.state <> OLD.state AND NOT EXISTS (
        SELECT FROM payments.transitions WHERE origin = OLD.state AND target = NEW.state
    ) THEN
        RAISE EXCEPTION 'no transition leads from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_follows_transitions';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_payment BEFORE INSERT OR UPDATE ON payments.payments
    FOR EACH ROW EXECUTE FUNCTION payments.guard_payment();
"""

GUARD_OF_OPERATIONS = """
CREATE FUNCTION payments.guard_operation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'asked' THEN
            RAISE EXCEPTION 'an operation begins as asked'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_begins_asked';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.payment_id, NEW.kind, NEW.amount, NEW.created_at) IS DISTINCT FROM
       (OLD.id, OLD.payment_id, OLD.kind, OLD.amount, OLD.created_at) THEN
        RAISE EXCEPTION 'id, payment_id, kind, amount and created_at of an operation do not change'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_is_lasting';
    END IF;
    IF OLD.state <> 'asked' AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'an operation is answered once'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_is_answered_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_operation BEFORE INSERT OR UPDATE ON payments.operations
    FOR EACH ROW EXECUTE FUNCTION payments.guard_operation();

CREATE FUNCTION payments.move_payment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    payment payments.payments;
    befallen text := NEW.state;
    next_state text;
    free bigint;
BEGIN
    -- Not FOR UPDATE: the foreign key of the operation holds a lock already that others may hold, too.
    SELECT * INTO payment FROM payments.payments WHERE id = NEW.payment_id FOR NO KEY UPDATE;
    IF NEW.kind = 'refund' AND NEW.state = 'succeeded'
       AND payment.refunded_amount + NEW.amount = payment.captured_amount THEN
        befallen := 'completed';
    END IF;
    SELECT target INTO next_state FROM payments.transitions
        WHERE kind = NEW.kind AND event = befallen AND origin = payment.state;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a payment that is % takes no % that is %', payment.state, NEW.kind, befallen
            USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_fits_state';
    END IF;
    IF NEW.state = 'asked' THEN
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
        state = next_state,
        captured_amount = captured_amount
            + CASE WHEN NEW.state = 'succeeded' AND NEW.kind IN ('sale', 'capture') THEN NEW.amount ELSE 0 END,
        refunding_amount = refunding_amount
            + CASE WHEN NEW.kind <> 'refund' THEN 0 WHEN NEW.state = 'asked' THEN NEW.amount ELSE -NEW.amount END,
        refunded_amount = refunded_amount
            + CASE WHEN NEW.state = 'succeeded' AND NEW.kind = 'refund' THEN NEW.amount ELSE 0 END,
        token = CASE WHEN next_state = 'accepted' THEN token END,
        acquirer_reference = CASE
            WHEN NEW.kind IN ('authorization', 'sale') THEN NEW.acquirer_reference ELSE acquirer_reference END,
        updated_at = greatest(now(), updated_at)
    WHERE id = NEW.payment_id;
    RETURN NULL;
END $$;
CREATE TRIGGER move_payment_when_asked AFTER INSERT ON payments.operations
    FOR EACH ROW EXECUTE FUNCTION payments.move_payment();
CREATE TRIGGER move_payment_when_answered AFTER UPDATE ON payments.operations
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION payments.move_payment();
"""


def upgrade() -> None:
    """Create everything; the schema is there already, made for the table of versions."""
    for part in (TABLES, GUARD_OF_PAYMENTS, GUARD_OF_OPERATIONS):
        op.execute(part)


def downgrade() -> None:
    """There is no way back: a payment that was accepted stays."""
    raise NotImplementedError("migrations go forward only")
