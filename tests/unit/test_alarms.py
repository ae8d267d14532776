"""Alarms (W5.2): everything has some, each says what to do, and few wake somebody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modules.monitoring.alarms import Alarm, Incident
from modules.monitoring.metrics import Metric
from settings import Settings, load
from settings.payment_metrics import metrics
from tests.synthesized import Block, Synthesized, path_of, region_of, synthesize

pytestmark = pytest.mark.requirement("W5.2")

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
LINK = re.compile(r" docs/runbooks/([a-z-]+\.md)(?:#([a-z-]+))?$")
REGIONS = {"primary": "us-east-2", "recovery": "us-west-2", "global": "us-east-1"}
# Functions without an alarm of their own, with the reason.
WATCHED_OTHERWISE = {
    "smoke-test": "CodeDeploy takes a release back whose smoke test fails, and `make release` says so",
    "prepare-database": "a deployment or `make migrate` calls it, and waits for its answer",
}
IDLE = {
    "recovery": {"reconcile-payments": "where the region stands by there is no writer for it, so it fails by nature"}
}
PERIODS_OF_A_WEEK, PERIODS_OF_A_DAY = 604_800, 86_400  # seconds: PutMetricAlarm, API reference


def alarms(platform: Synthesized) -> list[Block]:
    return list(platform.resources("aws_cloudwatch_metric_alarm").values())


def composites(platform: Synthesized) -> list[Block]:
    return list(platform.resources("aws_cloudwatch_composite_alarm").values())


def named(platform: Synthesized, name: str, region: str = "primary") -> Block:
    (found,) = [one for one in alarms(platform) if one["alarm_name"].endswith(f"/{name}") and region_of(one) == region]
    return found


def looked_at(alarm: Block) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The metrics of an alarm: namespace, name, dimensions."""
    for one in [query["metric"] for query in alarm.get("metric_query", []) if "metric" in query] or [alarm]:
        yield one["namespace"], one["metric_name"], one.get("dimensions", {})


def watched(platform: Synthesized, region: str, namespace: str, metric: str, dimension: str) -> set[str]:
    """What is watched in a region by a metric: the values of one of its dimensions."""
    return {
        dimensions[dimension]
        for alarm in alarms(platform)
        if region_of(alarm) == region
        for of, name, dimensions in looked_at(alarm)
        if (of, name) == (namespace, metric) and dimension in dimensions
    }


def own(platform: Synthesized, type_: str, region: str) -> list[Block]:
    return [block for block in platform.resources(type_).values() if region_of(block) == region]


def reference(platform: Synthesized, type_: str, block: Block, attribute: str) -> str:
    (id_,) = [id_ for id_, one in platform.resources(type_).items() if one is block]
    return f"${{{type_}.{id_}.{attribute}}}"


@pytest.mark.parametrize("region", REGIONS)
def test_every_function_is_watched(platform: Synthesized, region: str) -> None:
    names = {block["function_name"] for block in own(platform, "aws_lambda_function", region)}
    names -= {f"payments-{purpose}-local" for purpose in {**WATCHED_OTHERWISE, **IDLE.get(region, {})}}
    for metric in ("Errors", "Throttles"):
        assert names <= watched(platform, region, "AWS/Lambda", metric, "FunctionName"), metric


def test_every_queue_is_watched(platform: Synthesized) -> None:
    for region in REGIONS:
        queues = own(platform, "aws_sqs_queue", region)
        redriven = [block for block in queues if block.get("redrive_policy")]
        waiting = {reference(platform, "aws_sqs_queue", block, "name") for block in redriven}
        ends = {reference(platform, "aws_sqs_queue", block, "name") for block in queues if block not in redriven}
        assert waiting <= watched(platform, region, "AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName")
        assert ends <= watched(platform, region, "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName")


def test_every_service_is_watched(platform: Synthesized) -> None:
    for region in REGIONS:
        services = own(platform, "aws_ecs_service", region)
        names = {block["name"] for block in services}
        for metric in ("RunningTaskCount", "DesiredTaskCount"):
            assert names == watched(platform, region, "ECS/ContainerInsights", metric, "ServiceName")
        groups = {
            reference(platform, "aws_lb_target_group", block, "arn_suffix")
            for block in own(platform, "aws_lb_target_group", region)
        }
        for metric in ("HealthyHostCount", "HTTPCode_Target_5XX_Count", "TargetResponseTime"):
            assert groups == watched(platform, region, "AWS/ApplicationELB", metric, "TargetGroup"), metric


