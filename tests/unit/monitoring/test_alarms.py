"""Alarms (W5.2): their names, bounds, periods and expressions."""

from __future__ import annotations

import re

import pytest

from modules.monitoring.alarms import Alarm
from modules.monitoring.metrics import Metric
from shared import payment_metrics as metrics
from tests.platform.support import alarms, composites, looked_at, named, with_observability
from tests.synthesized import Synthesized, region_of, synthesize

pytestmark = pytest.mark.requirement("W5.2")


PERIODS_OF_A_WEEK, PERIODS_OF_A_DAY = 604_800, 86_400  # seconds: PutMetricAlarm, API reference


def test_no_two_alarms_look_at_the_same(platform: Synthesized) -> None:
    """Beside one that compares the same metrics with another bound, below and above, there is none."""
    seen: dict[str, str] = {}
    for alarm in alarms(platform):
        expressions = [query.get("expression") for query in alarm.get("metric_query", [])]
        what = repr((region_of(alarm), list(looked_at(alarm)), expressions, alarm["comparison_operator"]))
        assert seen.setdefault(what, alarm["alarm_name"]) == alarm["alarm_name"]
    names = [(region_of(alarm), alarm["alarm_name"]) for alarm in (*alarms(platform), *composites(platform))]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "region", "metric"),
    [("payments-unusual", "primary", metrics.STARTED.name), ("edge-requests-unusual", "global", "Requests")],
)
def test_where_no_bound_can_be_known_a_band_is_learned(
    platform: Synthesized, name: str, region: str, metric: str
) -> None:
    alarm = named(platform, name, region)
    assert alarm["comparison_operator"] == "LessThanLowerOrGreaterThanUpperThreshold"
    assert "threshold" not in alarm
    watched_one, band = alarm["metric_query"]
    assert watched_one["metric"]["metric_name"] == metric
    assert band["id"] == alarm["threshold_metric_id"]
    assert band["expression"] == f"ANOMALY_DETECTION_BAND({watched_one['id']}, 3)"
    assert watched_one["return_data"] is band["return_data"] is True


def test_periods_and_expressions_keep_cloudwatchs_limits(platform: Synthesized) -> None:
    for alarm in alarms(platform):
        queries = alarm.get("metric_query", [])
        of_metrics = [query["metric"] for query in queries if "metric" in query]
        assert len(of_metrics) <= 10
        ids = [query["id"] for query in queries]
        assert all(re.fullmatch(r"[a-z][a-zA-Z0-9_]*", id_) for id_ in ids)
        for query in queries:
            used = set(re.findall(r"\b[a-z]\w*\b", query.get("expression", "")))
            assert used <= set(ids), query
        (period,) = {one["period"] for one in (of_metrics or [alarm])}
        longest = PERIODS_OF_A_WEEK if period >= 3600 else PERIODS_OF_A_DAY
        assert period * alarm["evaluation_periods"] <= longest
        assert alarm.get("datapoints_to_alarm", 1) <= alarm["evaluation_periods"]
        assert len(alarm["alarm_name"]) <= 255


def test_alarm_thresholds_are_settings() -> None:
    platform = synthesize(
        with_observability(
            max_5xx_percent=7.5,
            max_p99_seconds=1.5,
            min_success_percent=80.0,
            max_processing_p99_seconds=12.0,
            max_unsettled_age_seconds=600,
            max_message_age_seconds=120,
            certificate_days=20,
            anomaly_deviations=2.5,
        )
    )
    for name, bound in {
        "load-balancer-errors": 7.5,
        "load-balancer-slow": 1.5,
        "payments-success-rate": 80,
        "payments-slow": 12_000,  # ms
        "payments-unsettled": 600,
        "reports-queue-age": 120,
        "load-balancer-certificate": 20,
    }.items():
        assert named(platform, name)["threshold"] == bound, name
    assert named(platform, "edge-errors", "global")["threshold"] == 7.5
    assert named(platform, "edge-certificate", "global")["threshold"] == 20
    assert "(started, 2.5)" in named(platform, "payments-unusual")["metric_query"][1]["expression"]


@pytest.mark.parametrize(
    ("name", "kind", "subject"),
    [
        ("reports-dead-letters", "queue-dead-letters", "reports"),
        ("web-tasks-missing", "tasks-missing", "web"),
        ("smoke-test-failing", "function-failing", "smoke-test"),
        ("database-cpu", "", "database-cpu"),
    ],
)
def test_alarm_is_named_after_its_resource(name: str, kind: str, subject: str) -> None:
    alarm = Alarm(name=name, kind=kind, meaning="It", metrics={"a": Metric("n", "m", "Sum", {})}, bound=1)
    assert alarm.subject == subject
    assert alarm.section == kind or name
