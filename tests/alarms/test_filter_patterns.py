"""Patterns of metric filters, and metrics in log lines (W8.5)."""

from __future__ import annotations

import json

import pytest

from alarms.embedded import data_of
from alarms.filter_patterns import PatternError, matches
from alarms.metrics import Metric

pytestmark = pytest.mark.requirement("W8.5")

EVENT = json.dumps({"eventName": "PutKeyPolicy", "readOnly": False, "count": 3, "by": {"type": "Root"}, "none": None})


@pytest.mark.parametrize(
    ("pattern", "is_match"),
    [
        ('{ $.eventName = "PutKeyPolicy" }', True),
        ("{ $.eventName = PutKeyPolicy }", True),
        ('{ $.eventName = "*Policy" }', True),
        ('{ $.eventName = "Put" }', False),
        ('{ $.eventName != "*Policy" }', False),
        ('{ $.missing != "x" }', False),
        ("{ $.missing NOT EXISTS }", True),
        ("{ $.by.type EXISTS }", True),
        ("{ $.readOnly IS FALSE }", True),
        ("{ $.readOnly IS TRUE }", False),
        ("{ $.none IS NULL }", True),
        ("{ $.count >= 3 && $.count < 4 }", True),
        ('{ ($.by.type = "Root") && (($.count > 9) || ($.eventName = "Put*")) }', True),
    ],
)
def test_a_pattern_matches_members(pattern: str, is_match: bool) -> None:
    assert matches(pattern, EVENT) is is_match
    assert not matches(pattern, "no JSON")


@pytest.mark.parametrize(
    "pattern",
    [
        "ERROR",
        "{ eventName = 1 }",
        "{ $.a = 1",
        "{ $.a = 1 } }",
        "{ $.a ~ 1 }",
        "{ $.a IS MAYBE }",
        "{ $.a IS",
        "{ $.a > many }",
        "{ $.a NOT TRUE }",
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        matches(pattern, EVENT)


def test_a_line_has_a_datum_for_each_set_of_dimensions_and_each_value() -> None:
    directive = {
        "Namespace": "Payments",
        "Dimensions": [["Environment", "Service"], ["Environment"]],
        "Metrics": [{"Name": "PaymentsStarted", "Unit": "Count"}, {"Name": "Latency"}],
    }
    line = {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [directive]}, "Environment": "local", "Service": "api"}
    found = list(data_of(json.dumps(line | {"PaymentsStarted": 1, "Latency": [2, 3]})))
    both, one = {"Environment": "local", "Service": "api"}, {"Environment": "local"}
    assert found == [
        (Metric.of("Payments", name, dimensions), value)
        for dimensions in (both, one)
        for name, value in (("PaymentsStarted", 1), ("Latency", 2), ("Latency", 3))
    ]
    assert list(data_of(json.dumps(line))) == []  # a metric without a value is none
    assert list(data_of('{"_aws": 1}')) == list(data_of("plain")) == []
