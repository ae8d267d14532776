"""Record of rehearsed calls against the grants: refused, idle and escaping calls are named (W8.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from emulator.record import Call
from policy.delivery import ANYTHING, Record, Role, roles
from settings import Settings, load
from tests.policy.delivery_support import (
    ACCOUNT,
    ROLE_BOUNDARY,
)
from tests.synthesized import synthesize

pytestmark = pytest.mark.requirement("W8.1")


def call(
    action: str, *, agent: str = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4", role: str = "", **resource: Any
) -> Call:
    return Call(
        time="2026-01-01T00:00:00Z",
        service=action.partition(":")[0],
        operation=action.partition(":")[2],
        action=action,
        region="us-east-2",
        resource=resource,
        caller="AKIAIOSFODNN7EXAMPLE",
        assumed_role=role and f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/rehearsal",
        user_agent=agent,
        status=200,
        seconds=0.1,
    )


@pytest.fixture
def held(of_delivery: dict[str, Role], local_settings: Settings) -> Any:
    return lambda *calls: Record(calls, of_delivery, local_settings).held()


def test_a_call_that_is_not_allowed_is_named_with_its_role_and_resource(held: Any) -> None:
    made = [
        call("sqs:CreateQueue", QueueName="payments-reports-local"),
        call("sqs:CreateQueue", QueueName="billing"),
        call("s3:PutBucketLifecycleConfiguration", Bucket="payments-logs-local-123456789012-us-east-2"),
        call("sts:GetCallerIdentity"),
        call("ec2:RunInstances"),
    ]
    assert held(*made).refused == (
        f"deploy: ec2:RunInstances on {ANYTHING} in us-east-2",
        "deploy: sqs:CreateQueue on arn:aws:sqs:us-east-2:123456789012:billing in us-east-2",
    )


def test_calls_of_a_role_session_are_checked_with_that_role_only(held: Any) -> None:
    boto3 = {"agent": "Boto3/1.43.106"}
    made = [
        call("rds:DeleteDBCluster", **boto3, DBClusterIdentifier="somebody-elses"),
        call("rds:DeleteDBCluster", **boto3, role="payments-origin-verify-local", DBClusterIdentifier="x"),
        call("ecs:RegisterTaskDefinition", **boto3, role="payments-delivery-plan-local"),
        call("ec2:TerminateInstances", **boto3, role="payments-delivery-deploy-local"),
    ]
    assert held(*made).refused == (
        f"deploy: ec2:TerminateInstances on {ANYTHING} in us-east-2",
        f"plan: ecs:RegisterTaskDefinition on {ANYTHING} in us-east-2",
    )


def test_permission_is_unused_until_it_is_called(held: Any) -> None:
    assert "deploy: Queues: sqs:DeleteQueue" in held().idle
    once = held(call("sqs:CreateQueue", QueueName="payments-reports-local"))
    assert "deploy: Queues: sqs:CreateQueue" not in once.idle
    assert "deploy: Queues: sqs:DeleteQueue" in once.idle
    # What was refused does not count as made.
    assert "deploy: Queues: sqs:CreateQueue" in held(call("sqs:CreateQueue", QueueName="billing")).idle


def test_deploy_role_may_not_change_delivery(held: Any) -> None:
    made = held(
        call("iam:CreateRole", RoleName="payments-delivery-deploy-local"),
        call("iam:CreateOpenIDConnectProvider"),
        call("iam:CreatePolicyVersion", PolicyArn=ROLE_BOUNDARY),
        call("iam:GetRole", RoleName="payments-delivery-deploy-local"),
    )
    assert [line.split()[1] for line in made.administrators] == [
        "iam:CreateOpenIDConnectProvider",
        "iam:CreatePolicyVersion",
        "iam:CreateRole",
    ]
    assert (made.escapes, made.refused) == ((), ())


def test_deploy_role_may_read_but_not_change_the_accounts_audit(held: Any) -> None:
    made = held(
        call("cloudtrail:CreateTrail", Name="payments-audit-local"),
        call("cloudtrail:DescribeTrails"),
        call("securityhub:EnableSecurityHub"),
        call("s3:PutBucketPolicy", Bucket="payments-audit-local-123456789012-us-east-2"),
        call("s3:GetBucketPolicy", Bucket="payments-audit-local-123456789012-us-east-2"),
        replace(call("s3:PutPublicAccessBlock", AccountId=ACCOUNT), service="s3control"),
        call("budgets:CreateBudget", **{"Budget.BudgetName": "payments-monthly-local"}),
        call("budgets:DescribeNotificationsForBudget", BudgetName="payments-monthly-local"),
    )
    assert [line.split()[1] for line in made.administrators] == [
        "cloudtrail:CreateTrail",
        "s3:PutAccountPublicAccessBlock",
        "s3:PutBucketPolicy",
        "securityhub:EnableSecurityHub",
    ]
    assert (made.escapes, made.refused) == ((), ())


def test_an_escape_is_named(of_delivery: dict[str, Role], local_settings: Settings) -> None:
    everything = {"Statement": [{"Effect": "Allow", "Action": ["*"], "Resource": ["*"], "Sid": "All"}]}
    loose = {**of_delivery, "deploy": Role(name="x", documents=(everything,), boundary=everything)}
    made = Record([call("iam:CreateRole", RoleName="payments-delivery-deploy-local")], loose, local_settings).held()
    assert len(made.escapes) == 1


def test_without_delivery_there_is_nothing_to_hold(local_settings: Settings) -> None:
    off = synthesize(local_settings.model_copy(update={"delivery": load("staging").delivery}))
    with pytest.raises(LookupError, match="plan, deploy and drift"):
        roles(off.configuration, account_id=ACCOUNT)