def test_every_cluster_load_balancer_certificate_gateway_and_health_check_is_watched(platform: Synthesized) -> None:
    for type_, attribute, namespace, metric, dimension in (
        ("aws_rds_cluster", "cluster_identifier", "AWS/RDS", None, "DBClusterIdentifier"),
        ("aws_lb", "arn_suffix", "AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "LoadBalancer"),
        (
            "aws_acm_certificate_validation",
            "certificate_arn",
            "AWS/CertificateManager",
            "DaysToExpiry",
            "CertificateArn",
        ),
        ("aws_nat_gateway", "id", "AWS/NATGateway", "ErrorPortAllocation", "NatGatewayId"),
        ("aws_nat_gateway", "id", "AWS/NATGateway", "PacketsDropCount", "NatGatewayId"),
    ):
        for region in REGIONS:
            there = {reference(platform, type_, block, attribute) for block in own(platform, type_, region)}
            found = {
                dimensions.get(dimension)
                for alarm in alarms(platform)
                if region_of(alarm) == region
                for of, name, dimensions in looked_at(alarm)
                if of == namespace and metric in (None, name)
            }
            assert there <= found, (type_, region)
    checks = {
        reference(platform, "aws_route53_health_check", block, "id")
        for block in platform.resources("aws_route53_health_check").values()
        if path_of(block).endswith("/origin/health-check")  # the others say what somebody has decided, and add it up
    }
    # Route 53 and CloudFront publish in us-east-1 only.
    assert checks == watched(platform, "global", "AWS/Route53", "HealthCheckStatus", "HealthCheckId")
    assert watched(platform, "global", "AWS/CloudFront", "5xxErrorRate", "DistributionId")
    assert {region_of(one) for one in alarms(platform) for of, *_ in looked_at(one) if of in ("AWS/Route53", "AWS/CloudFront")} == {"global"}  # fmt: skip # noqa: E501


def test_no_two_alarms_look_at_the_same(platform: Synthesized) -> None:
    """Beside one that compares the same metrics with another bound, below and above, there is none."""
    seen: dict[str, str] = {}
    for alarm in alarms(platform):
        expressions = [query.get("expression") for query in alarm.get("metric_query", [])]
        what = repr((region_of(alarm), list(looked_at(alarm)), expressions, alarm["comparison_operator"]))
        assert seen.setdefault(what, alarm["alarm_name"]) == alarm["alarm_name"]
    names = [(region_of(alarm), alarm["alarm_name"]) for alarm in (*alarms(platform), *composites(platform))]
    assert len(names) == len(set(names))


def headings(runbook: str) -> set[str]:
    """The sections of a runbook, as links name them."""
    lines = (RUNBOOKS / runbook).read_text(encoding="utf-8").splitlines()
    found = [line.lstrip("#").strip().lower() for line in lines if line.startswith("#")]
    return {re.sub(r"[^a-z0-9 -]", "", line).replace(" ", "-") for line in found}


def test_every_alarm_has_its_section_in_a_runbook_and_every_section_its_alarm(platform: Synthesized) -> None:
    linked = set()
    for alarm in (*alarms(platform), *composites(platform)):
        match = LINK.search(alarm["alarm_description"])
        assert match, f"{alarm['alarm_name']} names no runbook: {alarm['alarm_description']}"
        runbook, section = match.groups()
        if section:
            assert section in headings(runbook), f"{runbook} has no section {section}"
        else:  # of a runbook for one subject
            assert alarm["alarm_name"].rpartition("/")[2] in (RUNBOOKS / runbook).read_text(encoding="utf-8")
        linked.add((runbook, section))
    text = (RUNBOOKS / "alarms.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^### (\S+)$", text, re.MULTILINE))
    assert sections == {section for runbook, section in linked if runbook == "alarms.md"}


def test_a_section_says_whether_its_alarms_page(platform: Synthesized) -> None:
    text = (RUNBOOKS / "alarms.md").read_text(encoding="utf-8")
    said = dict(re.findall(r"^### (\S+)\n([^.]+)\.", text, re.MULTILINE))
    for alarm in alarms(platform):
        _, _, section = alarm["alarm_description"].rpartition("#")
        if "Pages, as a sign of" in alarm["alarm_description"]:
            assert "pages" in said[section].lower(), section
    paging = {
        one["alarm_description"].rpartition("#")[2] for one in alarms(platform) if "Pages" in one["alarm_description"]
    }
    for section, words in said.items():
        if words.startswith("Pages") and section not in set(Incident):
            assert section in paging, section


