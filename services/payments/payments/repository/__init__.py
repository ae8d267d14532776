"""The repository: SQL as plain functions of a connection, for the API and for the functions that process payments.

A function that writes does so in one transaction of its own, unless the caller has begun one. The database itself
rejects what the status of a payment does not allow (:mod:`payments.migrations`), however many requests race. Errors of
the database pass through as :class:`psycopg.Error`, a lost connection among them.
"""

from payments.repository.operations import (
    FinalStatus,
    claim,
    complete,
    get_claim_status,
    get_details,
    list_operations,
    list_overdue,
    schedule_retry,
    total_pending,
)
from payments.repository.outbox import delete_outbox_messages, lock_outbox_messages, resend
from payments.repository.payments import (
    check_writable,
    create_operation,
    create_payment,
    get_payment,
    get_payment_with_operations,
    list_payments,
    purge_idempotency_keys,
)
from payments.repository.records import (
    FIRST_MERCHANT_ID,
    AmountTooLarge,
    Claim,
    ClaimStatus,
    Connection,
    IdempotencyKey,
    IdempotencyKeyReused,
    NewOperation,
    NewPayment,
    Operation,
    OperationDetails,
    OutboxMessage,
    Payment,
    PendingTotal,
    Requester,
    StatusConflict,
    StoredResponse,
)

__all__ = [
    "FIRST_MERCHANT_ID",
    "AmountTooLarge",
    "Claim",
    "ClaimStatus",
    "Connection",
    "FinalStatus",
    "IdempotencyKey",
    "IdempotencyKeyReused",
    "NewOperation",
    "NewPayment",
    "Operation",
    "OperationDetails",
    "OutboxMessage",
    "Payment",
    "PendingTotal",
    "Requester",
    "StatusConflict",
    "StoredResponse",
    "check_writable",
    "claim",
    "complete",
    "create_operation",
    "create_payment",
    "delete_outbox_messages",
    "get_claim_status",
    "get_details",
    "get_payment",
    "get_payment_with_operations",
    "list_operations",
    "list_overdue",
    "list_payments",
    "lock_outbox_messages",
    "purge_idempotency_keys",
    "resend",
    "schedule_retry",
    "total_pending",
]
