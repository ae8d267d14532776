"""The picture of the architecture: what it shows of which resources, and that it can be read."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from emulator import process
from operations.deployment.synthesized import provider_installation
from operations.deployment.terraform import Terraform
from operations.outcome import Refused
from operations.picture.command import PAGE, PICTURE
from operations.picture.contents import picture
from operations.picture.layout import WIDTH, draw, rest_in_words
from operations.picture.model import Picture
from operations.picture.plan import read
from operations.picture.shapes import TEXT_SIZE, Drawing, Rectangle, Role, Text, wrapped
from operations.picture.svg import svg
from operations.picture.tables import flows, keys, page_with_tables
from tests.operations.support import REPOSITORY, environment_file, planned_json
from tests.synthesized import Block, Synthesized

pytestmark = pytest.mark.requirement("W0.1")

SVG = "{http://www.w3.org/2000/svg}"
LEAST_PIXELS, PAGE_PIXELS = 12, 900


def pictured(configuration: Block) -> Picture:
    return picture(read(json.dumps(configuration), "test"))


def said(configuration: Block) -> str:
    """Everything that the picture says, before it is broken into lines; any space is as any other."""
    return "\n".join(lines_of(pictured(configuration))).replace("\N{NO-BREAK SPACE}", " ")


def lines_of(shown: Picture) -> Iterator[str]:
    yield from (shown.title, shown.edge_title, *shown.entries.values())
    yield from (link.label for link in shown.links)
    for column in shown.columns:
        yield column.title
        for frame in (column.network, *column.tiers.values()):
            yield from frame.lines
    in_columns = [box for column in shown.columns for boxes in column.boxes.values() for box in boxes]
    for box in (*shown.edge, *shown.account, *in_columns):
        yield from (box.title, *box.lines)
    yield rest_in_words(shown.rest)


@pytest.fixture(scope="module")
def shown(platform: Synthesized) -> str:
    return said(platform.configuration)


@pytest.fixture(scope="module")
def drawing(platform: Synthesized) -> Drawing:
    return draw(pictured(platform.configuration))


def without(configuration: Block, *types: str, place: str | None = None) -> Block:
    """The configuration without the resources of these types, or without those of one provider."""
    changed = copy.deepcopy(configuration)
    for type_ in types:
        named = changed["resource"].pop(type_)
        kept = {name: one for name, one in named.items() if place and one.get("provider", "aws") != place}
        if kept:
            changed["resource"][type_] = kept
    return changed


def test_the_picture_in_the_readme_is_that_of_the_stack(platform: Synthesized) -> None:
    assert PICTURE.read_text(encoding="utf-8") == svg(pictured(platform.configuration)), "run make picture"
    assert "](docs/architecture.svg)" in (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_the_tables_of_the_page_are_those_of_the_stack(platform: Synthesized) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_tables(page, json.dumps(platform.configuration), "test"), "run make picture"


def test_a_flow_is_one_row_whatever_ends_it_has(platform: Synthesized) -> None:
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


def test_a_key_says_what_it_encrypts_where_it_stands_and_who_may_use_it(platform: Synthesized) -> None:
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


def test_the_same_platform_in_another_order_is_the_same_picture(platform: Synthesized) -> None:
    turned = copy.deepcopy(platform.configuration)
    turned["resource"] = {type_: dict(reversed(named.items())) for type_, named in reversed(turned["resource"].items())}
    assert svg(pictured(turned)) == svg(pictured(platform.configuration))


# What is shown, and of what it is read


@pytest.mark.parametrize(
    ("types", "text"),
    [
        (["aws_route53_zone"], r"zone pay\.example\.com"),
        (["aws_cloudfront_distribution"], "CloudFront, HTTP/3"),
        (["aws_wafv2_web_acl"], "Firewall of CloudFront"),
        (["aws_wafv2_web_acl"], "Firewall"),
        (["aws_acm_certificate"], r"\d certificates"),
        (["aws_flow_log"], "with flow logs"),
        (["aws_network_acl"], "own network ACL"),
        (["aws_security_group"], "security groups"),
        (["aws_lb"], "Load balancer"),
        (["aws_nat_gateway"], r"\d NAT gateways"),
        (["aws_internet_gateway"], "internet gateway"),
        (["aws_appautoscaling_target"], r"\d to \d tasks"),
        (["aws_appautoscaling_scheduled_action"], "scheduled, too"),
        (["aws_codedeploy_deployment_group"], "blue/green"),
        (["aws_vpc_endpoint"], "Endpoints"),
        (["aws_lambda_function"], "smoke-test"),
        (["aws_lambda_event_source_mapping"], "from a queue"),
        (["aws_rds_cluster"], "Aurora PostgreSQL"),
        (["aws_rds_global_cluster"], "global"),
        (["aws_vpc_peering_connection"], "peering"),
        (["aws_s3_bucket"], "Bucket backups"),
        (["aws_s3_bucket_replication_configuration"], "replication"),
        (["aws_backup_vault"], "Backup vault backups"),
        (["aws_backup_plan"], "copies"),
        (["aws_backup_restore_testing_plan"], "restores tested"),
        (["aws_secretsmanager_secret_rotation"], r"\d rotate"),
        (["aws_kms_key", "aws_kms_alias"], r"\d keys"),
        (["aws_ecr_repository"], "Image repositories"),
        (["aws_sqs_queue"], "for dead letters"),
        (["aws_sfn_state_machine"], r"Workflows and events\nsnapshot-export"),
        (["aws_cloudwatch_event_rule"], "event rules"),
        (["aws_cloudwatch_metric_alarm"], r"\d+ alarms"),
        (["aws_sns_topic"], r"topics?: alarms"),
        (["aws_cloudwatch_log_group"], "kept 30 days"),
        (["aws_iam_role"], r"\d+ roles"),
    ],
)
def test_what_a_plan_lacks_is_not_drawn(platform: Synthesized, shown: str, types: list[str], text: str) -> None:
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


def test_services_say_where_they_run_how_many_and_how_they_are_released(shown: str) -> None:
    assert "payments\nFargate\n0.5 vCPU, 1 GB\n2 to 6 tasks\nblue/green" in shown
    assert "reports\nworker\nFargate Spot\n" in shown


def test_without_a_recovery_cluster_there_is_no_copy_and_no_arrow_to_it(platform: Synthesized) -> None:
    kinds = ("aws_rds_cluster", "aws_rds_cluster_instance")
    changed = without(platform.configuration, *kinds, place="aws.recovery")
    text = said(changed)
    assert "writer and 2 readers" in text
    assert "copy with" not in text
    assert "global" not in text.replace("global-", "")


def test_one_region_is_drawn_by_itself(platform: Synthesized) -> None:
    changed = copy.deepcopy(platform.configuration)
    for named in changed["resource"].values():
        for name in [name for name, one in named.items() if one["provider"] == "aws.recovery"]:
            del named[name]
    text = said(changed)
    assert "Primary region, us-east-2" in text
    for gone in ("Recovery region", "peering", "replication", "copies"):
        assert gone not in text
    check(draw(pictured(changed)))


ADDED: dict[str, tuple[Block, str]] = {
    "aws_cloudtrail": ({"name": "payments-trail-local", "is_multi_region_trail": True}, "CloudTrail, all regions"),
    "aws_guardduty_detector": ({"enable": True}, "GuardDuty"),
    "aws_config_configuration_recorder": ({"name": "default"}, "Config"),
    "aws_securityhub_account": ({}, "Security Hub"),
    "aws_accessanalyzer_analyzer": ({"analyzer_name": "payments-analyzer-local"}, "Access Analyzer"),
    "aws_cloudwatch_dashboard": ({"dashboard_name": "payments-business-local"}, "1 dashboard: business"),
    "aws_cloudwatch_composite_alarm": ({"alarm_name": "payments/local/page"}, "1 composite"),
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
    "aws_s3_account_public_access_block": ({}, "closed to the public"),
}


@pytest.mark.parametrize("type_", ADDED)
def test_what_is_added_is_drawn(type_: str) -> None:
    values, text = ADDED[type_]
    bare: Block = {
        "provider": TWO_REGIONS["provider"],
        "resource": {"aws_vpc": {"main": {"cidr_block": "10.0.0.0/16"}}},
    }
    assert text not in said(bare)
    bare["resource"][type_] = {"added": values}
    assert text in said(bare)
    assert pictured(bare).rest == {}


def test_everything_that_may_be_added_fits(platform: Synthesized) -> None:
    changed = copy.deepcopy(platform.configuration)
    for type_, (values, _) in ADDED.items():
        for place in ("aws", "aws.recovery", "aws.global"):
            changed["resource"].setdefault(type_, {})[f"added-{place}"] = {**values, "provider": place}
    check(draw(pictured(changed)))


def test_what_is_not_known_is_counted_by_type(platform: Synthesized) -> None:
    before = pictured(platform.configuration).rest
    changed = copy.deepcopy(platform.configuration)
    changed["resource"]["aws_gamelift_fleet"] = {name: {} for name in ("one", "two")}
    changed["resource"]["aws_route"]["another"] = {}
    after = pictured(changed).rest
    assert dict(after) == {**before, "aws_gamelift_fleet": 2, "aws_route": before["aws_route"] + 1}
    types = f"and {sum(after.values())} more resources of {len(after)} types that are not drawn"
    assert types in said(changed)
    described = ET.fromstring(svg(pictured(changed))).findtext(f"{SVG}desc")
    assert described
    for type_, number in after.items():
        assert f"{number}\N{NO-BREAK SPACE}{type_}" in described


def test_each_resource_is_drawn_or_counted(platform: Synthesized) -> None:
    """Of each type that is not among the counted, taking one away changes the picture beyond its title."""
    rest = pictured(platform.configuration).rest
    whole = without_title(platform.configuration)
    silent = [
        type_
        for type_ in platform.configuration["resource"]
        if type_ not in rest and without_title(without(platform.configuration, type_)) == whole
    ]
    assert silent == []


def without_title(configuration: Block) -> list[Text]:
    return [one for one in draw(pictured(configuration)).texts if one.role is not Role.HEADING]


# That it can be read


def test_everything_that_is_shown_is_drawn(platform: Synthesized, drawing: Drawing) -> None:
    drawn = " ".join(one.text for one in drawing.texts).split()
    assert not [text for text in drawn if "…" in text]
    expected = " ".join(lines_of(pictured(platform.configuration))).split()
    assert {word for word in expected if "aws_" not in word} <= set(drawn)


def check(drawing: Drawing) -> None:
    """No text leaves what it is in, no two texts or boxes overlap, and nothing leaves the page."""
    page = Rectangle(role=Role.PAGE, x=0, y=0, width=WIDTH, height=drawing.height)
    boxes = [one for one in drawing.rectangles if one.role is Role.BOX]
    frames = [one for one in drawing.rectangles if one.role is not Role.BOX]
    extents = [one.extent for one in drawing.texts]
    for one in (*boxes, *frames, *extents):
        assert contains(page, one), one
    for one, other in (*combinations(boxes, 2), *combinations(extents, 2)):
        assert not overlap(one, other), (one, other)
    for one, other in combinations(drawing.rectangles, 2):
        assert not overlap(one, other) or contains(one, other) or contains(other, one), (one, other)
    for text, extent in zip(drawing.texts, extents, strict=True):
        for around in drawing.rectangles:
            assert not overlap(around, extent) or contains(around, extent), (text, around)


def overlap(one: Rectangle, other: Rectangle) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


def contains(one: Rectangle, other: Rectangle) -> bool:
    return one.x <= other.x and other.right <= one.right and one.y <= other.y and other.bottom <= one.bottom


def test_nothing_overlaps_and_no_text_leaves_its_box(drawing: Drawing) -> None:
    check(drawing)


def test_no_arrow_crosses_a_box(drawing: Drawing) -> None:
    boxes = [one for one in drawing.rectangles if one.role is Role.BOX]
    assert len(drawing.arrows) == 1 + 2 + 1 + 1 + 3 + 1  # customers, entries, peering, database, buckets, backups
    for arrow in drawing.arrows:
        (x1, y1), (x2, y2) = arrow.start, arrow.end
        line = Rectangle(role=Role.LABEL, x=min(x1, x2), y=min(y1, y2), width=abs(x2 - x1), height=abs(y2 - y1))
        assert not [box for box in boxes if overlap(box, line)], arrow


def test_letters_are_high_enough_at_the_width_of_a_page(platform: Synthesized) -> None:
    root = ET.fromstring(svg(pictured(platform.configuration)))
    style = root.findtext(f"{SVG}style")
    assert style
    assert root.get("viewBox", "").split()[2] == f"{WIDTH:g}"
    sizes = [float(part.split("px")[0]) for part in style.split("font-size: ")[1:]]
    assert min(sizes) == TEXT_SIZE
    assert min(sizes) * PAGE_PIXELS / WIDTH >= LEAST_PIXELS


def test_it_has_a_background_of_its_own(platform: Synthesized) -> None:
    root = ET.fromstring(svg(pictured(platform.configuration)))
    first = root.find(f"{SVG}rect")
    assert first is not None
    assert first.get("class") == Role.PAGE
    assert float(first.get("width", 0)) >= WIDTH - 1
    assert ".page { fill: #ffffff" in (root.findtext(f"{SVG}style") or "")


@pytest.mark.parametrize("kind", ["aws_ecs_service", "aws_lambda_function", "aws_sqs_queue", "aws_s3_bucket"])
def test_names_of_any_length_and_number_stay_in_their_boxes(platform: Synthesized, kind: str) -> None:
    attribute = {"aws_lambda_function": "function_name", "aws_s3_bucket": "bucket"}.get(kind, "name")
    changed = copy.deepcopy(platform.configuration)
    for number in range(7):
        like = copy.deepcopy(next(iter(changed["resource"][kind].values())))
        changed["resource"][kind][f"more-{number}"] = {**like, attribute: f"payments-{'WideName' * number * 2}-local"}
    check(draw(pictured(changed)))


def test_what_has_no_counterpart_does_not_put_arrows_aslant(platform: Synthesized) -> None:
    changed = copy.deepcopy(platform.configuration)
    changed["resource"]["aws_s3_bucket"]["audit"] = {"bucket": "payments-audit-local-123456789012-us-east-2"}
    drawn = draw(pictured(changed))
    level = [one for one in drawn.arrows if one.start[1] == one.end[1]]
    assert len(level) == 1 + 1 + 3 + 1  # peering, database, buckets, backups


def test_a_word_that_is_too_long_is_parted_or_cut_and_shows_it() -> None:
    assert wrapped("token.actions.example.com", 80, 10) == ["token.actions.", "example.com"]
    assert wrapped("short", 100, 10) == ["short"]
    assert wrapped("one two three", 45, 10) == ["one two", "three"]
    (cut,) = wrapped("interminable", 40, 10)
    assert cut.endswith("…")
    assert "interminable".startswith(cut[:-1])


# Where it is read from

TWO_REGIONS: Block = {
    "terraform": {
        "required_providers": {"aws": {"source": "aws", "version": "5.100.0"}},
        "backend": {"local": {"path": "terraform.tfstate"}},
    },
    "provider": {
        "aws": [
            {
                "region": "us-east-2",
                "default_tags": [{"tags": {"platform": "payments", "environment_suffix": "local"}}],
            },
            {"region": "us-west-2", "alias": "recovery"},
        ]
    },
    "resource": {
        "aws_vpc": {
            "here": {"cidr_block": "10.0.0.0/16"},
            "there": {"cidr_block": "10.1.0.0/16", "provider": "aws.recovery"},
        },
        "aws_vpc_peering_connection": {
            "peering": {
                "vpc_id": "${aws_vpc.here.id}",
                "peer_vpc_id": "${aws_vpc.there.id}",
                "peer_region": "us-west-2",
            }
        },
        "aws_vpc_peering_connection_accepter": {
            "peering": {
                "vpc_peering_connection_id": "${aws_vpc_peering_connection.peering.id}",
                "auto_accept": True,
                "provider": "aws.recovery",
            }
        },
        "aws_subnet": {
            "private": {
                "vpc_id": "${aws_vpc.here.id}",
                "cidr_block": "10.0.0.0/20",
                "availability_zone": "us-east-2a",
                "tags": {"tier": "private"},
            }
        },
        "aws_s3_bucket": {
            "here": {"bucket": "payments-documents-local-123456789012-us-east-2"},
            "there": {"bucket": "payments-documents-local-123456789012-us-west-2", "provider": "aws.recovery"},
        },
        "aws_s3_bucket_replication_configuration": {
            "documents": {
                "bucket": "${aws_s3_bucket.here.id}",
                "role": "${aws_iam_role.replication.arn}",
                "rule": [{"status": "Enabled", "destination": {"bucket": "${aws_s3_bucket.there.arn}"}}],
            }
        },
        "aws_iam_role": {
            "replication": {
                "name": "payments-replication-local",
                "assume_role_policy": json.dumps(
                    {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": "sts:AssumeRole",
                                "Principal": {"Service": "s3.amazonaws.com"},
                            }
                        ],
                    }
                ),
            }
        },
        "aws_ecs_cluster": {"main": {"name": "payments-cluster-local"}},
        "aws_ecs_task_definition": {
            "web": {
                "family": "payments-web-local",
                "cpu": "512",
                "memory": "1024",
                "network_mode": "awsvpc",
                "requires_compatibilities": ["FARGATE"],
                "container_definitions": json.dumps([{"name": "web", "image": "web", "essential": True}]),
            }
        },
        "aws_ecs_service": {
            "web": {
                "name": "payments-web-local",
                "cluster": "${aws_ecs_cluster.main.arn}",
                "task_definition": "${aws_ecs_task_definition.web.arn}",
                "desired_count": 2,
                "capacity_provider_strategy": [{"capacity_provider": "FARGATE_SPOT", "weight": 1}],
                "network_configuration": {"subnets": ["${aws_subnet.private.id}"]},
            }
        },
        "aws_appautoscaling_target": {
            "web": {
                "service_namespace": "ecs",
                "scalable_dimension": "ecs:service:DesiredCount",
                "resource_id": "service/payments-cluster-local/${aws_ecs_service.web.name}",
                "min_capacity": 2,
                "max_capacity": 9,
            }
        },
        "aws_sqs_queue": {
            "dead": {"name": "payments-dead-local"},
            "work": {
                "name": "payments-work-local",
                "redrive_policy": "${jsonencode({deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 3})}",
            },
        },
        "aws_cloudwatch_log_group": {
            "several": {"count": 2, "name": "/payments/local/${count.index}", "retention_in_days": 30}
        },
    },
}


@pytest.fixture(scope="module")
def plan(local_aws: process.Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the real Terraform plans, where nothing has been applied: most of what is to be is not known yet."""
    directory = tmp_path_factory.mktemp("picture")
    (directory / "cdk.tf.json").write_text(json.dumps(TWO_REGIONS))
    environment = provider_installation(directory).environment(process.complete_environment(local_aws.url))
    terraform = Terraform(directory, environment, Console(stderr=True))
    terraform.init()
    return planned_json(terraform)