def test_links_begin_as_settings_say() -> None:
    place = "https://example.com/runbooks/"
    platform = synthesize(with_observability(runbooks=place))
    described = [alarm["alarm_description"] for alarm in (*alarms(platform), *composites(platform))]
    assert sum(f" {place}alarms.md#" in one for one in described) > len(described) * 0.8
    assert not any("docs/runbooks/alarms.md" in one for one in described)
    assert all(len(one) <= 1024 for one in described)  # PutMetricAlarm, API reference


def test_alarms_inform_and_composites_page_in_their_own_region(platform: Synthesized) -> None:
    for kind, blocks, topic in (
        ("alarms", alarms(platform), "alarms/topic"),
        ("pages", composites(platform), "paging/pages/topic"),
    ):
        for alarm in blocks:
            for actions in (alarm["alarm_actions"], alarm["ok_actions"]):
                (one,) = actions
                assert path_of(platform.by_id(one)) == f"payment-platform/{region_of(alarm)}/{topic}", kind


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("path", ["alarms", "paging/pages"])
def test_topics_are_encrypted_and_take_own_alarms_only(platform: Synthesized, region: str, path: str) -> None:
    topic = platform.resource("aws_sns_topic", f"/{region}/{path}/topic")
    assert path_of(platform.by_id(topic["kms_master_key_id"])) == f"payment-platform/{region}/keys/logs"
    policy = platform.resource("aws_sns_topic_policy", f"/{region}/{path}/policy")
    publish = platform.statements(policy["policy"])["PublishByOwnAlarms"]
    values = {one["variable"]: one["values"] for one in publish["condition"]}
    assert values["aws:SourceArn"] == [f"arn:aws:cloudwatch:{REGIONS[region]}:123456789012:alarm:payments/local/*"]
    assert platform.statements(policy["policy"])["NothingWithoutTls"]["effect"] == "Deny"


def children(composite: Block) -> list[str]:
    rule = composite["alarm_rule"]
    names = re.findall(r'ALARM\("([^"]+)"\)', rule)
    assert rule == " OR ".join(f'ALARM("{name}")' for name in names)
    return names


def test_a_composite_has_the_signs_of_its_incident_that_stand_in_its_region(platform: Synthesized) -> None:
    for composite in composites(platform):
        incident = composite["alarm_name"].rpartition("/")[2]
        signs = [
            alarm["alarm_name"]
            for alarm in alarms(platform)
            if region_of(alarm) == region_of(composite)
            and f"Pages, as a sign of {incident}." in alarm["alarm_description"]
        ]
        assert children(composite) == sorted(signs)
        assert 1 <= len(signs) <= 100  # PutCompositeAlarm, API reference
        assert len(composite["alarm_rule"]) <= 10_240
        # Each is there before the rule names it, and is deleted only after the rule names it no more.
        dependencies = [platform.by_id(f"${{{one}.id}}") for one in composite["depends_on"]]
        below = [one for one in dependencies if "alarm_rule" not in one]
        assert sorted(one["alarm_name"] for one in below) == children(composite)
        assert all(one["lifecycle"] == {"create_before_destroy": True} for one in below)


def test_every_sign_of_an_incident_is_in_a_composite(platform: Synthesized) -> None:
    paging = {(region_of(one), name) for one in composites(platform) for name in children(one)}
    for alarm in alarms(platform):
        is_sign = "Pages" in alarm["alarm_description"]
        assert ((region_of(alarm), alarm["alarm_name"]) in paging) == is_sign, alarm["alarm_name"]


def test_few_page(platform: Synthesized) -> None:
    found = sorted((region_of(one), one["alarm_name"].rpartition("/")[2]) for one in composites(platform))
    assert found == [
        ("global", "customers-not-served"),
        ("primary", "customers-not-served"),
        ("primary", "data-at-risk"),
        ("primary", "payments-not-processed"),
        ("recovery", "customers-not-served"),
        ("recovery", "data-at-risk"),
        ("recovery", "payments-not-processed"),
    ]


def test_a_consequence_is_held_back_while_its_cause_pages(platform: Synthesized) -> None:
    for composite in composites(platform):
        suppressor = composite.get("actions_suppressor")
        if composite["alarm_name"].endswith("payments-not-processed"):
            assert suppressor is not None
            assert suppressor["alarm"] == "payments/local/customers-not-served"
            assert suppressor["wait_period"] < suppressor["extension_period"]
            below = [platform.by_id(f"${{{one}.id}}") for one in composite["depends_on"]]
            (cause,) = [one for one in below if "alarm_rule" in one]
            assert (cause["alarm_name"], region_of(cause)) == (suppressor["alarm"], region_of(composite))
        else:
            assert suppressor is None


