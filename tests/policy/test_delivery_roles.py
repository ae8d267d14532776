"""Plan and deploy role: who assumes them, what they may do, and what they cannot escape to (W8.1)."""

from __future__ import annotations

import re

import pytest
from policy_sentry.querying.actions import get_action_data

from iam.evaluation import Decision, Request, evaluate
from iam.synthesized import TRUST, Policy
from modules.delivery.permissions.drift import DRIFT
from modules.delivery.permissions.plan import PLAN
from policy.delivery import Role
from tests.policy.delivery_support import (
    ACCOUNT,
    AUDIT_BUCKET,
    BACKUPS,
    DEPLOY_ROLE,
    OWN_ROLE,
    ROLE_BOUNDARY,
    STATE,
    asked,
)

pytestmark = pytest.mark.requirement("W8.1")

GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"
# Actions that a plan role may have although AWS does not call them reading.
NOT_READING = {"kms:Decrypt": "reading the state, of no other bucket"}


# Who may assume them.


def token(subject: str, audience: str = "sts.amazonaws.com") -> dict[str, str]:
    return {f"{GITHUB}:sub": subject, f"{GITHUB}:aud": audience}


REPOSITORY = "repo:example/payment-platform"
SUBJECTS = {
    f"{REPOSITORY}:pull_request": {"plan"},
    f"{REPOSITORY}:ref:refs/heads/main": {"plan", "drift"},
    f"{REPOSITORY}:environment:local": {"deploy"},
    f"{REPOSITORY}:ref:refs/heads/feature": set(),
    f"{REPOSITORY}:ref:refs/tags/main": set(),
    f"{REPOSITORY}:environment:locals": set(),
    f"{REPOSITORY}:environment:production": set(),
    "repo:example/payment-platform-fork:environment:local": set(),
    "repo:somebody/payment-platform:environment:local": set(),
    "repo:somebody/payment-platform:pull_request": set(),
    "repo:Example/payment-platform:environment:local": set(),
    f"{REPOSITORY}:*": set(),
}


@pytest.mark.parametrize(("subject", "expected"), SUBJECTS.items())
def test_roles_are_assumed_by_the_workflows_that_settings_name_and_no_others(
    all_policies: list[Policy], subject: str, expected: set[str]
) -> None:
    assert assumed(all_policies, token(subject), PROVIDER) == expected


@pytest.mark.parametrize(
    ("context", "principal"),
    [
        (token(f"{REPOSITORY}:environment:local", audience="https://github.com/example"), PROVIDER),
        ({f"{GITHUB}:sub": f"{REPOSITORY}:environment:local"}, PROVIDER),
        ({f"{GITHUB}:aud": "sts.amazonaws.com"}, PROVIDER),
        (token(f"{REPOSITORY}:environment:local"), f"arn:aws:iam::{ACCOUNT}:oidc-provider/gitlab.com"),
        (token(f"{REPOSITORY}:environment:local"), "arn:aws:iam::999999999999:oidc-provider/" + GITHUB),
    ],
)
def test_another_audience_or_provider_or_an_incomplete_token_assumes_nothing(
    all_policies: list[Policy], context: dict[str, str], principal: str
) -> None:
    assert assumed(all_policies, context, principal) == set()


def assumed(all_policies: list[Policy], context: dict[str, str], principal: str) -> set[str]:
    request = Request(action="sts:AssumeRoleWithWebIdentity", resource="*", principal=principal, context=context)
    trusts = {
        re.sub(r".*_delivery_(\w+)-role.*", r"\1", one.owner): one
        for one in all_policies
        if one.use == TRUST and "_delivery_" in one.owner
    }
    assert trusts.keys() == {"plan", "deploy", "drift"}
    return {purpose for purpose, one in trusts.items() if evaluate(one.document, request) is Decision.ALLOW}


# What the plan role may do.


def test_the_plan_and_drift_roles_read_only() -> None:
    grants = [*PLAN, *(grant for grants in DRIFT.values() for grant in grants)]
    assert len(grants) > 3 * len(PLAN)
    levels = {
        action: {one["access_level"] for one in get_action_data(*action.split(":"))[action.split(":")[0]]}
        for grant in grants
        for action in grant.actions
        if action not in NOT_READING
    }
    assert {action: found for action, found in levels.items() if not found <= {"Read", "List"}} == {}


