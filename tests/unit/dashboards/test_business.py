"""The business dashboard (W5.2): the metrics that the service writes."""

from __future__ import annotations

import re

import pytest

from payments.metrics import embedded
from shared import payment_metrics as metrics
from tests.synthesized import Synthesized
from tests.unit.dashboards.support import graphs, looked_at

pytestmark = pytest.mark.requirement("W5.2")


def test_every_metric_of_the_business_is_written_by_the_service(platform: Synthesized) -> None:
    written = {metric.name for metric in metrics.METRICS}
    shown = set()
    for graph in graphs(platform, "business").values():
        for namespace, name, dimensions in looked_at(graph):
            if namespace == "AWS/SQS":  # of the queues whose messages are payments
                continue
            assert namespace == metrics.NAMESPACE
            assert dimensions == {metrics.ENVIRONMENT_DIMENSION: "local"}
            assert (metrics.ENVIRONMENT_DIMENSION,) in metrics.DIMENSION_SETS
            shown.add(name)
    searched = {
        name
        for graph in graphs(platform, "business").values()
        for one in graph["metrics"]
        for name in re.findall(r'MetricName="(\w+)"', one[-1].get("expression", ""))
    }
    assert shown | searched == written, "what the service writes is on the board, and nothing else"
    assert searched == {metrics.PENDING_AMOUNT.name}


def test_business_dashboard_has_the_required_widgets(platform: Synthesized) -> None:
    for region in ("us-east-2", "us-west-2"):
        shown = graphs(platform, "business", region)
        lines = {one[-1].get("label") for one in shown["Payments a minute"]["metrics"]}
        assert lines == {"started", "succeeded", "failed"}
        times = shown["Processing time, from acceptance to the acquirer's decision"]
        assert {one[-1]["stat"] for one in times["metrics"] if len(one) > 1} == {"p50", "p95", "p99"}
        assert shown["Success rate"]["yAxis"]["left"]["max"] == 100
        search = shown["Pending amount"]["metrics"][0][0]["expression"]
        assert search == (
            'SEARCH(\'{Payments,Environment,Currency} MetricName="AmountPending" Environment="local"\', '
            "'Maximum', 300)"
        )
        assert "Pending operations, and the age of the oldest overdue one" in shown


def test_amounts_are_written_with_the_dimensions_of_the_search() -> None:
    (directive,) = embedded("local", {metrics.PENDING_AMOUNT: 1.0}, currency="EUR")["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["Environment", "Currency"]]
    assert directive["Namespace"] == "Payments"