def test_a_region_that_stands_by_wakes_nobody_for_what_nobody_feels(platform: Synthesized) -> None:
    assert "Pages" in named(platform, "web-down")["alarm_description"]
    assert "Informs" in named(platform, "web-down", "recovery")["alarm_description"]
    assert "Pages" in named(platform, "load-balancer-errors", "recovery")["alarm_description"]
    assert "Pages" in named(platform, "primary-unhealthy", "global")["alarm_description"]
    assert "Informs" in named(platform, "recovery-unhealthy", "global")["alarm_description"]
    by_latency = load("local").edge.model_dump() | {"origin_routing": "latency"}
    both = synthesize(Settings.model_validate(load("local").model_dump() | {"edge": by_latency}))
    for name, region in (("web-down", "recovery"), ("recovery-unhealthy", "global")):
        assert "Pages" in named(both, name, region)["alarm_description"]
    assert named(both, "payments-unusual", "recovery")


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


def test_payment_alarms_look_at_what_the_service_writes_for_the_environment(platform: Synthesized) -> None:
    written = {metric.name for metric in metrics.METRICS}
    found = [
        (name, dimensions)
        for alarm in alarms(platform)
        for namespace, name, dimensions in looked_at(alarm)
        if namespace == metrics.NAMESPACE
    ]
    assert {name for name, _ in found} <= written
    assert {metrics.STARTED.name, metrics.SUCCEEDED.name, metrics.FAILED.name, metrics.PROCESSING_TIME.name} <= {
        name for name, _ in found
    }
    assert all(dimensions == {metrics.ENVIRONMENT_DIMENSION: "local"} for _, dimensions in found)


def with_observability(**values: Any) -> Settings:
    return Settings.model_validate(load("local").model_dump() | {"observability": values})


def test_bounds_are_as_settings_say() -> None:
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


def test_who_is_told_and_who_is_woken_is_as_settings_say() -> None:
    pages = {"paging_email_addresses": ["night@example.com"], "paging_addresses": ["https://pager.example.com/a/b"]}
    values = load("local").model_dump() | {"observability": pages, "alarm_email_addresses": ["day@example.com"]}
    platform = synthesize(Settings.model_validate(values))
    found = sorted(
        (region_of(one), path_of(platform.by_id(one["topic_arn"])).split("/")[2], one["protocol"], one["endpoint"])
        for one in platform.resources("aws_sns_topic_subscription").values()
    )
    assert found == sorted(
        (region, *rest)
        for region in REGIONS
        for rest in (
            ("alarms", "email", "day@example.com"),
            ("paging", "email", "night@example.com"),
            ("paging", "https", "https://pager.example.com/a/b"),
        )
    )
    by_https = [one for one in platform.resources("aws_sns_topic_subscription").values() if one["protocol"] == "https"]
    assert all(one["endpoint_auto_confirms"] for one in by_https)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"paging_addresses": ["http://pager.example.com"]}, "paging_addresses"),
        ({"paging_addresses": ["https://user:secret@pager.example.com"]}, "paging_addresses"),
        ({"paging_addresses": ["https://pager.example.com/?key=secret"]}, "paging_addresses"),
        ({"paging_addresses": ["https://pager.example.com"] * 2}, "paging_addresses"),
        ({"paging_email_addresses": ["nobody"]}, "paging_email_addresses"),
        ({"min_success_percent": 100.0}, "min_success_percent"),
        ({"certificate_days": 60}, "certificate_days"),
        ({"max_message_age_seconds": 30}, "max_message_age_seconds"),
        ({"anomaly_deviations": 0.5}, "anomaly_deviations"),
        ({"runbooks": "with blanks"}, "runbooks"),
    ],
)
def test_other_values_are_refused(values: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=rf"observability\.{field}"):
        with_observability(**values)


@pytest.mark.parametrize(
    ("name", "kind", "subject"),
    [
        ("reports-dead-letters", "queue-dead-letters", "reports"),
        ("web-tasks-missing", "tasks-missing", "web"),
        ("smoke-test-failing", "function-failing", "smoke-test"),
        ("database-cpu", "", "database-cpu"),
    ],
)
def test_an_alarm_is_called_after_what_it_is_of(name: str, kind: str, subject: str) -> None:
    alarm = Alarm(name=name, kind=kind, meaning="It", metrics={"a": Metric("n", "m", "Sum", {})}, bound=1)
    assert alarm.subject == subject
    assert alarm.section == kind or name
