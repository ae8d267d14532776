"""The platform's dashboard (W5.2): what is watched is seen."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized, region_of
from tests.unit.dashboards.support import graphs, looked_at

pytestmark = pytest.mark.requirement("W5.2")


def test_metrics_of_all_alarms_are_on_the_dashboard(platform: Synthesized) -> None:
    """Each service, queue, function and cluster that has alarms is on the board of its region."""
    for region, place in (("us-east-2", "primary"), ("us-west-2", "recovery")):
        shown = {
            (namespace, value)
            for graph in graphs(platform, "platform", region).values()
            for namespace, _, dimensions in looked_at(graph)
            for value in dimensions.values()
        }
        for alarm in platform.resources("aws_cloudwatch_metric_alarm").values():
            kind = alarm["alarm_description"].rpartition("#")[2]
            if region_of(alarm) != place or kind not in (
                "queue-age",
                "queue-dead-letters",
                "function-failing",
                "tasks-missing",
            ):
                continue
            for one in [query["metric"] for query in alarm.get("metric_query", []) if "metric" in query] or [alarm]:
                assert {(one["namespace"], value) for value in one["dimensions"].values()} <= shown
