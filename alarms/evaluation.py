"""The state of a metric alarm from its data, as CloudWatch documents it.

An alarm is evaluated every minute, on the window of its periods that ends then; one of more than a day of periods every
hour. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from alarms.definitions import MetricAlarm, Missing, Query, State
from alarms.expressions import ExpressionError, Scope, Value, parse
from alarms.metrics import MINUTE, Metric, Metrics, Series

EXTRA_PERIODS = 2
"""How many periods more than N are looked at if data are missing: as in the examples of AWS's guide, 5 for 3."""
HOUR, DAY = 3600, 86_400

Band = Callable[[Metric, int], tuple[float, float]]
"""The least and the greatest value that is expected of a metric in the period that begins at a time."""


class UnknownBandError(NotImplementedError):
    """An alarm with an ANOMALY_DETECTION_BAND, of which AWS does not publish the model."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The state that an alarm has now, the reason in CloudWatch's words, and the value of each period, newest last."""

    state: State
    reason: str
    values: tuple[float | None, ...]


def step(alarm: MetricAlarm) -> int:
    """The seconds between two evaluations."""
    return HOUR if alarm.period * alarm.periods > DAY else MINUTE


def evaluate(alarm: MetricAlarm, metrics: Metrics, now: float, current: State, band: Band | None = None) -> Verdict:
    """The state of an alarm at a time.

    Raises:
        UnknownBandError: it is compared with a band, and none is given.
        NotImplementedError: a statistic or a function is not played.
        ExpressionError: an expression is none.
    """
    end = int(now // step(alarm)) * step(alarm)
    number = alarm.periods + EXTRA_PERIODS
    times = [end - alarm.period * (number - one) for one in range(number)]
    series = values_of(alarm, metrics, times)
    breaches = _breaches(alarm, times, series, band)
    state = state_of(breaches, alarm.datapoints, alarm.periods, alarm.missing, current)
    values = tuple(series.get(at) for at in times)
    return Verdict(state=state, reason=_reason(alarm, state, values, breaches), values=values)


def values_of(alarm: MetricAlarm, metrics: Metrics, times: Sequence[int]) -> Series:
    """The watched series of an alarm in periods that begin at ``times``, one after the other."""
    value = _Queries(alarm, metrics, times).value(alarm.watched)
    if not isinstance(value, dict):
        raise ExpressionError(f"{alarm.name} watches no single series")
    return value


class _Queries:
    """The queries of an alarm, each evaluated once."""

    def __init__(self, alarm: MetricAlarm, metrics: Metrics, times: Sequence[int]) -> None:
        self._alarm, self._metrics, self._times = alarm, metrics, times
        self._known: dict[str, Value] = {}

    def value(self, query: Query) -> Value:
        if query.identifier not in self._known:
            self._known[query.identifier] = self._evaluated(query)
        return self._known[query.identifier]

    def _evaluated(self, query: Query) -> Value:
        period = self._alarm.period
        if query.metric:
            begin, end = self._times[0], self._times[-1] + period
            return self._metrics.series(query.metric, query.statistic, period=period, begin=begin, end=end)
        others = [one for one in self._alarm.queries if one is not query and one.identifier != self._alarm.band]
        scope = Scope(
            values={one.identifier: partial(self.value, one) for one in others},
            metrics=frozenset(one.identifier for one in others if one.metric),
            times=self._times,
            period=period,
        )
        return parse(query.expression)(scope)


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
_BANDS: Mapping[str, Callable[[float, float, float], bool]] = {
    "GreaterThanUpperThreshold": lambda value, _least, most: value > most,
    "LessThanLowerThreshold": lambda value, least, _most: value < least,
    "LessThanLowerOrGreaterThanUpperThreshold": lambda value, least, most: not least <= value <= most,
}


def _breaches(alarm: MetricAlarm, times: Sequence[int], series: Series, band: Band | None) -> list[bool | None]:
    if alarm.band:
        metric = alarm.watched.metric
        if band is None or metric is None:
            raise UnknownBandError(f"{alarm.name} is compared with an anomaly detection band, whose model is AWS's")
        outside = _BANDS[alarm.comparison]
        return [outside(series[at], *band(metric, at)) if at in series else None for at in times]
    compare, threshold = _COMPARISONS[alarm.comparison], float(alarm.threshold or 0)
    return [compare(series[at], threshold) if at in series else None for at in times]


def state_of(breaches: Sequence[bool | None], least: int, periods: int, missing: Missing, current: State) -> State:
    """The state of an alarm whose periods breach, do not, or have no data (None), newest last.

    ``least`` of ``periods`` make the alarm.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    real = [one for one in breaches if one is not None]
    if len(real) >= periods:
        return _alarm_if(sum(real[-periods:]) >= least)
    breaching, filled = sum(real), periods - len(real)
    if breaching >= least:
        return State.ALARM
    if missing is Missing.BREACHING:
        return _alarm_if(breaching + filled >= least)
    if missing is Missing.NOT_BREACHING:
        return State.OK
    return _of_what_is_there(breaches, least, missing, current)


def _of_what_is_there(breaches: Sequence[bool | None], least: int, missing: Missing, current: State) -> State:
    """With too few data, and nothing in the place of those that are missing."""
    real = [one for one in breaches if one is not None]
    if False in real:
        return State.OK
    if missing is Missing.IGNORE:
        return current
    if not real:
        return State.INSUFFICIENT_DATA
    # "Avoiding premature transitions": if nothing but a breach is known, it must be as old as M.
    age = len(breaches) - list(breaches).index(True)
    return _alarm_if(age >= least)


def _alarm_if(breaching: bool) -> State:
    return State.ALARM if breaching else State.OK


def _reason(alarm: MetricAlarm, state: State, values: Sequence[float | None], breaches: Sequence[bool | None]) -> str:
    recent = [value for value in values if value is not None][-alarm.periods :]
    if not recent:
        treated = {Missing.BREACHING: "[Breaching]", Missing.NOT_BREACHING: "[NonBreaching]"}.get(alarm.missing)
        said = f" were treated as {treated}" if treated else " were received"
        return f"{state.value}: no datapoints{said} for {alarm.periods} periods."
    crossed = sum(one is True for one in breaches)
    listed = ", ".join(f"{value:g}" for value in reversed(recent))
    threshold = alarm.band or f"{alarm.threshold:g}"
    return (
        f"Threshold Crossed: {crossed} of the last {len(recent)} datapoints [{listed}] compared by {alarm.comparison} "
        f"with ({threshold}); {alarm.datapoints} of {alarm.periods} make an ALARM."
    )
