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
DIMENSIONS = (ENVIRONMENT_DIMENSION, SERVICE_DIMENSION)


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
    CONTRADICTED,
)


def embedded(
    environment: str, values: Mapping[Metric, float | Sequence[float]], *, service: str = "payments"
) -> dict[str, Any]:
    """Members that make CloudWatch Logs read a log line of JSON as metrics.

    Args:
        environment: the environment's suffix.
        values: by metric its value, or up to a hundred of them.
        service: who measured, such as payments or process_payment.
    """
    described = [{"Name": metric.name, "Unit": metric.unit} for metric in values]
    return {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [list(DIMENSIONS)], "Metrics": described}],
        },
        ENVIRONMENT_DIMENSION: environment,
        SERVICE_DIMENSION: service,
        **{metric.name: value for metric, value in values.items()},
    }
