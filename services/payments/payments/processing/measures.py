"""What was measured since metrics were written last."""

from __future__ import annotations

from collections import defaultdict

from payments import logs
from payments.metrics import Metric, embedded

MOST_VALUES = 100
"""Of one metric in one line: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html."""


class Measures:
    """Collects values, and writes them as log lines that CloudWatch makes metrics of."""

    def __init__(self, environment: str, service: str) -> None:
        """``environment`` is its suffix; ``service`` who measures, such as process_payment."""
        self._environment = environment
        self._service = service
        self._values: dict[Metric, list[float]] = defaultdict(list)
        self._amounts: dict[str, dict[Metric, float]] = defaultdict(dict)

    def add(self, metric: Metric, value: float = 1.0) -> None:
        """Take a value."""
        self._values[metric].append(value)

    def amount(self, metric: Metric, currency: str, value: float) -> None:
        """Take an amount, in minor units of its currency; the last one before metrics are written counts."""
        self._amounts[currency][metric] = value

    def flush(self) -> None:
        """Write what there is; counts as their sums."""
        values, self._values = self._values, defaultdict(list)
        amounts, self._amounts = self._amounts, defaultdict(dict)
        for currency, of_currency in amounts.items():
            self._write(of_currency, currency)
        counts = {metric: sum(found) for metric, found in values.items() if metric.unit == "Count"}
        if counts:
            self._write(counts)
        for metric, found in values.items():
            if metric not in counts:
                for start in range(0, len(found), MOST_VALUES):
                    self._write({metric: found[start : start + MOST_VALUES]})

    def _write(self, values: dict[Metric, float] | dict[Metric, list[float]], currency: str | None = None) -> None:
        logs.info("measured", **embedded(self._environment, values, service=self._service, currency=currency))
