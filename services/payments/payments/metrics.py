"""Writes metrics to standard output in CloudWatch's embedded metric format: no call to AWS, no agent.

Their names are :mod:`shared.payment_metrics`. The format is
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from payments import logs
from shared.payment_metrics import (
    AMOUNT_DIMENSIONS,
    API,
    CURRENCY_DIMENSION,
    DIMENSION_SETS,
    ENVIRONMENT_DIMENSION,
    HEARTBEAT_DIMENSIONS,
    HEARTBEATS,
    NAMESPACE,
    SERVICE_DIMENSION,
    Metric,
)

MAX_VALUES_PER_LINE = 100
"""Of one metric; a limit of the format."""


def embedded(
    environment: str,
    values: Mapping[Metric, float | Sequence[float]],
    *,
    service: str = API,
    currency: str | None = None,
) -> dict[str, Any]:
    """Members of a JSON log line that make CloudWatch Logs extract metrics from it.

    Args:
        environment: the environment's suffix.
        values: the value of each metric, or up to 100 values.
        service: the emitting service, such as payments or process_payment.
        currency: for amounts of money, which are dimensioned by currency and not by service.
    """
    described = [{"Name": metric.name, "Unit": metric.unit} for metric in values]
    sets = [list(one) for one in _dimensions(values, currency)]
    directive = {"Namespace": NAMESPACE, "Dimensions": sets, "Metrics": described}
    return {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        ENVIRONMENT_DIMENSION: environment,
        SERVICE_DIMENSION: service,
        **({CURRENCY_DIMENSION: currency} if currency else {}),
        **{metric.name: value for metric, value in values.items()},
    }


def _dimensions(values: Mapping[Metric, float | Sequence[float]], currency: str | None) -> tuple[tuple[str, ...], ...]:
    if currency:
        return (AMOUNT_DIMENSIONS,)
    return (HEARTBEAT_DIMENSIONS,) if set(values) <= set(HEARTBEATS) else DIMENSION_SETS


class MetricRecorder:
    """Buffers the metrics of a process until they are flushed as log lines."""

    def __init__(self, environment: str, service: str) -> None:
        """``environment`` is the environment's suffix; ``service`` the emitting service, such as process_payment."""
        self._environment = environment
        self._service = service
        self._values: dict[Metric, list[float]] = defaultdict(list)
        self._amounts: dict[str, dict[Metric, float]] = defaultdict(dict)

    def add(self, metric: Metric, value: float = 1.0) -> None:
        """Buffer a value."""
        self._values[metric].append(value)

    def set_amount(self, metric: Metric, currency: str, value: float) -> None:
        """Buffer an amount in minor units of its currency; it replaces one that is buffered already."""
        self._amounts[currency][metric] = value

    def beat(self, heartbeat: Metric) -> None:
        """Write a heartbeat at once: that the process is at work, and that its metrics arrive."""
        self._write({heartbeat: 1.0})

    def buffered(self, metric: Metric) -> list[float]:
        """The values of a metric since the last flush."""
        return list(self._values.get(metric, ()))

    def flush(self) -> None:
        """Write and forget what is buffered: counts as their sums, other metrics with all their values."""
        values, self._values = self._values, defaultdict(list)
        amounts, self._amounts = self._amounts, defaultdict(dict)
        for currency, of_currency in amounts.items():
            self._write(of_currency, currency)
        counts = {metric: sum(found) for metric, found in values.items() if metric.unit == "Count"}
        if counts:
            self._write(counts)
        for metric, found in values.items():
            if metric not in counts:
                for start in range(0, len(found), MAX_VALUES_PER_LINE):
                    self._write({metric: found[start : start + MAX_VALUES_PER_LINE]})

    def _write(self, values: Mapping[Metric, float | Sequence[float]], currency: str | None = None) -> None:
        logs.info("metrics", **embedded(self._environment, values, service=self._service, currency=currency))
