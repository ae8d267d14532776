"""Every metric that the platform names exists, with its dimensions and statistic (W5.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from shared import payment_metrics
from tests.platform.aws_metrics import NAMESPACES
from tests.platform.support import alarms
from tests.synthesized import Block, Synthesized, decoded, region_of

pytestmark = pytest.mark.requirement("W5.2")
OWN = {payment_metrics.NAMESPACE, "payments/local/audit"}  # of the payments service, and of metric filters
Named = tuple[str, str, str, frozenset[str], str]


def named(platform: Synthesized) -> Iterator[Named]:
    """Namespace, metric, statistic, dimensions, and where it is named."""
    for alarm in alarms(platform):
        for one in [query["metric"] for query in alarm.get("metric_query", []) if "metric" in query] or [alarm]:
            statistic = one.get("stat") or one.get("statistic") or one["extended_statistic"]
            yield one["namespace"], one["metric_name"], statistic, _names(one), alarm["alarm_name"]
    for policy in platform.resources("aws_appautoscaling_policy").values():
        yield from (
            (*one, policy["name"]) for one in _customized(policy["target_tracking_scaling_policy_configuration"])
        )
    for board in platform.resources("aws_cloudwatch_dashboard").values():
        for widget in decoded(board["dashboard_body"])["widgets"]:
            yield from ((*one, board["dashboard_name"]) for one in _shown(widget))


def _names(metric: Block) -> frozenset[str]:
    return frozenset(metric.get("dimensions") or {})


def _customized(value: object) -> Iterator[tuple[str, str, str, frozenset[str]]]:
    """The metrics of a scaling policy, however deep."""
    if isinstance(value, dict):
        if "metric_name" in value and "namespace" in value:
            names = frozenset(one["name"] for one in value.get("dimensions", []))
            yield value["namespace"], value["metric_name"], value.get("stat") or value["statistic"], names
        elif isinstance(value.get("metric"), dict) and "stat" in value:
            metric = value["metric"]
            names = frozenset(one["name"] for one in metric.get("dimensions", []))
            yield metric["namespace"], metric["metric_name"], value["stat"], names
        else:
            for inner in value.values():
                yield from _customized(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _customized(inner)


def _shown(widget: Block) -> Iterator[tuple[str, str, str, frozenset[str]]]:
    for metric in widget["properties"].get("metrics", []):
        if isinstance(metric[0], str):
            namespace, name, *dimensions, options = metric
            yield namespace, name, options["stat"], frozenset(dimensions[::2])


def test_every_metric_is_documented_with_its_dimensions_and_statistic(platform: Synthesized) -> None:
    found = list(named(platform))
    assert {namespace for namespace, *_ in found} >= set(NAMESPACES)  # nothing is in the table that nobody names
    wrong = []
    for namespace, name, statistic, dimensions, where in found:
        if namespace in OWN:
            continue
        documented = NAMESPACES[namespace].metrics.get(name)
        if documented is None or dimensions not in documented.dimensions or statistic not in documented.statistics:
            wrong.append((where, namespace, name, statistic, sorted(dimensions)))
    assert wrong == []


# What blocks or fails a customer's request: the layer, a metric that counts it, and the regions that serve.
REFUSALS = [
    ("the web ACL of the edge", "AWS/WAFV2", "BlockedRequests", "global"),
    ("the distribution, or what is behind it", "AWS/CloudFront", "5xxErrorRate", "global"),
    ("the region, from outside", "AWS/Route53", "HealthCheckStatus", "global"),
    ("the web ACL of the load balancer: the origin secret", "AWS/WAFV2", "BlockedRequests", "primary"),
    (
        "the load balancer: no answer of a target",
        "AWS/ApplicationELB",
        "HTTPCode_ELB_5XX_Count",
        "primary",
    ),
    ("a service", "AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "primary"),
]


@pytest.mark.parametrize(("layer", "namespace", "metric", "region"), REFUSALS)
def test_refusals_of_every_layer_page(
    platform: Synthesized, layer: str, namespace: str, metric: str, region: str
) -> None:
    paging = [
        alarm["alarm_name"]
        for alarm in alarms(platform)
        if region_of(alarm) == region
        and "Pages, as a sign of customers-not-served." in alarm["alarm_description"]
        and (namespace, metric) in {(one, name) for one, name, *_ in _of(alarm)}
    ]
    assert paging, layer


def _of(alarm: Block) -> Iterator[tuple[str, str]]:
    for one in [query["metric"] for query in alarm.get("metric_query", []) if "metric" in query] or [alarm]:
        yield one["namespace"], one["metric_name"]


def test_metrics_of_web_acls_are_not_those_of_another_environment(platform: Synthesized) -> None:
    """A web ACL is known to CloudWatch by the name of its metric only, and environments may share an account."""
    acls = platform.resources("aws_wafv2_web_acl").values()
    assert len(acls) == 3
    assert all(re.fullmatch(r"payments-(edge|origin)-local", one["visibility_config"]["metric_name"]) for one in acls)
