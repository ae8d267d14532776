"""CloudWatch metrics, for alarms, dashboards and scaling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from settings.naming import Names
from shared import payment_metrics

MINUTE, FIVE_MINUTES, DAY = 60, 300, 86_400  # seconds


@dataclass(frozen=True)
class Metric:
    """One statistic of a metric over a period."""

    namespace: str
    name: str
    statistic: str
    dimensions: Mapping[str, str]
    period_seconds: int = MINUTE


def where_present(expression: str, *ids: str) -> str:
    """The expression without the minutes in which one of the metrics has no value.

    Arithmetic takes a missing value for 0, and drops a data point that would be divided by zero. Without it an
    expression's newest minute is decided by which of its metrics is published first.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html#metric-math-syntax-arithmetic
    """
    return f"({expression}) / {' / '.join(f'({id_} >= 0)' for id_ in ids)}"


def of_payments(names: Names, metric: payment_metrics.Metric, statistic: str, period_seconds: int = MINUTE) -> Metric:
    """A metric that the payments service publishes, of the whole environment in the region."""
    dimensions = {payment_metrics.ENVIRONMENT_DIMENSION: names.suffix}
    return Metric(payment_metrics.NAMESPACE, metric.name, statistic, dimensions, period_seconds)
