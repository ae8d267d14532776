"""Dashboards (W5.2): layout, limits, metrics and alarms that exist, both regions."""

from __future__ import annotations

import json
import re

import pytest

from modules.dashboards.dashboard import COLUMNS, Graph, Section, Series, Text, graph_of, laid_out, line
from modules.monitoring.alarms import Alarm
from modules.monitoring.metrics import Metric
from tests.synthesized import Synthesized, references, region_of
from tests.unit.dashboards.support import body_of, graphs, widgets

pytestmark = pytest.mark.requirement("W5.2")


BOARDS = ("business", "platform")


def test_environment_has_two_dashboards(platform: Synthesized) -> None:
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
