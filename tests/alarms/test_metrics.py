"""Statistics of metrics over periods (W8.5)."""

from __future__ import annotations

import pytest

from alarms.metrics import MOST_MINUTES, Metric, Metrics

pytestmark = pytest.mark.requirement("W8.5")

METRIC = Metric.of("Payments", "Latency", {"Environment": "local"})


def metrics() -> Metrics:
    found = Metrics()
    for number in range(1, 101):
        found.put(METRIC, number, at=60 + number % 2 * 60)
    found.put(METRIC, 7, at=600, count=3)
    return found


@pytest.mark.parametrize(
    ("statistic", "values"),
    [
        ("SampleCount", {0: 100, 600: 3}),
        ("Sum", {0: 5050, 600: 21}),
        ("Average", {0: 50.5, 600: 7}),
        ("Minimum", {0: 1, 600: 7}),
        ("Maximum", {0: 100, 600: 7}),
        ("p50", {0: 50, 600: 7}),
        ("p99", {0: 99, 600: 7}),
        ("p100", {0: 100, 600: 7}),
    ],
)
def test_a_statistic_is_of_all_values_in_a_period(statistic: str, values: dict[int, float]) -> None:
    assert metrics().series(METRIC, statistic, period=300, begin=0, end=900) == values


def test_dimensions_are_part_of_the_metric() -> None:
    other = Metric.of("Payments", "Latency", {"Environment": "staging"})
    wider = Metric.of("Payments", "Latency")
    assert [metrics().series(one, "Sum", period=60, begin=0, end=900) for one in (other, wider)] == [{}, {}]


def test_periods_begin_where_the_window_does() -> None:
    assert metrics().series(METRIC, "SampleCount", period=300, begin=120, end=720) == {120: 50, 420: 3}


def test_what_is_published_late_cannot_be_read_before() -> None:
    found = metrics()
    found.late["Payments"] = 120
    assert found.series(METRIC, "SampleCount", period=60, begin=0, end=660) == {60: 50, 120: 50}
    assert found.series(METRIC, "SampleCount", period=60, begin=540, end=780) == {600: 3}


def test_a_statistic_that_is_not_played_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="tm99"):
        metrics().series(METRIC, "tm99", period=300, begin=0, end=900)


def test_memory_is_bounded() -> None:
    found = Metrics()
    for minute in range(2 * MOST_MINUTES):
        found.put(METRIC, 1, at=minute * 60)
    assert len(found.series(METRIC, "Sum", period=60, begin=0, end=2 * MOST_MINUTES * 60)) == MOST_MINUTES
