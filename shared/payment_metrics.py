"""CloudWatch metrics of the payments software, the only source for publishers and readers.

The service and the functions publish them; the dashboards and alarms of both systems read them.
"""

from __future__ import annotations

from typing import NamedTuple

NAMESPACE = "Payments"
SERVICE_DIMENSION = "Service"
ENVIRONMENT_DIMENSION = "Environment"
CURRENCY_DIMENSION = "Currency"
DIMENSION_SETS = ((ENVIRONMENT_DIMENSION, SERVICE_DIMENSION), (ENVIRONMENT_DIMENSION,))
"""Each metric is written twice: per emitting service, and for the whole environment. A payment may be completed by the
function, a worker or the reconciler, and percentiles of several services cannot be added up."""
AMOUNT_DIMENSIONS = (ENVIRONMENT_DIMENSION, CURRENCY_DIMENSION)
"""Of metrics that are amounts of money: per currency, and not per emitting service."""

API, PROCESSING, WORKER, RECONCILIATION = "payments", "process_payment", "worker", "reconcile_payments"
"""The emitting services, as values of the dimension Service."""


class Metric(NamedTuple):
    """A metric's name and its unit, as CloudWatch spells them."""

    name: str
    unit: str


STARTED = Metric("PaymentsStarted", "Count")
"""Payments accepted by the API."""
SUCCEEDED = Metric("PaymentsSucceeded", "Count")
"""Payments that the acquirer authorized or captured."""
FAILED = Metric("PaymentsFailed", "Count")
"""Payments that the acquirer declined, or that the reconciler gave up."""
PROCESSING_TIME = Metric("PaymentProcessingTime", "Milliseconds")
"""Time from the acceptance of a payment to the acquirer's decision."""
ATTEMPTS_FAILED = Metric("AcquirerAttemptsFailed", "Count")
"""Attempts to perform an operation that ended without the acquirer's decision."""
REQUESTS_SHED = Metric("RequestsShed", "Count")
"""API requests answered with 503 because the service was overloaded."""
REQUESTS_THROTTLED = Metric("RequestsThrottled", "Count")
"""API requests answered with 429: above the quota of their merchant, or of the address that sends unknown keys."""
REQUESTS_UNAUTHENTICATED = Metric("RequestsUnauthenticated", "Count")
"""API requests answered with 401: without a valid credential."""
OUTBOX_AGE = Metric("OutboxAge", "Milliseconds")
"""Time from the acceptance of an operation until its message was sent to the queue."""
DEAD_LETTERS = Metric("OperationsGivenUp", "Count")
"""Messages that are moved to the dead-letter queue: their operation failed too often while others succeeded."""
CREDENTIAL_REJECTED = Metric("AcquirerCredentialRejected", "Count")
"""Calls that ended as the acquirer does not accept our credential. Nothing is processed until a person has acted."""
NOT_IN_DATABASE = Metric("OperationsNotInDatabase", "Count")
"""Deliveries of messages whose operation is not in the database: it may be charged, and its row lost."""
RECONCILED = Metric("OperationsReconciled", "Count")
"""Operations completed by the reconciler, with a decision whose response had been lost."""
OLDEST_PENDING = Metric("OldestPendingAge", "Seconds")
"""Age of the oldest operation without a decision, at a run of the reconciler, overdue or not; 0 where there is none."""
PENDING = Metric("OperationsPending", "Count")
"""Operations without a decision at a run of the reconciler, overdue or not. Read its maximum."""
PENDING_AMOUNT = Metric("AmountPending", "None")
"""Sum of the amounts of pending operations in minor units, per currency: money promised to customers, undecided yet."""
CONTRADICTED = Metric("AcquirerContradictions", "Count")
"""Decisions of the acquirer that differ from the stored one. Each needs a person."""
SETTLEMENT_DIFFERENCES = Metric("SettlementDifferences", "Count")
"""Open differences between the acquirer's settlement files and the database, at a run. Read its maximum."""
SETTLEMENT_OVERDUE = Metric("SettlementOverdue", "Seconds")
"""Age of the oldest operation that has moved money and that no settlement file has told of yet, at a run."""
RECONCILER_RUNS = Metric("ReconcilerRuns", "Count")
"""Runs of the reconciler that have ended and whose metrics are written: also one that stood by, or that failed."""
PUBLISHER_ROUNDS = Metric("PublisherRounds", "Count")
"""Minutes in which a publisher has looked into the outbox, in either region, whether or not there was a message."""

HEARTBEATS = (RECONCILER_RUNS, PUBLISHER_ROUNDS)
"""Written whatever happens, so that silence means something: nobody is at work, or no metric arrives."""
HEARTBEAT_DIMENSIONS = (ENVIRONMENT_DIMENSION,)

METRICS = (
    STARTED,
    SUCCEEDED,
    FAILED,
    PROCESSING_TIME,
    ATTEMPTS_FAILED,
    REQUESTS_SHED,
    REQUESTS_THROTTLED,
    REQUESTS_UNAUTHENTICATED,
    OUTBOX_AGE,
    DEAD_LETTERS,
    RECONCILED,
    OLDEST_PENDING,
    PENDING,
    PENDING_AMOUNT,
    CONTRADICTED,
    CREDENTIAL_REJECTED,
    NOT_IN_DATABASE,
    SETTLEMENT_DIFFERENCES,
    SETTLEMENT_OVERDUE,
)
"""What is written of payments."""


def beating(id_: str) -> str:
    """Metric math of a heartbeat: its count in each period, 0 where it is missing, and nothing before the first one.

    A new environment is silent until its first run, or its first release. Nothing is divided by a missing value:
    arithmetic takes that for 0, and drops a data point that would be divided by zero.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    """
    return f"FILL({id_}, 0) / (FILL({id_}, REPEAT) >= 0)"