def test_the_plan_role_reads_its_state_and_no_secret_nor_anothers_state(of_delivery: dict[str, Role]) -> None:
    plan = of_delivery["plan"]
    assert plan.allows(asked("s3:GetObject", f"{STATE}/payments/local/terraform.tfstate"))
    decrypt = {"kms_ViaService": "s3.us-east-2.amazonaws.com"}
    key = f"arn:aws:kms:us-east-2:{ACCOUNT}:key/1234"
    context = Request(
        action="kms:Decrypt",
        resource=key,
        principal="nobody",
        context={
            "aws:RequestedRegion": "us-east-2",
            "kms:ViaService": decrypt["kms_ViaService"],
            "kms:EncryptionContext:aws:s3:arn": STATE,
        },
    )
    assert plan.allows(context)
    other = Request(
        action="kms:Decrypt",
        resource=key,
        principal="nobody",
        context={**context.context, "kms:EncryptionContext:aws:s3:arn": BACKUPS},
    )
    assert not plan.allows(other)
    for action, resource in (
        ("s3:GetObject", f"{STATE}/payments/production/terraform.tfstate"),
        ("s3:PutObject", f"{STATE}/payments/local/terraform.tfstate"),
        ("s3:PutObject", f"{STATE}/payments/local/terraform.tfstate.tflock"),
        ("s3:GetObject", f"{BACKUPS}/exports/x"),
        ("kms:Decrypt", key),
    ):
        assert not plan.allows(asked(action, resource)), (action, resource)


@pytest.mark.requirement("W8.10")
def test_the_drift_role_reads_the_environment_and_no_data_of_it(of_delivery: dict[str, Role]) -> None:
    drift = of_delivery["drift"]
    queue = f"arn:aws:sqs:us-east-2:{ACCOUNT}:payments-operations-local"
    assert drift.allows(asked("sqs:GetQueueAttributes", queue))
    assert drift.allows(asked("s3:GetObject", f"{STATE}/payments/local/terraform.tfstate"))
    for action, resource in (
        ("s3:PutObject", f"{STATE}/payments/local/terraform.tfstate"),
        ("s3:GetObject", f"{BACKUPS}/exports/x"),
        ("sqs:ReceiveMessage", queue),
        ("sqs:SetQueueAttributes", queue),
        ("iam:CreateRole", OWN_ROLE),
    ):
        assert not drift.allows(asked(action, resource)), (action, resource)


