"""Dashboards (W5.2): what they show exists, both regions are on them, and nothing stands over something else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from modules.dashboards.dashboard import COLUMNS, Graph, Section, Series, Text, graph_of, laid_out, line
from modules.monitoring.alarms import Alarm
from modules.monitoring.metrics import Metric
from settings.payment_metrics import metrics
from tests.synthesized import Synthesized, decoded, references, region_of

pytestmark = pytest.mark.requirement("W5.2")

BOARDS = ("business", "platform")
Widget = dict[str, Any]


def body_of(platform: Synthesized, board: str) -> dict[str, Any]:
    (found,) = [
        block["dashboard_body"]
        for block in platform.resources("aws_cloudwatch_dashboard").values()
        if block["dashboard_name"] == f"payments-{board}-local"
    ]
    body: dict[str, Any] = decoded(found)
    return body


def widgets(platform: Synthesized, board: str) -> list[Widget]:
    found: list[Widget] = body_of(platform, board)["widgets"]
    return found


def graphs(platform: Synthesized, board: str, region: str = "") -> dict[str, Widget]:
    """The properties of graphs by their titles."""
    return {
        one["properties"]["title"]: one["properties"]
        for one in widgets(platform, board)
        if one["type"] == "metric" and one["properties"]["region"].startswith(region)
    }


def looked_at(graph: Widget) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The metrics of a graph: namespace, name, dimensions."""
    for namespace, name, *dimensions, _look in (one for one in graph["metrics"] if len(one) > 1):
        yield namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True))


def test_there_are_two_boards_of_the_environment(platform: Synthesized) -> None:
    boards = platform.resources("aws_cloudwatch_dashboard").values()
    assert sorted(one["dashboard_name"] for one in boards) == ["payments-business-local", "payments-platform-local"]
    assert {region_of(one) for one in boards} == {"primary"}


@pytest.mark.parametrize("board", BOARDS)
def test_widgets_fit_and_stand_over_nothing(platform: Synthesized, board: str) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in widgets(platform, board):
        assert widget["x"] + widget["width"] <= COLUMNS
        rows, columns = (range(widget[at], widget[at] + widget[size]) for at, size in (("y", "height"), ("x", "width")))
        place = {(x, y) for x in columns for y in rows}
        assert not place & taken, "two widgets share a place"
        taken |= place
    assert len(taken) == COLUMNS * (max(y for _, y in taken) + 1), "there is a gap"


