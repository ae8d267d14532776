"""The acquirer's settlement files: which were read and how far, the operations in them, and what differs.

A difference is closed once: by a later line that agrees, or by a person, whose login and words stay. Neither files nor
lines nor differences have a merchant: some have no operation, and only processes and operators of the service see them.
That one was found or closed is an audit event of nobody's: of the merchant whose id is nil.
"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE payments.settlement_files (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL CONSTRAINT settlement_files_name CHECK (length(name) <= 1024),
    version       text NOT NULL CONSTRAINT settlement_files_version CHECK (length(version) <= 128),
    found_at      timestamptz NOT NULL DEFAULT now(),
    begins        timestamptz,  -- the period that it is of
    ends          timestamptz,
    next_byte     bigint NOT NULL DEFAULT 0,  -- where the next line begins
    lines         bigint NOT NULL DEFAULT 0,
    operations    bigint NOT NULL DEFAULT 0,
    matched       bigint NOT NULL DEFAULT 0,
    unreadable    bigint NOT NULL DEFAULT 0,
    said_to_have  bigint,       -- operations, by its last line
    read_at       timestamptz,  -- to its end
    checked_to    uuid,         -- operations up to here were looked for in it
    checked_at    timestamptz,  -- all of its period; NULL for good where the file is cut short or has no period
    CONSTRAINT settlement_files_of_name UNIQUE (name, version)
);

-- Each operation that a file has named, by its key.
CREATE TABLE payments.settlement_lines (
    acquirer_key uuid PRIMARY KEY,
    file_id      bigint NOT NULL REFERENCES payments.settlement_files (id),
    line         bigint NOT NULL
);

CREATE TABLE payments.settlement_differences (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    subject        text NOT NULL,  -- the operation's key; of a line that cannot be read, its file and number
    kind           text NOT NULL CONSTRAINT settlement_differences_kind CHECK (kind IN (
        'missing_here', 'missing_there', 'amount_differs', 'status_differs', 'settled_twice', 'unreadable', 'incomplete'
    )),
    file_id        bigint NOT NULL REFERENCES payments.settlement_files (id),
    line           bigint,
    operation_id   uuid,
    here           text,  -- what the database says, such as: sale 1250 EUR failed
    there          text NOT NULL DEFAULT '',  -- what the file says, or what is wrong with it
    found_at       timestamptz NOT NULL DEFAULT now(),
    closed_at      timestamptz,
    closed_by      text,  -- the database's user
    explanation    text CONSTRAINT settlement_differences_explanation CHECK (length(explanation) BETWEEN 1 AND 1000),
    CONSTRAINT settlement_differences_once UNIQUE (subject, kind, there),
    CONSTRAINT settlement_differences_closed CHECK (
        (closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (explanation IS NULL)
    )
);
CREATE INDEX settlement_differences_open ON payments.settlement_differences (found_at) WHERE closed_at IS NULL;
"""

FUNCTIONS = """
CREATE FUNCTION payments.keep_settlement_difference() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL
        OR (NEW.id, NEW.subject, NEW.kind, NEW.here, NEW.there, NEW.found_at)
        IS DISTINCT FROM (OLD.id, OLD.subject, OLD.kind, OLD.here, OLD.there, OLD.found_at) THEN
        RAISE EXCEPTION 'a difference is closed once, and stays as it is'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'settlement_difference_is_lasting';
    END IF;
    NEW.closed_by := session_user;
    RETURN NEW;
END $$;
CREATE FUNCTION payments.audit_settlement_difference() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO payments.audit_events (merchant_id, login, action, object_id, correlation_id)
    VALUES (
        '00000000-0000-0000-0000-000000000000', session_user,
        'settlement_difference.' || CASE TG_OP WHEN 'INSERT' THEN 'found' ELSE 'closed' END,
        NEW.id, left(NEW.subject, 128)
    );
    RETURN NULL;
END $$;
"""

TRIGGERS = """
CREATE TRIGGER keep_settlement_difference BEFORE UPDATE OR DELETE ON payments.settlement_differences
    FOR EACH ROW EXECUTE FUNCTION payments.keep_settlement_difference();
CREATE TRIGGER audit_when_found AFTER INSERT ON payments.settlement_differences
    FOR EACH ROW EXECUTE FUNCTION payments.audit_settlement_difference();
CREATE TRIGGER audit_when_closed AFTER UPDATE ON payments.settlement_differences
    FOR EACH ROW EXECUTE FUNCTION payments.audit_settlement_difference();
"""


def upgrade() -> None:
    """Make the tables and what keeps them, in one transaction."""
    for part in (TABLES, FUNCTIONS, TRIGGERS):
        op.execute(part)


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
