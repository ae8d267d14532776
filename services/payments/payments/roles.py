"""The database roles of the service's processes, each with the least rights that its statements need.

Each process has a login of its own, a member of one of the roles, which its sessions assume
(:attr:`payments.database.Database.role`). The login can do nothing that the role cannot.
"""

from __future__ import annotations

from enum import StrEnum

API, PROCESSING, PUBLISHING, ADMINISTRATION = (
    f"payments_{process}_rights" for process in ("api", "processing", "publishing", "administration")
)
HOUSEKEEPING = "payments_housekeeping_rights"
"""Of the version before, for its publisher and its `merchants`; the version after this one drops it."""
RIGHTS = (API, PROCESSING, PUBLISHING, ADMINISTRATION, HOUSEKEEPING)
"""Roles without login."""


class Process(StrEnum):
    """The kinds of process that log in to the database."""

    API = "api"
    """Serves requests."""
    PROCESSING = "processing"
    """Processes and reconciles operations."""
    PUBLISHING = "publishing"
    """Sends the outbox, deletes idempotency keys that have expired, and makes and drops months of audit events."""
    ADMINISTRATION = "administration"
    """Makes merchants and their credentials, and shows operations, for those who run the service."""

    @property
    def rights(self) -> str:
        """The role of the process's login."""
        return f"payments_{self.value}_rights"


# Without the card's token.
READABLE_OF_PAYMENTS = (
    "id, merchant_id, status, amount, currency, captured_amount, refunding_amount, refunded_amount, reference, "
    "created_at, updated_at, next_action, capture_before"
)
CHANGED_BY_PROCESSING = (
    "status, acquirer_reference, reason, completed_at, claimed_by, claimed_until, attempts, tries, last_error, "
    "next_attempt_at, next_look_up_at, times_not_found, not_found_at, requested_at, awaiting, next_action, decide_by, "
    "expires_at, expired_at, state, settled_at, acquirer"
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
        "EXECUTE ON FUNCTION payments.receive_notification",
    ),
    PROCESSING: (
        "SELECT ON payments.payments, payments.transitions, payments.schema_version",
        "SELECT, INSERT ON payments.epochs",
        f"SELECT, UPDATE ({CHANGED_BY_PROCESSING}) ON payments.operations",
        "SELECT, INSERT (name), UPDATE ON payments.circuits",
        "SELECT, UPDATE (applied_at) ON payments.acquirer_notifications",
        "SELECT, INSERT, UPDATE, DELETE ON payments.outbox",  # a lock needs UPDATE
        "SELECT, INSERT, UPDATE ON payments.settlement_files, payments.settlement_lines",
        "SELECT, INSERT, UPDATE (closed_at, closed_by, explanation) ON payments.settlement_differences",
    ),
    PUBLISHING: (
        "SELECT ON payments.schema_version",
        "SELECT (id, merchant_id, payment_id, acquirer_key, correlation_id) ON payments.operations",
        "SELECT, UPDATE (claimed_until), DELETE ON payments.outbox",
        # Of keys that have expired (row-level security); to lock one needs UPDATE, which no row passes.
        "SELECT (key, created_at), UPDATE (created_at), DELETE ON payments.idempotency_keys",
        "EXECUTE ON FUNCTION payments.keep_audit_months",
    ),
    ADMINISTRATION: (
        "SELECT ON payments.schema_version",
        f"SELECT ({READABLE_OF_PAYMENTS}) ON payments.payments",
        "SELECT ON payments.operations",
        "SELECT, INSERT ON payments.epochs",
        "SELECT, INSERT ON payments.merchants",
        "SELECT, INSERT, UPDATE (expires_at, revoked_at) ON payments.credentials",
        "SELECT ON payments.settlement_files, payments.settlement_differences",
        "UPDATE (closed_at, closed_by, explanation) ON payments.settlement_differences",
    ),
    HOUSEKEEPING: (
        "SELECT ON payments.operations, payments.schema_version",
        "SELECT, UPDATE, DELETE ON payments.outbox",
        "SELECT, UPDATE, DELETE ON payments.idempotency_keys",
        "SELECT, INSERT ON payments.epochs",
        "SELECT, INSERT ON payments.merchants",
        "SELECT, INSERT, UPDATE (expires_at, revoked_at) ON payments.credentials",
    ),
}
