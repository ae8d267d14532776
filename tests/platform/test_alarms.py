"""Alarms of the whole stack (W5.2): everything has some, and each says what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modules.monitoring.alarms import Incident
from tests.platform.support import REGIONS, alarms, composites, looked_at, with_observability
from tests.synthesized import Block, Synthesized, path_of, region_of, synthesize

pytestmark = pytest.mark.requirement("W5.2")


RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"


LINK = re.compile(r" docs/runbooks/([a-z-]+\.md)(?:#([a-z-]+))?$")


# Functions without an alarm of their own, with the reason.
WATCHED_OTHERWISE = {
    "smoke-test": "CodeDeploy takes a release back whose smoke test fails, and `make release` says so",
    "prepare-database": "a deployment or `make migrate` calls it, and waits for its answer",
    "administer-merchants": "`make merchant` calls it, and waits for its answer",
}


# What begins by the clock, and the alarm that misses it, or why nothing needs to.
BY_THE_CLOCK = {
    "aws_cloudwatch_event_rule payments-processing/schedule": "reconciler-silent",
    "aws_backup_plan backups/plan": "backup-missing",
}
BY_AWS = {
    "aws_backup_restore_testing_plan restore-test/plan": "AWS Backup begins it, by no rule or permission of ours",
    "aws_secretsmanager_secret_rotation": "likewise Secrets Manager; the secret stays valid, and a failure alarms",
    "aws_appautoscaling_scheduled_action": "likewise; what it scales has alarms on missing tasks",
}


IDLE = {
    "recovery": {"reconcile-payments": "where the region stands by there is no writer for it, so it fails by nature"}
}


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


def has_schedule(value: object) -> bool:
    """Whether a block, or one in it, has a cron or rate expression."""
    if isinstance(value, dict):
        return any(key in {"schedule", "schedule_expression"} or has_schedule(one) for key, one in value.items())
    return isinstance(value, list) and any(has_schedule(one) for one in value)


@pytest.mark.requirement("Q4")
@pytest.mark.parametrize("region", ["primary", "recovery"])
def test_what_begins_by_the_clock_is_missed_when_it_does_not(platform: Synthesized, region: str) -> None:
    names = {alarm["alarm_name"].rpartition("/")[2] for alarm in alarms(platform) if region_of(alarm) == region}
    found = [
        f"{type_} {path_of(block).partition(f'/{region}/')[2]}"
        for _, type_, block in platform.blocks
        if region_of(block) == region and has_schedule(block)
    ]
    assert found
    assert not [one for one in found if one not in BY_THE_CLOCK and not one.startswith(tuple(BY_AWS))]
    assert {BY_THE_CLOCK[one] for one in found if one in BY_THE_CLOCK} <= names


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


def test_runbook_section_says_whether_its_alarms_page(platform: Synthesized) -> None:
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


def test_runbook_links_have_the_prefix_of_the_settings() -> None:
    place = "https://example.com/runbooks/"
    platform = synthesize(with_observability(runbooks=place))
    described = [alarm["alarm_description"] for alarm in (*alarms(platform), *composites(platform))]
    assert sum(f" {place}alarms.md#" in one for one in described) > len(described) * 0.8
    assert not any("docs/runbooks/alarms.md" in one for one in described)
    assert all(len(one) <= 1024 for one in described)  # PutMetricAlarm, API reference
