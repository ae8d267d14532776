"""Merchants and their credentials, part one: each row is a merchant's, and kept from every other by the database.

Rows from before, and those that the version before goes on writing, are the first merchant's: its id is the columns'
default. The version before knows nothing of merchants. Its login inherits the rights of every process, so it sees all
rows, as before; a later migration drops the defaults, idempotency_keys.key and that inheritance.

Row-level security is enabled and forced. Who has the rights of the API sees the rows of the merchant that the
transaction has named in the setting payments.merchant, and none where it has named none. So does the owner, whose
rights the triggers run with, but while a migration says otherwise. Nothing is rewritten here: a column with a constant
default is metadata, so the locks are held for a moment only.
https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

FIRST_MERCHANT = "00000000-0000-7000-8000-000000000001"
API, PROCESSING, HOUSEKEEPING = (f"payments_{process}_rights" for process in ("api", "processing", "housekeeping"))
ROWS_OF_MERCHANTS = ("payments", "operations", "outbox", "idempotency_keys")

# In this order, as a request's first lock is that of its idempotency key: one that comes now waits and holds nothing
# that this migration asks for next.
LOCKS = "LOCK TABLE payments.idempotency_keys, payments.outbox, payments.operations, payments.payments"

MERCHANTS = """
CREATE TABLE payments.merchants (
    id         uuid PRIMARY KEY,
    name       text NOT NULL UNIQUE CONSTRAINT merchants_name CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE payments.credentials (
    id           uuid PRIMARY KEY,
    merchant_id  uuid NOT NULL REFERENCES payments.merchants (id),
    kind         text NOT NULL CONSTRAINT credentials_kind CHECK (kind IN ('api_key', 'oauth_client', 'certificate')),
    -- What the caller shows of itself: the id in an API key, a client id, a certificate's fingerprint.
    identifier   text NOT NULL CONSTRAINT credentials_identifier CHECK (length(identifier) BETWEEN 1 AND 128),
    secret_hash  bytea,  -- HMAC-SHA-256 under the pepper of this name; of an API key only
    pepper       text,
    scopes       text[] NOT NULL,
    not_before   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT credentials_of_a_kind UNIQUE (kind, identifier),
    CONSTRAINT credentials_hash CHECK ((secret_hash IS NOT NULL) = (kind = 'api_key')),
    CONSTRAINT credentials_pepper CHECK ((pepper IS NOT NULL) = (secret_hash IS NOT NULL)),
    CONSTRAINT credentials_scopes CHECK (array_length(scopes, 1) >= 1)
);
CREATE INDEX credentials_of_merchant ON payments.credentials (merchant_id, id);
"""

FIRST = f"INSERT INTO payments.merchants (id, name) VALUES ('{FIRST_MERCHANT}', 'first')"  # noqa: S608

# No foreign key to merchants: each payment would lock its merchant's row. A merchant is never deleted.
COLUMNS = f"""
ALTER TABLE payments.payments ADD COLUMN merchant_id uuid NOT NULL DEFAULT '{FIRST_MERCHANT}';
ALTER TABLE payments.operations
    ADD COLUMN merchant_id uuid NOT NULL DEFAULT '{FIRST_MERCHANT}',
    ADD COLUMN requested_by uuid;  -- a credential; NULL from before
ALTER TABLE payments.outbox ADD COLUMN merchant_id uuid NOT NULL DEFAULT '{FIRST_MERCHANT}';
ALTER TABLE payments.idempotency_keys
    ADD COLUMN merchant_id uuid NOT NULL DEFAULT '{FIRST_MERCHANT}',
    ADD COLUMN merchant_key text,  -- what the merchant has sent; key is it with the merchant, unless it is the first
    DROP CONSTRAINT idempotency_keys_key,
    ADD CONSTRAINT idempotency_keys_key CHECK (length(merchant_key) BETWEEN 1 AND 128) NOT VALID;
"""

# No key that a client may send has a slash.
KEYS = f"""
CREATE FUNCTION payments.qualify_key() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.key IS NULL THEN
        NEW.key := CASE WHEN NEW.merchant_id = '{FIRST_MERCHANT}' THEN '' ELSE NEW.merchant_id || '/' END
            || NEW.merchant_key;
    ELSE
        NEW.merchant_key := NEW.key;  -- written by the version before
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER qualify_key BEFORE INSERT ON payments.idempotency_keys
    FOR EACH ROW EXECUTE FUNCTION payments.qualify_key();
"""

# Triggers run in the order of their names: enter_merchant before move_payment, which then finds the payment.
TRIGGERS = """
CREATE FUNCTION payments.enter_merchant() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('payments.merchant', NEW.merchant_id::text, true);
    RETURN NULL;
END $$;
CREATE TRIGGER enter_merchant_when_asked AFTER INSERT ON payments.operations
    FOR EACH ROW EXECUTE FUNCTION payments.enter_merchant();
CREATE TRIGGER enter_merchant_when_answered AFTER UPDATE ON payments.operations
    FOR EACH ROW WHEN (OLD.state <> NEW.state)
    EXECUTE FUNCTION payments.enter_merchant();

CREATE FUNCTION payments.keep_merchant() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a row stays its merchant''s'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'merchant_is_lasting';
END $$;
"""
KEEP_MERCHANT = """
CREATE TRIGGER keep_merchant BEFORE UPDATE ON payments.{table}
    FOR EACH ROW WHEN (OLD.merchant_id <> NEW.merchant_id) EXECUTE FUNCTION payments.keep_merchant();
"""

CURRENT = "merchant_id = nullif(current_setting('payments.merchant', true), '')::uuid"
POLICIES = f"""
ALTER TABLE payments.{{table}} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON payments.{{table}} TO {API}, CURRENT_USER USING ({CURRENT}) WITH CHECK ({CURRENT});
CREATE POLICY every_row ON payments.{{table}} TO {{others}} USING (true) WITH CHECK (true);
CREATE POLICY migrated_rows ON payments.{{table}} TO CURRENT_USER
    USING (current_setting('payments.migrating', true) = 'on')
    WITH CHECK (current_setting('payments.migrating', true) = 'on');
"""
OTHERS = f"{PROCESSING}, {HOUSEKEEPING}"

# The API finds a credential by what the caller shows, before it knows the merchant; it cannot read the table.
LOOK_UP = """
CREATE FUNCTION payments.credential_of(shown_kind text, shown_identifier text) RETURNS SETOF payments.credentials
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM payments.credentials WHERE kind = shown_kind AND identifier = shown_identifier
$$;
CREATE FUNCTION payments.credential_used(used uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE payments.credentials SET last_used_at = now()
    WHERE id = used AND (last_used_at IS NULL OR last_used_at < now() - interval '5 minutes')
$$;
REVOKE ALL ON FUNCTION payments.credential_of, payments.credential_used FROM PUBLIC;
"""


def upgrade() -> None:
    """Add the tables, the columns, the triggers and the policies, in one transaction."""
    for part in (LOCKS, MERCHANTS, FIRST, COLUMNS, KEYS, TRIGGERS, LOOK_UP):
        op.execute(part)
    for table in ROWS_OF_MERCHANTS:
        op.execute(KEEP_MERCHANT.format(table=table))
        op.execute(POLICIES.format(table=table, others=OTHERS))


def downgrade() -> None:
    """There is no way back, nor need of one: the version before runs on this schema."""
    raise NotImplementedError("migrations go forward only")
