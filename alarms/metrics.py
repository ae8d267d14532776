"""Metrics of one region and their statistics over periods.

Values are aggregated by the minute, as CloudWatch keeps those of standard resolution.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

MINUTE = 60
"""Seconds; the shortest period of a metric of standard resolution."""
MOST_MINUTES = 600
"""Of a metric so many minutes with data are kept. CloudWatch keeps 15 days of them."""

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")
_SIGNIFICANT_DIGITS = 4
"""Of values for percentiles, which CloudWatch approximates, too."""

Series = dict[int, float]
"""Values by the time at which their period begins."""


@dataclass(frozen=True)
class Metric:
    """Namespace, name, and dimensions, which are part of a metric's identity: no metric has those of another."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str] | None = None) -> Metric:
        """The metric with these dimensions."""
        return cls(namespace, name, frozenset((dimensions or {}).items()))


Data = Iterable[tuple[Metric, float]]
"""What a source publishes at one time."""


@dataclass(slots=True)
class Minute:
    """The values of a metric within a minute."""

    count: int = 0
    total: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    values: dict[float, int] = field(default_factory=dict)

    def add(self, value: float, count: int) -> None:
        """Add a value that was measured ``count`` times."""
        self.count += count
        self.total += value * count
        self.least, self.most = min(self.least, value), max(self.most, value)
        rounded = _rounded(value)
        self.values[rounded] = self.values.get(rounded, 0) + count


class Metrics:
    """The metrics of a region.

    ``late`` are seconds by which what a namespace publishes can be read later than its minute ends.
    """

    def __init__(self) -> None:
        self.late: dict[str, int] = {}
        self._minutes: dict[Metric, dict[int, Minute]] = {}

    def put(self, metric: Metric, value: float, at: float, count: int = 1) -> None:
        """Add a value that was measured ``count`` times."""
        minutes = self._minutes.setdefault(metric, {})
        minute = int(at // MINUTE) * MINUTE
        if minute not in minutes:
            minutes[minute] = Minute()
            if len(minutes) > MOST_MINUTES:
                del minutes[next(iter(minutes))]  # the one that was added first
        minutes[minute].add(value, count)

    def publish(self, data: Data, at: float) -> None:
        """Add what a source has measured."""
        for metric, value in data:
            self.put(metric, value, at)

    def minutes(self) -> Iterator[tuple[Metric, int, Minute]]:
        """Each minute of each metric that has data, with the time at which it begins."""
        for metric, minutes in self._minutes.items():
            for at, minute in minutes.items():
                yield metric, at, minute

    def series(self, metric: Metric, statistic: str, *, period: int, begin: int, end: int) -> Series:
        """A statistic over each period of ``period`` seconds from ``begin`` to ``end``, of those that have data.

        Raises:
            NotImplementedError: the statistic is not played.
        """
        minutes = self._minutes.get(metric)
        if not minutes:
            return {}
        readable = min(end, end - self.late.get(metric.namespace, 0))
        periods: dict[int, list[Minute]] = {}
        for minute in _between(minutes, begin, readable):
            periods.setdefault(begin + (minute - begin) // period * period, []).append(minutes[minute])
        return {start: _statistic(statistic, found) for start, found in sorted(periods.items())}


def _between(minutes: Mapping[int, Minute], begin: int, end: int) -> Iterable[int]:
    if (end - begin) // MINUTE < len(minutes):
        first = math.ceil(begin / MINUTE) * MINUTE
        return (minute for minute in range(first, end, MINUTE) if minute in minutes)
    return (minute for minute in minutes if begin <= minute < end)


def _statistic(name: str, minutes: list[Minute]) -> float:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html."""
    count, total = sum(one.count for one in minutes), sum(one.total for one in minutes)
    simple = {
        "SampleCount": float(count),
        "Sum": total,
        "Average": total / count,
        "Minimum": min(one.least for one in minutes),
        "Maximum": max(one.most for one in minutes),
    }
    if name in simple:
        return simple[name]
    percentile = _PERCENTILE.fullmatch(name)
    if percentile is None:
        raise NotImplementedError(f"the statistic {name}")
    return _percentile(float(percentile[1]), count, minutes)


def _percentile(percent: float, count: int, minutes: list[Minute]) -> float:
    """The least value that at least so many percent of all values do not exceed."""
    rank, seen = math.ceil(percent / 100 * count), 0
    counted: dict[float, int] = {}
    for one in minutes:
        for value, times in one.values.items():
            counted[value] = counted.get(value, 0) + times
    for value in sorted(counted):
        seen += counted[value]
        if seen >= rank:
            return value
    return max(counted)


def _rounded(value: float) -> float:
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, _SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(abs(value))))