def test_a_plan_is_drawn_as_its_configuration_is(plan: str) -> None:
    """But that a plan knows how many of a block there are."""
    planned, configured = picture(read(plan, "plan")), picture(read(json.dumps(TWO_REGIONS), "configuration"))
    texts = [one.text.replace("\N{NO-BREAK SPACE}", " ") for one in draw(planned).texts]
    expected = [one.text.replace("\N{NO-BREAK SPACE}", " ") for one in draw(configured).texts]
    assert set(texts) - set(expected) == {"payments, environment local: 17 resources of 13 types", "2 log groups"}
    assert len(draw(planned).arrows) == len(draw(configured).arrows) == 2
    assert {"peering", "replication", "Bucket documents", "2 to 9 tasks", "Fargate Spot", "work"} <= set(texts)
    assert "and 1 for dead letters" in texts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "no json",
            r"plan.json: no JSON \(.*\); the output of terraform show -json on a plan's file, or a cdk.tf.json,",
        ),
        ("[]", r"plan.json: neither a plan nor a configuration \(.*\); the output of .* is allowed"),
        ('{"format_version": "1.0", "values": {}}', r"plan.json: neither a plan nor a configuration .*"),
        ('{"provider": {"aws": []}, "resource": {}}', r"plan.json: no resource is in it; .* is allowed"),
        ('{"provider": {"aws": []}, "resource": {"aws_vpc": 3}}', r"plan.json: neither a plan nor a configuration .*"),
    ],
)
def test_what_is_no_plan_is_one_line(text: str, message: str) -> None:
    with pytest.raises(Refused, match=message) as refused:
        read(text, "plan.json")
    assert "\n" not in str(refused.value)


