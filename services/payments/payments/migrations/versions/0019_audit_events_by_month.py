"""Audit events by month, with the address that a request came from.

PCI DSS 10.5.1: twelve months of them are kept, and all that is kept is at hand. ``payments.keep_audit_months`` makes
the partitions of the months to come, and drops those that are over for longer than it is asked to keep, which is never
less than twelve months. What no partition is for goes into one of its own and is kept for good: no payment fails for
want of a partition.

The rows that are there become the first partition as they are. That they fit is made sure of and their index is built
before, while requests go on; then the locks are held for a moment. The version before goes on: triggers write the
events, by the table's name.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from alembic import op
from sqlalchemy import text

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

DAYS_TO_MIGRATE = timedelta(days=7)
"""Rows of as many days from now on still fit into the first partition, however long this takes."""

IS_PARTITIONED = "SELECT relkind = 'p' FROM pg_class WHERE oid = 'payments.audit_events'::regclass"
HAS_CHECK = "SELECT EXISTS (SELECT FROM pg_constraint WHERE conname = 'audit_events_of_before')"
COLUMNS = """
CREATE TABLE payments.audit_events (
    id             bigint GENERATED ALWAYS AS IDENTITY (START WITH {next_id}),
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    merchant_id    uuid NOT NULL,
    credential_id  uuid,           -- who asked; NULL for what a process or an operator of the service did
    login          text NOT NULL,  -- the database's user, by which an operator is known
    action         text NOT NULL,  -- such as refund.pending, refund.succeeded, credential.revoked
    object_id      uuid NOT NULL,  -- the operation, the credential or the merchant
    payment_id     uuid,
    correlation_id text,
    source_address inet            -- of the client, as the edge saw it; NULL for what was not requested
) PARTITION BY RANGE (at);
CREATE INDEX audit_events_by_merchant ON payments.audit_events (merchant_id, id);
CREATE INDEX audit_events_by_object ON payments.audit_events (object_id, id);
ALTER TABLE payments.audit_events ATTACH PARTITION payments.audit_events_before
    FOR VALUES FROM (MINVALUE) TO ('{until}');
ALTER TABLE payments.audit_events_before DROP CONSTRAINT audit_events_of_before;
CREATE TABLE payments.audit_events_of_no_month PARTITION OF payments.audit_events DEFAULT;
"""
BEFORE = """
ALTER TABLE payments.audit_events RENAME TO audit_events_before;
ALTER TABLE payments.audit_events_before
    ALTER COLUMN id DROP IDENTITY,
    ADD COLUMN source_address inet;
"""
# A trigger of a statement is of the table that the statement names: each partition has its own.
TRIGGER = """
CREATE TRIGGER keep_audit_events BEFORE UPDATE OR DELETE OR TRUNCATE ON payments.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION payments.keep_audit_events()
"""
FUNCTIONS = """
CREATE OR REPLACE FUNCTION payments.audit_operation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO payments.audit_events
        (merchant_id, credential_id, login, action, object_id, payment_id, correlation_id, source_address)
    VALUES (
        NEW.merchant_id, CASE WHEN TG_OP = 'INSERT' THEN NEW.requested_by END, session_user,
        NEW.kind || '.' || NEW.status, NEW.id, NEW.payment_id, NEW.correlation_id,
        CASE WHEN TG_OP = 'INSERT' THEN nullif(current_setting('payments.source_address', true), '')::inet END
    );
    RETURN NULL;
END $$;
CREATE FUNCTION payments.keep_audit_months(months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '1s'
AS $$
DECLARE
    month date;
    name text;
    dropped integer := 0;
BEGIN
    IF months IS NULL OR months < 12 THEN
        RAISE EXCEPTION 'audit events are kept for twelve months at least' USING ERRCODE = 'check_violation';
    END IF;
    IF NOT pg_try_advisory_xact_lock(hashtext('payments.keep_audit_months')) THEN
        RETURN 0;  -- another one is at it
    END IF;
    FOR month IN SELECT generate_series(date_trunc('month', now()), now() + interval '3 months', '1 month') LOOP
        name := 'audit_events_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_regclass('payments.' || name) IS NOT NULL;
        CONTINUE WHEN EXISTS (SELECT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
            WHERE inhparent = 'payments.audit_events'::regclass AND relname = 'audit_events_before'
              AND substring(pg_get_expr(relpartbound, pg_class.oid) FROM 'TO \\(''([^'']+)''\\)')::timestamptz > month);
        CONTINUE WHEN EXISTS (SELECT FROM payments.audit_events_of_no_month
            WHERE at >= month AND at < month + interval '1 month');
        -- Attached, not created as one: that would have to wait for all who write.
        EXECUTE format('CREATE TABLE payments.%I (LIKE payments.audit_events INCLUDING DEFAULTS)', name);
        EXECUTE format('CREATE TRIGGER keep_audit_events BEFORE UPDATE OR DELETE OR TRUNCATE ON payments.%I
            FOR EACH STATEMENT EXECUTE FUNCTION payments.keep_audit_events()', name);
        EXECUTE format('ALTER TABLE payments.audit_events ATTACH PARTITION payments.%I FOR VALUES FROM (%L) TO (%L)',
            name, month, month + interval '1 month');
    END LOOP;
    FOR name IN SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'payments.audit_events'::regclass
          AND substring(pg_get_expr(relpartbound, pg_class.oid) FROM 'TO \\(''([^'']+)''\\)')::timestamptz
              <= now() - make_interval(months => months)
    LOOP
        EXECUTE format('DROP TABLE payments.%I', name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
EXCEPTION WHEN lock_not_available THEN
    RETURN 0;  -- the next time will do
END $$;
REVOKE ALL ON FUNCTION payments.keep_audit_months FROM PUBLIC;
"""


def upgrade() -> None:
    """Make sure that the rows fit while requests go on, and let the table become a partition in one transaction."""
    if op.get_bind().execute(text(IS_PARTITIONED)).scalar_one():
        return
    later = datetime.now(UTC) + DAYS_TO_MIGRATE
    until = f"{later.year + later.month // 12}-{later.month % 12 + 1:02}-01T00:00:00Z"
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE payments.audit_events DROP CONSTRAINT IF EXISTS audit_events_of_before")
        op.execute(
            f"ALTER TABLE payments.audit_events ADD CONSTRAINT audit_events_of_before CHECK (at < '{until}') NOT VALID"
        )
        op.execute("ALTER TABLE payments.audit_events VALIDATE CONSTRAINT audit_events_of_before")
    op.execute("LOCK TABLE payments.audit_events")
    next_id = op.get_bind().execute(text("SELECT coalesce(max(id), 0) + 1 FROM payments.audit_events")).scalar_one()
    op.execute(BEFORE)
    op.execute(COLUMNS.format(next_id=next_id, until=until))
    for table in ("audit_events", "audit_events_of_no_month"):
        op.execute(TRIGGER.format(table=table))
    op.execute(FUNCTIONS)
    op.execute("SELECT payments.keep_audit_months(12)")


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
