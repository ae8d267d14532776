"""Audit events: who did what to which payment or credential, and when, in a table that only grows.

Triggers write them, in the transaction of what they tell of, with the owner's rights: no process can leave one out, and
none may write one by itself. A trigger refuses every change of one and every deletion, the owner's too.

Requests that were refused change nothing here: they are lines of the service's log, with the merchant and the
credential.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE payments.audit_events (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    merchant_id    uuid NOT NULL,
    credential_id  uuid,           -- who asked; NULL for what a process or an operator of the service did
    login          text NOT NULL,  -- the database's user, by which an operator is known
    action         text NOT NULL,  -- such as refund.pending, refund.succeeded, credential.revoked
    object_id      uuid NOT NULL,  -- the operation, the credential or the merchant
    payment_id     uuid,
    correlation_id text
);
CREATE INDEX audit_events_of_merchant ON payments.audit_events (merchant_id, id);
CREATE INDEX audit_events_of_object ON payments.audit_events (object_id, id);
"""

FUNCTIONS = """
CREATE FUNCTION payments.audit_operation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO payments.audit_events
        (merchant_id, credential_id, login, action, object_id, payment_id, correlation_id)
    VALUES (
        NEW.merchant_id, CASE WHEN TG_OP = 'INSERT' THEN NEW.requested_by END, session_user,
        NEW.kind || '.' || NEW.status, NEW.id, NEW.payment_id, NEW.correlation_id
    );
    RETURN NULL;
END $$;
CREATE FUNCTION payments.audit_merchant() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO payments.audit_events (merchant_id, login, action, object_id)
    VALUES (NEW.id, session_user, 'merchant.created', NEW.id);
    RETURN NULL;
END $$;
CREATE FUNCTION payments.audit_credential() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO payments.audit_events (merchant_id, login, action, object_id)
    VALUES (
        NEW.merchant_id, session_user,
        CASE
            WHEN TG_OP = 'INSERT' THEN 'credential.created'
            WHEN OLD.revoked_at IS DISTINCT FROM NEW.revoked_at THEN 'credential.revoked'
            ELSE 'credential.changed'
        END,
        NEW.id
    );
    RETURN NULL;
END $$;
CREATE FUNCTION payments.keep_audit_events() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'audit events are neither changed nor deleted'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_events_are_lasting';
END $$;
"""

TRIGGERS = """
CREATE TRIGGER audit_when_asked AFTER INSERT ON payments.operations
    FOR EACH ROW EXECUTE FUNCTION payments.audit_operation();
CREATE TRIGGER audit_when_answered AFTER UPDATE ON payments.operations
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION payments.audit_operation();
CREATE TRIGGER audit_when_created AFTER INSERT ON payments.merchants
    FOR EACH ROW EXECUTE FUNCTION payments.audit_merchant();
CREATE TRIGGER audit_when_created AFTER INSERT ON payments.credentials
    FOR EACH ROW EXECUTE FUNCTION payments.audit_credential();
CREATE TRIGGER audit_when_changed AFTER UPDATE ON payments.credentials
    FOR EACH ROW WHEN (
        (OLD.secret_hash, OLD.scopes, OLD.not_before, OLD.expires_at, OLD.revoked_at)
        IS DISTINCT FROM (NEW.secret_hash, NEW.scopes, NEW.not_before, NEW.expires_at, NEW.revoked_at)
    ) EXECUTE FUNCTION payments.audit_credential();
CREATE TRIGGER keep_audit_events BEFORE UPDATE OR DELETE OR TRUNCATE ON payments.audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION payments.keep_audit_events();
"""


def upgrade() -> None:
    """Make the table and what writes and keeps it, in one transaction."""
    for part in (TABLE, FUNCTIONS, TRIGGERS):
        op.execute(part)


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