def test_a_plan_that_ended_with_errors_is_refused(plan: str) -> None:
    with pytest.raises(Refused, match=r"plan.json: a plan that ended with errors; one that was finished is allowed"):
        read(json.dumps({**json.loads(plan), "errored": True}), "plan.json")


def run(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "operations", "picture", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, input=text, capture_output=True, text=True, check=False)


def test_the_command_draws_what_it_is_given_and_says_what_it_left_out(tmp_path: Path) -> None:
    output = tmp_path / "picture.svg"
    configuration = json.dumps(TWO_REGIONS | {"resource": {**TWO_REGIONS["resource"], "aws_gamelift_fleet": {"a": {}}}})
    ended = run("-", "--output", str(output), text=configuration)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "    1 aws_gamelift_fleet" in ended.stdout.splitlines()
    assert output.read_text() == svg(picture(read(configuration, "test")))


def bad_arguments(tmp_path: Path) -> Iterator[tuple[list[str], str]]:
    yield ["missing.json"], "missing.json: cannot be read"
    yield ["--environment", str(environment_file(tmp_path, "bad", account_id='"1"'))], "account_id"
    yield ["-", "--output", str(tmp_path / "missing" / "a.svg")], "--output: "


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    for arguments, message in bad_arguments(tmp_path):
        ended = run(*arguments, text=json.dumps(TWO_REGIONS))
        assert ended.returncode == 2
        assert message in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
        assert "Traceback" not in ended.stderr


def test_reading_does_not_change_what_is_read() -> None:
    before: Any = copy.deepcopy(TWO_REGIONS)
    pictured(TWO_REGIONS)
    assert before == TWO_REGIONS
