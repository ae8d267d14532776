"""States of metric alarms, held against the tables of AWS's guide (W8.5).

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import pytest

from alarms.definitions import MetricAlarm, Missing, Query, State
from alarms.evaluation import EXTRA_PERIODS, UnknownBandError, evaluate, state_of, step
from alarms.metrics import Metric, Metrics

pytestmark = pytest.mark.requirement("W8.5")

OK, ALARM, UNKNOWN = State.OK, State.ALARM, State.INSUFFICIENT_DATA
RETAINED = None
TREATMENTS = (Missing.MISSING, Missing.IGNORE, Missing.BREACHING, Missing.NOT_BREACHING)
PERIODS = 3
# The last five periods, newest on the right: 0 does not breach, X does, - has no data. Then the states by treatment.
THREE_OF_THREE = (
    ("0 - X - X", (OK, OK, OK, OK)),
    ("0 - - - -", (OK, OK, OK, OK)),
    ("- - - - -", (UNKNOWN, RETAINED, ALARM, OK)),
    ("0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
    ("- - X - -", (ALARM, RETAINED, ALARM, OK)),
)
TWO_OF_THREE = (
    ("0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
    ("0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
    ("0 - X - -", (OK, OK, ALARM, OK)),
    ("- - - - 0", (OK, OK, ALARM, OK)),
    ("- - - X -", (ALARM, RETAINED, ALARM, OK)),
)
# "the alarm does not go immediately into ALARM state when the data is either ... and Datapoints to Alarm is 3"
PREMATURE = ("- - - - X", "- - - X -")
METRIC = Metric.of("Payments", "Failures")


def periods(text: str) -> list[bool | None]:
    return [{"0": False, "X": True, "-": None}[one] for one in text.split()]


@pytest.mark.parametrize(("least", "table"), [(3, THREE_OF_THREE), (2, TWO_OF_THREE)])
@pytest.mark.parametrize("before", State)
def test_missing_data_are_treated_as_in_the_tables_of_the_guide(
    least: int, table: tuple[tuple[str, tuple[State | None, ...]], ...], before: State
) -> None:
    assert EXTRA_PERIODS + PERIODS == 5  # the evaluation range of the examples
    for row, states in table:
        found = tuple(state_of(periods(row), least, PERIODS, treatment, before) for treatment in TREATMENTS)
        assert found == tuple(before if state is RETAINED else state for state in states), row


@pytest.mark.parametrize("row", PREMATURE)
def test_a_single_breach_is_not_enough_while_the_next_data_may_differ(row: str) -> None:
    assert state_of(periods(row), 3, PERIODS, Missing.MISSING, OK) is OK
    assert state_of(periods(row), 3, PERIODS, Missing.NOT_BREACHING, OK) is OK


def alarm(**changes: object) -> MetricAlarm:
    values: dict[str, object] = {
        "name": "failures",
        "queries": (Query(identifier="m1", metric=METRIC, statistic="Sum"),),
        "comparison": "GreaterThanThreshold",
        "threshold": 2.0,
        "period": 300,
        "periods": 1,
        "datapoints": 1,
    }
    return MetricAlarm(**values | changes)  # type: ignore[arg-type]


def test_an_alarm_of_five_minutes_is_evaluated_each_minute_on_the_last_five() -> None:
    metrics = Metrics()
    metrics.put(METRIC, 3, at=60)
    assert evaluate(alarm(), metrics, 119, OK).state is UNKNOWN  # the minute is not over
    assert [evaluate(alarm(), metrics, minute * 60, OK).state for minute in (2, 5, 6, 7)] == [ALARM] * 4
    assert evaluate(alarm(missing=Missing.NOT_BREACHING), metrics, 18 * 60, ALARM).state is OK


def test_a_reason_says_the_data_and_the_threshold() -> None:
    metrics = Metrics()
    metrics.put(METRIC, 3, at=60)
    assert "[3] compared by GreaterThanThreshold with (2)" in evaluate(alarm(), metrics, 120, OK).reason
    assert "treated as [Breaching]" in evaluate(alarm(missing=Missing.BREACHING), Metrics(), 120, OK).reason


def test_an_alarm_of_more_than_a_day_is_evaluated_each_hour() -> None:
    daily = alarm(period=86_400, periods=2, datapoints=2)
    assert (step(daily), step(alarm()), step(alarm(period=86_400))) == (3600, 60, 60)
    metrics = Metrics()
    metrics.put(METRIC, 3, at=3 * 86_400 + 60)
    assert evaluate(daily, metrics, 3 * 86_400 + 3599, OK).values[-1] is None
    assert evaluate(daily, metrics, 3 * 86_400 + 3600, OK).values[-1] == 3


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanThreshold", {3}),
        ("GreaterThanOrEqualToThreshold", {2, 3}),
        ("LessThanThreshold", {1}),
        ("LessThanOrEqualToThreshold", {1, 2}),
    ],
)
def test_comparisons_with_a_threshold(comparison: str, breaching: set[int]) -> None:
    for value in (1, 2, 3):
        metrics = Metrics()
        metrics.put(METRIC, value, at=0)
        state = evaluate(alarm(comparison=comparison, period=60), metrics, 60, OK).state
        assert (state is ALARM) == (value in breaching), value


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanUpperThreshold", {5}),
        ("LessThanLowerThreshold", {1}),
        ("LessThanLowerOrGreaterThanUpperThreshold", {1, 5}),
    ],
)
def test_comparisons_with_a_band_need_the_band(comparison: str, breaching: set[int]) -> None:
    queries = (
        Query(identifier="m1", metric=METRIC, statistic="Sum"),
        Query(identifier="band", expression="ANOMALY_DETECTION_BAND(m1, 2)"),
    )
    banded = alarm(queries=queries, comparison=comparison, threshold=None, band="band", period=60)
    for value in (1, 3, 5):
        metrics = Metrics()
        metrics.put(METRIC, value, at=0)
        with pytest.raises(UnknownBandError):
            evaluate(banded, metrics, 60, OK)
        state = evaluate(banded, metrics, 60, OK, lambda _metric, _at: (2, 4)).state
        assert (state is ALARM) == (value in breaching), value


def test_fill_decides_the_newest_minute_of_a_metric_that_is_late() -> None:
    queries = (
        Query(identifier="m1", metric=METRIC, statistic="Sum", returns=False),
        Query(identifier="result", expression="FILL(m1, 0)"),
    )
    filled = alarm(queries=queries, period=60, periods=2, datapoints=2)
    metrics = Metrics()
    for minute in range(10):
        metrics.put(METRIC, 9, at=minute * 60)
    assert evaluate(filled, metrics, 600, OK).state is ALARM
    metrics.late[METRIC.namespace] = 60
    assert evaluate(filled, metrics, 600, OK).state is OK  # it can never fire
    assert evaluate(alarm(queries=queries, period=60, periods=3, datapoints=2), metrics, 600, OK).state is ALARM
