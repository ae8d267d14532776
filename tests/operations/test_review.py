"""What a reviewer is shown of a plan: plans of the real Terraform, of changes to what was really applied."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from emulator import process
from operations.deployment.synthesized import provider_installation
from operations.deployment.terraform import Terraform
from operations.outcome import Refused
from operations.review.page import page
from operations.review.plan import Action, Change, Concern, Plan, read
from tests.operations.support import REPOSITORY, planned_json

pytestmark = pytest.mark.requirement("W8.1")

TOKEN = "marked-token-of-the-test"
NEXT_TOKEN = "marked-token-of-the-next-deployment"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::review-documents/*"}
WRITE = {"Effect": "Allow", "Action": ["s3:PutObject", "s3:DeleteObject"], "Resource": "*"}
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
BEFORE: dict[str, Any] = {
    "terraform": {
        "required_providers": {"aws": {"source": "aws", "version": "5.100.0"}},
        "backend": {"local": {"path": "terraform.tfstate"}},
    },
    "provider": {"aws": [{"region": "us-east-2"}]},
    "variable": {"token": {"sensitive": True, "default": TOKEN}},
    "output": {"bucket": {"value": "${aws_s3_bucket.documents.id}"}},
    "resource": {
        "aws_s3_bucket": {"documents": {"bucket": "review-documents"}},
        "aws_sqs_queue": {"old": {"name": "review-old"}},
        "aws_cloudwatch_log_group": {"tasks": {"name": "review-tasks", "retention_in_days": 30}},
        "aws_iam_role": {"reader": {"name": "review-reader", "assume_role_policy": policy(TRUST)}},
        "aws_iam_role_policy": {
            "reader": {"name": "read", "role": "${aws_iam_role.reader.id}", "policy": policy(READ)}
        },
        "aws_vpc": {"main": {"cidr_block": "10.0.0.0/16"}},
        "aws_security_group": {"tasks": {"name": "review-tasks", "vpc_id": "${aws_vpc.main.id}"}},
        "aws_vpc_security_group_ingress_rule": {
            "https": {
                "security_group_id": "${aws_security_group.tasks.id}",
                "cidr_ipv4": "10.0.0.0/24",
                "from_port": 443,
                "to_port": 443,
                "ip_protocol": "tcp",
            }
        },
        "aws_ssm_parameter": {"token": {"name": "review-token", "type": "SecureString", "value": "${var.token}"}},
        "aws_sns_topic": {"alarms": {"name": "review-alarms", "display_name": "alarms"}},
    },
}


@pytest.fixture(scope="module")
def applied(local_aws: process.Server, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    directory = tmp_path_factory.mktemp("review")
    write(directory, BEFORE)
    environment = provider_installation(directory).environment(process.complete_environment(local_aws.url))
    terraform = Terraform(directory, environment, Console(stderr=True))
    terraform.init()
    terraform.apply()
    return terraform


@pytest.fixture(scope="module")
def changed_text(applied: Terraform) -> str:
    """The plan of a change of many kinds."""
    after = copy.deepcopy(BEFORE)
    after["variable"]["token"]["default"] = NEXT_TOKEN
    resources = after["resource"]
    resources["aws_s3_bucket"]["documents"]["bucket"] = "review-other-documents"
    del resources["aws_sqs_queue"]
    resources["aws_cloudwatch_log_group"]["tasks"]["retention_in_days"] = 7
    resources["aws_iam_role_policy"]["reader"]["policy"] = policy(READ, WRITE)
    resources["aws_vpc_security_group_ingress_rule"]["https"]["cidr_ipv4"] = "0.0.0.0/0"
    resources["aws_sns_topic"]["alarms"]["display_name"] = "all alarms"
    resources["aws_sns_topic"]["news"] = {"name": "review-news"}
    write(applied.directory, after)
    try:
        return planned_json(applied)
    finally:
        write(applied.directory, BEFORE)


@pytest.fixture(scope="module")
def changed(changed_text: str) -> Plan:
    return read(changed_text, "test")


@pytest.fixture(scope="module")
def shown(changed: Plan) -> str:
    return page(changed, title="staging", most_characters=60_000)


def write(directory: Path, configuration: dict[str, Any]) -> None:
    (directory / "cdk.tf.json").write_text(json.dumps(configuration))


def test_counts_stand_in_the_first_line(shown: str) -> None:
    first = shown.splitlines()[2]
    assert first == (
        "**1** to delete, **1** to replace, **1** to create, **5** to change; 1 of access, 1 of the network."
    )


def test_resources_with_data_loss_are_first(shown: str) -> None:
    caution = shown.index("> [!CAUTION]")
    assert shown.index("> **2 resources that hold data would be lost:**") > caution
    assert "> - **replace** `aws_s3_bucket.documents`, forced by `bucket`" in shown
    assert "> - **delete** `aws_sqs_queue.old`" in shown
    assert caution < shown.index("### Who may do what") < shown.index("### Who may reach what")
    assert shown.index("### Who may reach what") < shown.index("<details>")


def test_lowered_safeguard_is_shown_prominently(shown: str) -> None:
    assert "> - `aws_cloudwatch_log_group.tasks`: retention_in_days 30 -> 7" in shown
    assert shown.index("> [!WARNING]") < shown.index("### Who may do what")


def test_a_policy_is_compared_statement_by_statement(shown: str) -> None:
    assert "  policy: 1 of 2 statements stay" in shown
    assert "+ Allow s3:DeleteObject, s3:PutObject on *" in shown
    assert "- Allow s3:GetObject" not in shown


def test_changed_network_rule_is_shown_before_and_after(shown: str) -> None:
    assert '- cidr_ipv4 = "10.0.0.0/24"\n+ cidr_ipv4 = "0.0.0.0/0"' in shown


def test_the_rest_is_folded_with_the_attributes_that_change(shown: str) -> None:
    folded = shown[shown.index("<details>") :]
    assert "<summary>Everything else: 1 to create, 3 to change</summary>" in folded
    assert "- `~` `aws_sns_topic.alarms`: `display_name`" in folded
    assert "- `+` `aws_sns_topic.news`" in folded
    assert "- update `bucket`" in folded


@pytest.mark.requirement("W0.5")
def test_no_sensitive_value_is_shown_but_its_change_is(changed_text: str, shown: str) -> None:
    assert NEXT_TOKEN in changed_text  # the plan itself has it
    assert TOKEN not in shown
    assert NEXT_TOKEN not in shown
    assert "`aws_ssm_parameter.token`" in shown


def test_plan_without_changes_is_one_line(applied: Terraform) -> None:
    nothing = page(read(planned_json(applied), "test"), title="staging", most_characters=60_000)
    assert nothing.startswith("## Plan: staging\n\nNothing would change.\n")
    assert "update" not in nothing


def test_truncated_page_says_that_parts_are_omitted(changed: Plan, shown: str) -> None:
    most = len(shown) - 100
    short = page(changed, title="staging", most_characters=most)
    assert len(short) <= most
    assert "[!CAUTION]" in short
    assert short.rstrip().endswith("more parts do not fit here; `make review` shows them all.")


@pytest.mark.parametrize(
    ("type_", "action", "concern"),
    [
        ("aws_kms_key", Action.DELETE, Concern.DATA),
        ("aws_kms_key", Action.UPDATE, Concern.ACCESS),
        ("aws_rds_cluster", Action.REPLACE, Concern.DATA),
        ("aws_rds_cluster", Action.UPDATE, Concern.OTHER),
        ("aws_s3_bucket_policy", Action.DELETE, Concern.ACCESS),
        ("aws_lambda_permission", Action.CREATE, Concern.ACCESS),
        ("aws_appautoscaling_policy", Action.UPDATE, Concern.OTHER),
        ("aws_cloudfront_cache_policy", Action.UPDATE, Concern.OTHER),
        ("aws_lb_listener_rule", Action.REPLACE, Concern.NETWORK),
        ("aws_wafv2_web_acl", Action.UPDATE, Concern.NETWORK),
    ],
)
def test_each_change_is_of_one_concern(type_: str, action: Action, concern: Concern) -> None:
    change = Change(address=f"{type_}.one", type=type_, action=action, differences=(), forced_by=())
    assert change.concern is concern


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no json", r"plan.json: no JSON \(.*\); the output of terraform show -json is allowed"),
        ("[]", r"plan.json: no plan; the output of terraform show -json on a plan's file is allowed"),
        ('{"format_version": "1.0", "values": {}}', r"plan.json: no plan; .*"),
        ('{"format_version": "1.2", "planned_values": {}, "errored": true}', r"plan.json: a plan that ended .*"),
    ],
)
def test_invalid_plan_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        read(text, "plan.json")


def review(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "operations", "review", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, input=stdin, capture_output=True, text=True, check=False)


def test_the_command_shows_a_file_and_standard_input_alike(changed_text: str, changed: Plan, tmp_path: Path) -> None:
    whole = page(changed, title="staging")
    file = tmp_path / "plan.json"
    file.write_text(changed_text)
    from_file, piped = review(str(file)), review("-", stdin=changed_text)
    assert (from_file.returncode, piped.returncode) == (0, 0)
    assert from_file.stdout.splitlines()[1:] == piped.stdout.splitlines()[1:] == whole.splitlines()[1:]


def test_the_command_can_refuse_a_loss_and_bad_input(changed_text: str, tmp_path: Path) -> None:
    assert review("-", "--refuse-loss", stdin=changed_text).returncode == 3
    missing = review(str(tmp_path / "none.json"))
    assert missing.returncode == 2
    assert missing.stderr.startswith(f"{tmp_path / 'none.json'}: cannot be read")
    assert "Traceback" not in missing.stderr
