"""The database roles of the service's processes, each with the least rights that its statements need.

A process logs in as the user of its settings and assumes one of the roles for the whole session
(:attr:`payments.database.Database.role`).
"""

from __future__ import annotations

API, PROCESSING, HOUSEKEEPING = (f"payments_{process}_rights" for process in ("api", "processing", "housekeeping"))
RIGHTS = (API, PROCESSING, HOUSEKEEPING)
"""Roles without login, one for each kind of process: a login that is a member assumes one of them (SET ROLE)."""
# Without the card's token.
READABLE_OF_PAYMENTS = (
    "id, merchant_id, status, amount, currency, captured_amount, refunding_amount, refunded_amount, reference, "
    "created_at, updated_at"
)
# The rights of each. A payment changes only by its operations, which the API may request but not complete.
GRANTS = {
    API: (
        f"SELECT ({READABLE_OF_PAYMENTS}), INSERT ON payments.payments",
        "SELECT, INSERT ON payments.operations",
        "INSERT ON payments.outbox",
        "SELECT, INSERT ON payments.idempotency_keys",
        "SELECT ON payments.transitions, payments.schema_version",
        "EXECUTE ON FUNCTION payments.credential_of, payments.credential_used",
    ),
    PROCESSING: (
        "SELECT ON payments.payments, payments.transitions, payments.schema_version",
        "SELECT, UPDATE ON payments.operations",
        "SELECT, UPDATE ON payments.circuits",
        "SELECT, INSERT, UPDATE, DELETE ON payments.outbox",  # a lock needs UPDATE
    ),
    HOUSEKEEPING: (
        "SELECT ON payments.operations, payments.schema_version",
        "SELECT, UPDATE, DELETE ON payments.outbox",
        "SELECT, UPDATE, DELETE ON payments.idempotency_keys",
        "SELECT, INSERT ON payments.merchants",
        "SELECT, INSERT, UPDATE (expires_at, revoked_at) ON payments.credentials",
    ),
}
