"""The platform's own metrics: their names, once, for those who write them and for the dashboards and alarms.

They are written to standard output in CloudWatch's embedded metric format: no call to AWS, no agent.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

NAMESPACE = "Payments"
SERVICE_DIMENSION = "Service"
ENVIRONMENT_DIMENSION = "Environment"
CURRENCY_DIMENSION = "Currency"
DIMENSIONS = (ENVIRONMENT_DIMENSION, SERVICE_DIMENSION)
DIMENSION_SETS = (DIMENSIONS, (ENVIRONMENT_DIMENSION,))
"""Each metric is there twice, by who measured it and of the whole environment: a payment may be settled by the
function, a worker or the reconciler, and percentiles of several cannot be added up."""
DIMENSIONS_OF_AMOUNTS = (ENVIRONMENT_DIMENSION, CURRENCY_DIMENSION)

API, PROCESSING, WORKER, RECONCILIATION = "payments", "process_payment", "worker", "reconcile_payments"
"""Who measures, as the dimension of the service says it."""


class Metric(NamedTuple):
    """A metric's name, and its unit as CloudWatch knows it."""

    name: str
    unit: str


STARTED = Metric("PaymentsStarted", "Count")
"""Payments that were accepted."""
SUCCEEDED = Metric("PaymentsSucceeded", "Count")
"""Payments that the acquirer has authorized, or taken."""
FAILED = Metric("PaymentsFailed", "Count")
"""Payments that the acquirer has refused, or that were given up."""
PROCESSING_TIME = Metric("PaymentProcessingTime", "Milliseconds")
"""From the acceptance of a payment to the acquirer's answer."""
ATTEMPTS_FAILED = Metric("AcquirerAttemptsFailed", "Count")
"""Calls of the acquirer without an answer."""
REQUESTS_SHED = Metric("RequestsShed", "Count")
"""Requests that were answered 429 or 503 as there was no room for them."""
OUTBOX_AGE = Metric("OutboxAge", "Milliseconds")
"""From the acceptance of an operation until its message was sent."""
DEAD_LETTERS = Metric("OperationsGivenUp", "Count")
"""Messages that were processed in vain for the last time, and go to the dead letters."""
RECONCILED = Metric("OperationsReconciled", "Count")
"""Operations whose answer was lost, and found at the acquirer by the reconciler."""
OLDEST_UNSETTLED = Metric("OldestUnsettledAge", "Seconds")
"""Age of the oldest operation that is overdue for an answer."""
UNSETTLED = Metric("OperationsUnsettled", "Count")
"""Operations that have no answer yet, all at the time of a run of the reconciler: its maximum says how many wait."""
AMOUNT_AT_RISK = Metric("AmountUnsettled", "None")
"""Their amounts, in minor units, by currency: what customers have been told is under way, and nobody has answered."""
CONTRADICTED = Metric("AcquirerContradictions", "Count")
"""Answers of the acquirer that differ from what is stored: somebody must look at them."""

METRICS = (
    STARTED,
    SUCCEEDED,
    FAILED,
    PROCESSING_TIME,
    ATTEMPTS_FAILED,
    REQUESTS_SHED,
    OUTBOX_AGE,
    DEAD_LETTERS,
    RECONCILED,
    OLDEST_UNSETTLED,
    UNSETTLED,
    AMOUNT_AT_RISK,
    CONTRADICTED,
)


def embedded(
    environment: str,
    values: Mapping[Metric, float | Sequence[float]],
    *,
    service: str = API,
    currency: str | None = None,
) -> dict[str, Any]:
    """Members that make CloudWatch Logs read a log line of JSON as metrics.

    Args:
        environment: the environment's suffix.
        values: by metric its value, or up to a hundred of them.
        service: who measured, such as payments or process_payment.
        currency: of what are amounts: they are counted by currency, and not by who measured.
    """
    described = [{"Name": metric.name, "Unit": metric.unit} for metric in values]
    sets = [DIMENSIONS_OF_AMOUNTS] if currency else DIMENSION_SETS
    directive = {"Namespace": NAMESPACE, "Dimensions": [list(one) for one in sets], "Metrics": described}
    return {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        ENVIRONMENT_DIMENSION: environment,
        SERVICE_DIMENSION: service,
        **({CURRENCY_DIMENSION: currency} if currency else {}),
        **{metric.name: value for metric, value in values.items()},
    }