@pytest.mark.parametrize("purpose", ["plan", "drift"])
@pytest.mark.parametrize("action", ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"])
def test_secrets_are_denied_to_whom_only_looks_and_not_just_not_allowed(
    of_delivery: dict[str, Role], action: str, purpose: str
) -> None:
    secret = f"arn:aws:secretsmanager:us-east-2:{ACCOUNT}:secret:payments/local/database/master-A1b2C3"
    assert Decision.DENY in {evaluate(one, asked(action, secret)) for one in of_delivery[purpose].documents}


# What the deploy role cannot get at.

ESCAPES = {
    "a role without a boundary": asked("iam:CreateRole", OWN_ROLE),
    "a role under another boundary": asked(
        "iam:CreateRole", OWN_ROLE, iam_PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess"
    ),
    "another boundary for a role": asked(
        "iam:PutRolePermissionsBoundary", OWN_ROLE, iam_PermissionsBoundary="arn:aws:iam::aws:policy/PowerUserAccess"
    ),
    "no boundary any more": asked("iam:DeleteRolePermissionsBoundary", OWN_ROLE, iam_PermissionsBoundary=ROLE_BOUNDARY),
    "a policy for a role that has no boundary": asked("iam:PutRolePolicy", OWN_ROLE),
    "an administrator's policy": asked(
        "iam:AttachRolePolicy",
        OWN_ROLE,
        iam_PermissionsBoundary=ROLE_BOUNDARY,
        iam_PolicyARN="arn:aws:iam::aws:policy/AdministratorAccess",
    ),
    "another version of a boundary": asked("iam:CreatePolicyVersion", ROLE_BOUNDARY),
    "another version of its own boundary": asked(
        "iam:CreatePolicyVersion", f"arn:aws:iam::{ACCOUNT}:policy/payments-delivery-boundary-local"
    ),
    "an older version of a policy": asked("iam:SetDefaultPolicyVersion", ROLE_BOUNDARY),
    "a policy of its own": asked("iam:PutRolePolicy", DEPLOY_ROLE, iam_PermissionsBoundary=ROLE_BOUNDARY),
    "its own trust": asked("iam:UpdateAssumeRolePolicy", DEPLOY_ROLE),
    "its own end": asked("iam:DeleteRole", DEPLOY_ROLE),
    "its own longer session": asked("iam:UpdateRole", DEPLOY_ROLE),
    "the plan role's trust": asked(
        "iam:UpdateAssumeRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/payments-delivery-plan-local"
    ),
    "its own role for a function": asked("iam:PassRole", DEPLOY_ROLE, iam_PassedToService="lambda.amazonaws.com"),
    "a role for another service": asked("iam:PassRole", OWN_ROLE, iam_PassedToService="ec2.amazonaws.com"),
    "somebody's role": asked(
        "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/administrator", iam_PassedToService="lambda.amazonaws.com"
    ),
    "another role": asked("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/administrator"),
    "a user": asked("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/me"),
    "a key of a user": asked("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/administrator"),
    "another identity provider": asked("iam:CreateOpenIDConnectProvider", f"arn:aws:iam::{ACCOUNT}:oidc-provider/x"),
    "another client of the provider": asked("iam:AddClientIDToOpenIDConnectProvider", PROVIDER),
    "the state bucket's policy": asked("s3:PutBucketPolicy", STATE),
    "the state bucket's versions": asked("s3:PutBucketVersioning", STATE),
    "an older state": asked("s3:DeleteObjectVersion", f"{STATE}/payments/local/terraform.tfstate"),
    "another environment's state": asked("s3:PutObject", f"{STATE}/payments/production/terraform.tfstate"),
    "the end of the trail": asked(
        "cloudtrail:StopLogging", f"arn:aws:cloudtrail:us-east-2:{ACCOUNT}:trail/payments-audit-local"
    ),
    "no more findings": asked("securityhub:DisableSecurityHub", f"arn:aws:securityhub:us-east-2:{ACCOUNT}:hub/default"),
    "no more threats": asked("guardduty:DeleteDetector", f"arn:aws:guardduty:us-east-2:{ACCOUNT}:detector/1"),
    "buckets that are public": asked("s3:PutAccountPublicAccessBlock", "*"),
    "the audit bucket's policy": asked("s3:PutBucketPolicy", AUDIT_BUCKET),
    "what the audit has recorded": asked("s3:DeleteObject", f"{AUDIT_BUCKET}/AWSLogs/1"),
    "more for the role that sees everything": asked(
        "iam:PutRolePolicy",
        f"arn:aws:iam::{ACCOUNT}:role/payments-configuration-us-east-2-local",
        iam_PermissionsBoundary=ROLE_BOUNDARY,
    ),
    "what is in the backups": asked("s3:GetObject", f"{BACKUPS}/exports/x"),
    "what is in somebody's bucket": asked("s3:GetObject", "arn:aws:s3:::somebody-elses/x"),
    "another region": asked(
        "ec2:CreateVpc", f"arn:aws:ec2:eu-west-1:{ACCOUNT}:vpc/vpc-1", aws_RequestedRegion="eu-west-1"
    ),
    "another environment's network": asked(
        "ec2:DeleteVpc", f"arn:aws:ec2:us-east-2:{ACCOUNT}:vpc/vpc-1", aws_ResourceTag__environment_suffix="production"
    ),
    "another platform's key": asked(
        "kms:ScheduleKeyDeletion", f"arn:aws:kms:us-east-2:{ACCOUNT}:key/1", aws_ResourceTag__platform="billing"
    ),
    "another environment's database": asked(
        "rds:DeleteDBCluster", f"arn:aws:rds:us-east-2:{ACCOUNT}:cluster:payments-database-production"
    ),
    "another environment's password": asked(
        "secretsmanager:GetSecretValue",
        f"arn:aws:secretsmanager:us-east-2:{ACCOUNT}:secret:payments/production/x-A1b2C3",
    ),
}


@pytest.mark.parametrize("what", ESCAPES)
def test_the_deploy_role_cannot_get(of_delivery: dict[str, Role], what: str) -> None:
    assert not of_delivery["deploy"].allows(ESCAPES[what])


@pytest.mark.parametrize(
    "what",
    [
        "a role without a boundary",
        "another boundary for a role",
        "no boundary any more",
        "another version of a boundary",
        "a policy of its own",
        "its own trust",
        "another identity provider",
        "the state bucket's policy",
        "the end of the trail",
        "no more findings",
        "no more threats",
        "buckets that are public",
        "the audit bucket's policy",
        "what the audit has recorded",
        "more for the role that sees everything",
        "what is in the backups",
        "what is in somebody's bucket",
        "another region",
    ],
)
def test_the_boundary_holds_whatever_policies_the_deploy_role_has(of_delivery: dict[str, Role], what: str) -> None:
    everything = {"Statement": [{"Effect": "Allow", "Action": ["*"], "Resource": ["*"], "Sid": "All"}]}
    given = Role(name="x", documents=(everything,), boundary=of_delivery["deploy"].boundary)
    assert not given.allows(ESCAPES[what])
    assert given.allows(asked("rds:CreateDBCluster", f"arn:aws:rds:us-east-2:{ACCOUNT}:cluster:x"))


def test_deploy_role_can_do_its_work_within_the_boundary(of_delivery: dict[str, Role]) -> None:
    deploy = of_delivery["deploy"]
    for request in (
        asked("iam:CreateRole", OWN_ROLE, iam_PermissionsBoundary=ROLE_BOUNDARY),
        asked("iam:PutRolePolicy", OWN_ROLE, iam_PermissionsBoundary=ROLE_BOUNDARY),
        asked("iam:PassRole", OWN_ROLE, iam_PassedToService="ecs-tasks.amazonaws.com"),
        asked("ec2:DeleteVpc", f"arn:aws:ec2:us-west-2:{ACCOUNT}:vpc/vpc-1", aws_RequestedRegion="us-west-2"),
        asked("s3:PutObject", f"{STATE}/payments/local/terraform.tfstate.tflock"),
        asked("s3:PutObject", f"{BACKUPS}/failover/primary.lock"),
        asked("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:us-east-2:{ACCOUNT}:alarm:*"),
    ):
        assert deploy.allows(request), request