@pytest.mark.parametrize("board", BOARDS)
def test_bodies_keep_cloudwatchs_limits(platform: Synthesized, board: str) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html."""
    shown = widgets(platform, board)
    counts = [len(one["properties"].get("metrics", [])) for one in shown]
    assert len(shown) <= 500
    assert max(counts) <= 500
    assert sum(counts) <= 2500
    assert all(len(one["properties"].get("alarms", [])) <= 100 for one in shown)
    assert json.loads(json.dumps(body_of(platform, board))) == body_of(platform, board)
    assert {one["type"] for one in shown} <= {"metric", "text", "alarm"}


@pytest.mark.parametrize("board", BOARDS)
def test_both_regions_are_shown_alike(platform: Synthesized, board: str) -> None:
    def own(region: str) -> list[tuple[str, str]]:
        return [
            (one["type"], one["properties"]["title"])
            for one in widgets(platform, board)
            if one["properties"].get("region") == region
        ]

    primary, recovery = own("us-east-2"), own("us-west-2")
    # What is of the database and of replication differs: one region writes, the other follows.
    alike = [
        [title for _, title in part if not title.startswith(("Database", "Buckets"))] for part in (primary, recovery)
    ]
    assert alike[0] == alike[1]
    assert len(alike[0]) >= 8
    titles = [one["properties"]["markdown"] for one in widgets(platform, board) if one["type"] == "text"]
    assert "## Primary region, us-east-2" in titles
    assert "## Recovery region, us-west-2" in titles


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
    assert searched == {metrics.AMOUNT_AT_RISK.name}


def test_the_board_of_the_business_has_what_was_asked_for(platform: Synthesized) -> None:
    for region in ("us-east-2", "us-west-2"):
        shown = graphs(platform, "business", region)
        lines = {one[-1].get("label") for one in shown["Payments a minute"]["metrics"]}
        assert lines == {"started", "succeeded", "failed"}
        times = shown["Processing time, from acceptance to the acquirer's answer"]
        assert {one[-1]["stat"] for one in times["metrics"] if len(one) > 1} == {"p50", "p95", "p99"}
        assert shown["Success rate"]["yAxis"]["left"]["max"] == 100
        search = shown["Amount without an answer"]["metrics"][0][0]["expression"]
        assert search == (
            'SEARCH(\'{Payments,Environment,Currency} MetricName="AmountUnsettled" Environment="local"\', '
            "'Maximum', 300)"
        )
        assert "Operations without an answer, and how long the oldest overdue one waits" in shown


def test_the_search_finds_what_amounts_are_written_with() -> None:
    (directive,) = metrics.embedded("local", {metrics.AMOUNT_AT_RISK: 1.0}, currency="EUR")["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["Environment", "Currency"]]
    assert directive["Namespace"] == "Payments"


@pytest.mark.parametrize("board", BOARDS)
def test_expressions_use_ids_that_are_there(platform: Synthesized, board: str) -> None:
    for graph in graphs(platform, board).values():
        looks = [one[-1] for one in graph["metrics"]]
        ids = [look["id"] for look in looks if "id" in look]
        assert len(ids) == len(set(ids)), graph["title"]
        for look in looks:
            expression = look.get("expression", "")
            if not expression.startswith("SEARCH"):
                assert set(re.findall(r"\b[a-z]\w*\b", expression)) <= set(ids), graph["title"]
        assert any(look.get("visible", True) for look in looks)


@pytest.mark.parametrize("board", BOARDS)
def test_axes_have_their_units(platform: Synthesized, board: str) -> None:
    for graph in graphs(platform, board).values():
        if graph["view"] == "timeSeries":
            assert graph["yAxis"]["left"]["label"], graph["title"]
            right = [one for one in graph["metrics"] if one[-1].get("yAxis") == "right"]
            assert bool(right) == bool(graph["yAxis"].get("right", {}).get("label")), graph["title"]


def test_what_is_watched_is_seen(platform: Synthesized) -> None:
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


def test_graphs_show_metrics_of_their_own_region(platform: Synthesized) -> None:
    places = {"us-east-2": "primary", "us-west-2": "recovery", "us-east-1": "global"}
    for board in BOARDS:
        for widget in widgets(platform, board):
            properties = widget["properties"]
            for reference in references(properties.get("metrics", [])):
                block = platform.by_id(reference)
                # Names of both buckets of a replication, and of what has no region.
                crosses = reference.startswith(("${aws_route53_health_check.", "${aws_s3_bucket."))
                assert crosses or region_of(block) == places[properties["region"]], properties["title"]


def test_states_are_of_alarms_that_exist(platform: Synthesized) -> None:
    regions = {"primary": "us-east-2", "recovery": "us-west-2", "global": "us-east-1"}
    existing = {
        f"arn:aws:cloudwatch:{regions[region_of(one)]}:123456789012:alarm:{one['alarm_name']}"
        for type_ in ("aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm")
        for one in platform.resources(type_).values()
    }
    states = [one["properties"] for one in widgets(platform, "platform") if one["type"] == "alarm"]
    assert len(states) == 3
    for one in states:
        assert set(one["alarms"]) <= existing
        assert len({arn.split(":")[3] for arn in one["alarms"]}) == 1
        assert any(arn.endswith("/customers-not-served") for arn in one["alarms"])


def test_a_row_is_divided_evenly_and_rows_follow_each_other() -> None:
    metric = Metric("n", "m", "Sum", {})
    graph = Graph(title="g", unit="u", series=[line("l", metric)])
    placed = laid_out([Section(region="r", rows=[[Text(markdown="t")], [graph] * 3, [graph] * 2])])
    assert [(one["x"], one["y"], one["width"], one["height"]) for one in placed] == [
        (0, 0, 24, 1),
        *((x, 1, 8, 6) for x in (0, 8, 16)),
        *((x, 7, 12, 6) for x in (0, 12)),
    ]


def test_one_id_for_two_metrics_is_refused() -> None:
    lines = [Series(name, {"a": Metric("n", name, "Sum", {})}, "a + 1") for name in ("one", "two")]
    with pytest.raises(ValueError, match="a is the id of two metrics"):
        Graph(title="g", unit="u", series=lines).widget("r")


def test_alarms_on_one_graph_keep_their_ids_apart_and_are_divided() -> None:
    def alarm(name: str, expression: str = "") -> Alarm:
        metric = Metric("n", name, "Maximum", {})
        return Alarm(name=name, meaning="", metrics={"age": metric}, expression=expression, bound=120)

    _, shown = graph_of([alarm("one"), alarm("two", "FILL(age, 0)")], title="g", unit="min", scale=60).widget("r")
    assert [one[-1].get("expression") for one in shown["metrics"][:2]] == ["(age_0) / 60", "(FILL(age_1, 0)) / 60"]
    assert shown["annotations"]["horizontal"][0]["value"] == 2
    assert [one[1] for one in shown["metrics"][2:]] == ["one", "two"]
