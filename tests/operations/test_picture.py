"""The picture of the architecture: what it says of which resources, and the tables beside it."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from operations.outcome import Refused
from operations.picture.command import PAGE
from operations.picture.plan import read
from operations.picture.tables import flows, keys, page_with_tables
from tests.operations.pictures import graphed, pictured, said, stated, without
from tests.operations.two_regions import TWO_REGIONS
from tests.synthesized import Block, Synthesized

pytestmark = pytest.mark.requirement("W0.1")


@pytest.fixture(scope="module")
def shown(platform: Synthesized) -> str:
    return said(platform.configuration)


# The tables


def test_the_tables_of_the_page_are_those_of_the_stack(platform: Synthesized) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_tables(page, json.dumps(platform.configuration), "test"), "run make picture"


def test_each_flow_is_one_row_of_the_table(platform: Synthesized) -> None:
    rows = rows_of(flows(read(json.dumps(platform.configuration), "test"), platform.configuration))
    assert ["`smoke-test`", "`load-balancer`", "8443"] in [row[:3] for row in rows]
    assert ["`global.cloudfront.origin-facing`", "`load-balancer`", "443"] in [row[:3] for row in rows]
    assert ["`vpc-endpoint-clients`", "s3 (gateway)", "443"] in [row[:3] for row in rows]
    assert ["`web`", "0.0.0.0/0", "443"] in [row[:3] for row in rows]
    reasons = {
        one["description"]
        for end in ("ingress", "egress")
        for one in platform.resources(f"aws_vpc_security_group_{end}_rule").values()
    }
    assert {row[3] for row in rows} == reasons
    changed = without(platform.configuration, "aws_vpc_security_group_ingress_rule")
    fewer = rows_of(flows(read(json.dumps(changed), "test"), changed))
    assert ["`global.cloudfront.origin-facing`", "`load-balancer`", "443"] not in [row[:3] for row in fewer]


def test_key_row_has_its_region_contents_and_users(platform: Synthesized) -> None:
    rows = rows_of(keys(read(json.dumps(platform.configuration), "test"), platform.configuration))
    assert {row[0] for row in rows} >= {"backups", "database", "logs", "objects", "secrets"}
    database = next(row for row in rows if row[0] == "database")
    assert database[1:] == [
        "`rds_cluster`, `rds_cluster_instance`",
        "`GrantToRds`, `UseThroughRds`",
        "us-east-2, us-west-2",
    ]
    assert next(row for row in rows if row[0] == "logs")[3] == "us-east-1, us-east-2, us-west-2"


def rows_of(table: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def test_a_page_without_a_place_for_a_table_is_refused(platform: Synthesized) -> None:
    page = PAGE.read_text(encoding="utf-8").replace("<!-- end of keys -->", "")
    with pytest.raises(Refused, match="<!-- end of keys --> are needed once, around the table"):
        page_with_tables(page, json.dumps(platform.configuration), "test")


# What is shown, and of what it is read


@pytest.mark.parametrize(
    ("types", "text"),
    [
        (["aws_route53_zone"], r"zone pay\.example\.com"),
        (["aws_route53_record"], r"us-east-2: requests while healthy"),
        (["aws_cloudfront_distribution"], "CloudFront, HTTP/3"),
        (["aws_wafv2_web_acl"], "Web ACL of CloudFront"),
        (["aws_wafv2_web_acl"], "Web ACL\n"),
        (["aws_acm_certificate"], r"\d certificates"),
        (["aws_flow_log"], "flow logs"),
        (["aws_network_acl"], "network ACL"),
        (["aws_security_group"], "security groups"),
        (["aws_lb"], "Load balancer"),
        (["aws_nat_gateway"], r"\d NAT gateways"),
        (["aws_internet_gateway"], "internet gateway"),
        (["aws_appautoscaling_target"], r"\d to \d tasks"),
        (["aws_appautoscaling_scheduled_action"], "scheduled scaling"),
        (["aws_codedeploy_deployment_group"], "blue/green"),
        (["aws_vpc_endpoint"], "VPC endpoints"),
        (["aws_lambda_function"], "smoke-test"),
        (["aws_lambda_event_source_mapping"], r"process-payment \(SQS\)"),
        (["aws_rds_cluster"], "Aurora PostgreSQL"),
        (["aws_rds_global_cluster"], "global database"),
        (["aws_vpc_peering_connection"], "peering"),
        (["aws_s3_bucket"], r"\d S3 buckets\naudit, backups, logs, static-assets\n"),
        (["aws_s3_bucket_versioning"], "all: versioning"),
        (["aws_s3_bucket_lifecycle_configuration"], "lifecycle rules"),
        (["aws_s3_bucket_server_side_encryption_configuration"], "audit, backups, static-assets: KMS key"),
        (["aws_s3_bucket_replication_configuration"], "backups, logs, static-assets: replication"),
        (["aws_backup_vault"], "Backup vault backups"),
        (["aws_backup_plan"], "copies"),
        (["aws_backup_restore_testing_plan"], "restore tests"),
        (["aws_secretsmanager_secret_rotation"], r"\d with rotation"),
        (["aws_kms_key", "aws_kms_alias"], r"\d KMS keys"),
        (["aws_ecr_repository", "aws_ecr_replication_configuration"], "Image repositories"),
        (["aws_sqs_queue"], "dead-letter queues"),
        (["aws_sfn_state_machine"], r"Workflows and events\nsnapshot-export"),
        (["aws_cloudwatch_event_rule"], "event rules"),
        (["aws_cloudwatch_metric_alarm"], r"\d+ alarms"),
        (["aws_sns_topic"], r"topics?: alarms"),
        (["aws_cloudwatch_log_group"], "kept 30 days"),
        (["aws_iam_role"], r"\d+ roles"),
    ],
)
def test_picture_omits_resources_that_the_plan_lacks(
    platform: Synthesized, shown: str, types: list[str], text: str
) -> None:
    assert re.search(text, shown)
    assert not re.search(text, said(without(platform.configuration, *types)))


def test_numbers_are_those_of_the_stack(platform: Synthesized, shown: str) -> None:
    resources = platform.configuration["resource"]
    number = sum(len(named) for named in resources.values())
    assert f"payments, environment local: {number} resources of {len(resources)} types" in shown
    for region in ("aws", "aws.recovery"):
        groups = [one for one in resources["aws_security_group"].values() if one["provider"] == region]
        assert f"{len(groups)} security groups" in shown
    assert shown.count("3 subnets") == 2 * 3


def test_picture_shows_region_count_and_release_of_each_service(shown: str) -> None:
    assert "payments\nFargate\n0.5 vCPU, 1 GB\n2 to 6 tasks\nblue/green" in shown
    assert "reports\nworker\nFargate Spot\n" in shown


def test_arrows_lead_from_customers_to_the_databases_and_between_the_regions(platform: Synthesized) -> None:
    links = pictured(platform.configuration).links
    ends = [(link.source.type if link.source else "", link.target.type) for link in links]
    places = {(link.source.place if link.source else "", link.target.place) for link in links}
    assert ends.count(("", "aws_cloudfront_distribution")) == 1
    for once_a_region in (
        ("aws_cloudfront_distribution", "aws_wafv2_web_acl"),
        ("aws_wafv2_web_acl", "aws_lb"),
        ("aws_lb", "aws_subnet"),
        ("aws_subnet", "aws_subnet"),
    ):
        assert ends.count(once_a_region) == 2, once_a_region
    assert ends.count(("aws_vpc", "aws_vpc")) == 1
    assert ends.count(("aws_rds_cluster", "aws_rds_cluster")) == 1
    assert ends.count(("aws_s3_bucket", "aws_s3_bucket")) == 3
    assert ends.count(("aws_backup_vault", "aws_backup_vault")) == 1
    assert len(links) == 15
    assert ("aws", "aws.recovery") in places
    assert ("aws.recovery", "aws") not in places


@pytest.mark.parametrize(
    ("types", "gone"),
    [
        (["aws_route53_record"], ("aws_cloudfront_distribution", "aws_wafv2_web_acl")),
        (["aws_wafv2_web_acl_association"], ("aws_wafv2_web_acl", "aws_lb")),
        (["aws_lb_listener_rule"], ("aws_lb", "aws_subnet")),
        (["aws_vpc_security_group_egress_rule"], ("aws_subnet", "aws_subnet")),
    ],
)
def test_arrow_without_its_resource_is_not_drawn(
    platform: Synthesized, types: list[str], gone: tuple[str, str]
) -> None:
    links = pictured(without(platform.configuration, *types)).links
    assert gone not in [(link.source.type, link.target.type) for link in links if link.source]


def test_without_a_web_acl_requests_lead_to_the_load_balancer(platform: Synthesized) -> None:
    links = pictured(without(platform.configuration, "aws_wafv2_web_acl")).links
    assert ("aws_cloudfront_distribution", "aws_lb") in [
        (link.source.type, link.target.type) for link in links if link.source
    ]


def test_without_a_recovery_cluster_there_is_no_copy_and_no_arrow_to_it(platform: Synthesized) -> None:
    kinds = ("aws_rds_cluster", "aws_rds_cluster_instance")
    changed = without(platform.configuration, *kinds, place="aws.recovery")
    text = said(changed)
    assert "writer and 2 readers" in text
    assert "secondary with" not in text
    assert "global database" not in text


def test_one_region_is_drawn_by_itself(platform: Synthesized) -> None:
    text = said(of_one_region(platform.configuration))
    assert "Primary region, us-east-2" in text
    for gone in ("Recovery region", "peering", "replication", "copies"):
        assert gone not in text


def of_one_region(configuration: Block) -> Block:
    changed = copy.deepcopy(configuration)
    for named in changed["resource"].values():
        for name in [name for name, one in named.items() if one.get("provider") == "aws.recovery"]:
            del named[name]
    return changed


ADDED: dict[str, tuple[Block, str]] = {
    "aws_cloudtrail": ({"name": "payments-trail-local", "is_multi_region_trail": True}, "CloudTrail, all regions"),
    "aws_guardduty_detector": ({"enable": True}, "GuardDuty"),
    "aws_config_configuration_recorder": ({"name": "default"}, "Config"),
    "aws_securityhub_account": ({}, "Security Hub"),
    "aws_accessanalyzer_analyzer": ({"analyzer_name": "payments-analyzer-local"}, "Access Analyzer"),
    "aws_cloudwatch_dashboard": ({"dashboard_name": "payments-business-local"}, "1 dashboard: business"),
    "aws_cloudwatch_composite_alarm": ({"alarm_name": "payments/local/page"}, "1 composite alarm"),
    "aws_iam_openid_connect_provider": (
        {"url": "https://token.actions.githubusercontent.com"},
        "OIDC: githubusercontent.com",
    ),
    "aws_budgets_budget": (
        {"limit_amount": "1000", "limit_unit": "USD", "time_unit": "MONTHLY"},
        "1000 USD monthly",
    ),
    "aws_lambda_function": ({"function_name": "payments-settle-local"}, "settle"),
    "aws_sqs_queue": ({"name": "payments-money-local"}, "money"),
    "aws_s3_account_public_access_block": ({}, "public access blocked"),
}
BARE: Block = {
    "provider": TWO_REGIONS["provider"],
    "resource": {"aws_vpc": {"main": {"cidr_block": "10.0.0.0/16"}}},
}


@pytest.mark.parametrize("type_", ADDED)
def test_added_resource_is_drawn(type_: str) -> None:
    values, text = ADDED[type_]
    assert text not in said(BARE)
    changed = copy.deepcopy(BARE)
    changed["resource"][type_] = {"added": values}
    assert text in said(changed)
    assert pictured(changed).rest == {}


def test_unknown_resources_are_counted_by_type(platform: Synthesized) -> None:
    before = pictured(platform.configuration).rest
    changed = copy.deepcopy(platform.configuration)
    changed["resource"]["aws_gamelift_fleet"] = {name: {} for name in ("one", "two")}
    changed["resource"]["aws_route"]["another"] = {}
    after = pictured(changed).rest
    assert dict(after) == {**before, "aws_gamelift_fleet": 2, "aws_route": before["aws_route"] + 1}
    assert f"Not drawn: {sum(after.values())} more resources of {len(after)} types" in said(changed)


def test_each_resource_is_drawn_or_counted(platform: Synthesized) -> None:
    """Of each type that is not among the counted, taking one away changes the picture beyond its title."""
    rest = pictured(platform.configuration).rest
    whole = seen(platform.configuration)
    silent = [
        type_
        for type_ in platform.configuration["resource"]
        if type_ not in rest and seen(without(platform.configuration, type_)) == whole
    ]
    assert silent == []


def seen(configuration: Block) -> list[Any]:
    """All that a reader sees but the title: not the names of nodes, which are addresses."""
    shown = stated(graphed(configuration))
    boxes = sorted(lines for _, lines in shown.nodes.values())
    return [boxes, sorted(label for label, _ in shown.groups.values()), sorted(one[2] for one in shown.edges)]


def test_the_same_platform_in_another_order_is_the_same_picture(platform: Synthesized) -> None:
    turned = copy.deepcopy(platform.configuration)
    turned["resource"] = {type_: dict(reversed(named.items())) for type_, named in reversed(turned["resource"].items())}
    assert graphed(turned) == graphed(platform.configuration)


def test_plan_is_not_changed_by_reading_it() -> None:
    before: Any = copy.deepcopy(TWO_REGIONS)
    pictured(TWO_REGIONS)
    assert before == TWO_REGIONS
