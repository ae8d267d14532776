"""Metric math, held against the tables of AWS's guide (W8.5).

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest

from alarms.expressions import ExpressionError, Scope, Value, calls, evaluate

pytestmark = pytest.mark.requirement("W8.5")

NONE = None


def scope(**series: Sequence[float | None]) -> Scope:
    times = range(0, 60 * max((len(values) for values in series.values()), default=0), 60)

    def value(name: str) -> Value:
        return {at: found for at, found in zip(times, series[name], strict=True) if found is not None}

    values = {name: partial(value, name) for name in series}
    return Scope(values=values, metrics=frozenset(values), times=times, period=60)


def result(expression: str, **series: Sequence[float | None]) -> list[float | None]:
    on = scope(**series)
    value = evaluate(expression, on)
    assert isinstance(value, dict)
    return [value.get(at) for at in on.times]


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("(metric1 < metric2)", [0, 0, 1, 0]),
        ("(metric1 >= 30)", [1, 0, 0, 0]),
        ("(metric1 > 15 AND metric2 > 15)", [1, 0, 0, 0]),
    ],
)
def test_comparisons_of_the_guide(expression: str, values: list[float]) -> None:
    found = result(expression, metric1=[30, 20, 0, 0], metric2=[20, NONE, 20, NONE])
    # The guide writes no point where "metric2 > 15" has none; as 0 or without a value it is not true.
    assert [one or 0 for one in found] == values


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("IF(metric1, metric2, metric3)", [30, 0, 20, NONE, NONE]),
        ("IF(metric1, 5, metric3)", [5, 5, 20, NONE, NONE]),
        ("IF(metric1, metric2, 5)", [30, 0, 5, 5, NONE]),
        ("IF(metric1, 5)", [5, 5, NONE, NONE, NONE]),
        ("IF(1, metric2, metric3)", [30, NONE, 0, 0, 30]),
        ("IF(0, metric2, metric3)", [0, 0, 20, NONE, 20]),
    ],
)
def test_if_of_the_guide(expression: str, values: list[float | None]) -> None:
    metrics = {"metric1": [1, 1, 0, 0, NONE], "metric2": [30, NONE, 0, 0, 30], "metric3": [0, 0, 20, NONE, 20]}
    assert result(expression, **metrics) == values


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("m1 + m2", [5, 2, 3, NONE]),  # a missing value is 0 where the other one has one
        ("m1 - m2", [-1, 2, -3, NONE]),
        ("m1 / m2", [2 / 3, NONE, 0, NONE]),  # a division by zero drops the point
        ("-m1", [-2, -2, NONE, NONE]),
        ("2 * m1 + 3 ^ 2 * m1", [22, 22, NONE, NONE]),
        ("FILL(m1, 0)", [2, 2, 0, 0]),
        ("FILL(m1, m2)", [2, 2, 3, 0]),
        ("FILL(m2, REPEAT)", [3, 3, 3, 3]),
        ("SUM([m1, m2])", [5, 2, 3, NONE]),
        ("SUM(METRICS())", [5, 2, 3, NONE]),
        ("MAX([m1, m2])", [3, 2, 3, NONE]),
        ("MIN([m1, m2])", [2, 2, 3, NONE]),
        ("AVG([m1, m2])", [2.5, 1, 1.5, NONE]),
        ("m1 - AVG(m1)", [0, 0, NONE, NONE]),
        ("m1 * PERIOD(m1)", [120, 120, NONE, NONE]),
        ("ABS(m1 - m2)", [1, 2, 3, NONE]),
        ("CEIL(m1 / 4) + FLOOR(m1 / 4)", [1, 1, NONE, NONE]),
        ("m1 == 2 && m2 != 3 || m2 >= 3", [1, 0, 1, NONE]),
        ("!(m1 > 1)", [0, 0, NONE, NONE]),
        ("100 * m1 / IF(m1 < 20, 20, m1)", [10, 10, NONE, NONE]),
        ("m1 / (m2 >= 0)", [2, NONE, 0, NONE]),  # only where m2 has a value
    ],
)
def test_operators_and_functions(expression: str, values: list[float | None]) -> None:
    assert result(expression, m1=[2, 2, NONE, NONE], m2=[3, NONE, 3, NONE]) == pytest.approx(values)


@pytest.mark.parametrize("expression", ["m1 +", "(m1", "m1 m2", "m3", "FILL(m1)", "m1 ? 2", "IF([m1], 1)", "", "1 + )"])
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, scope(m1=[1], m2=[1]))


@pytest.mark.parametrize("expression", ["ANOMALY_DETECTION_BAND(m1, 2)", "RATE(m1)", "FILL(m1, LINEAR)"])
def test_what_is_not_played_is_refused(expression: str) -> None:
    with pytest.raises(NotImplementedError):
        evaluate(expression, scope(m1=[1]))


def test_the_functions_of_an_expression_are_known() -> None:
    assert calls("IF(FILL(m1, 0) > 1, SUM([m1, m2]), m1)") == {"IF", "FILL", "SUM"}
