"""Who deploys may do what rehearsals did, and cannot give itself more (W8.1)."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
from policy_sentry.querying.actions import get_action_data

from emulator.record import Call
from modules.delivery.permissions import DEPLOY, PASSED_TO, PLAN, Grant
from policy.delivery import ANYTHING, Record, Role, roles
from policy.evaluation import Decision, Request, evaluate
from policy.iam import BOUNDARY, IDENTITY, TRUST, Policy, as_identity_policy, policies
from settings import Settings, load
from tests.synthesized import Synthesized, path_of, synthesize

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # parliament imports pkg_resources, which says of itself that it is deprecated
    from parliament import analyze_policy_string

pytestmark = pytest.mark.requirement("W8.1")

ACCOUNT = "123456789012"
GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LONGEST_POLICY = 6144
MOST_POLICIES = 10
GRANTS = [(f"{purpose}: {one.sid}", one) for purpose, all_ in {"plan": PLAN, **DEPLOY}.items() for one in all_]
# What parliament finds and is wrong about: issue, part of the detail, and why.
MISTAKEN = [
    ("INVALID_ARN", "Account expected", "AWS's own prefix lists stand in the account 'aws'"),
    ("MISMATCHED_TYPE_BUT_USABLE", "StringEquals requires a value of type String but given Arn", "usable"),
    ("RESOURCE_MISMATCH", "elasticloadbalancing:", "of the forms that an ARN may have, one is enough"),
    ("RESOURCE_MISMATCH", "ec2:", "the kind is left open: an action may need several, each in this account"),
    ("RESOURCE_MISMATCH", "kms:CreateAlias", "key and alias stand in a statement each, under different conditions"),
    ("RESOURCE_MISMATCH", "rds:DeleteDBCluster", "cluster and snapshot stand in a statement each"),
    ("RESOURCE_STAR", "cloudfront:Create", "they know no resource by now; parliament's list is older"),
    ("UNKNOWN_ACTION", "WebACL", "actions of load balancers that are newer than parliament's list"),
    (
        "RESOURCE_POLICY_PRIVILEGE_ESCALATION",
        "s3:Put",
        "the boundary denies the objects to the role, whatever a bucket's policy says",
    ),
]
# Actions that a plan role may have although AWS does not call them reading.
NOT_READING = {"kms:Decrypt": "reading the state, of no other bucket"}


@pytest.fixture(scope="module")
def of_delivery(platform: Synthesized) -> dict[str, Role]:
    return roles(platform.configuration, account_id=ACCOUNT)


@pytest.fixture(scope="module")
def all_policies(platform: Synthesized) -> list[Policy]:
    return list(policies(platform.configuration, account_id=ACCOUNT))


def asked(action: str, resource: str, **more: str) -> Request:
    """A request in a region of the environment, by a principal that has the environment's tags."""
    context = {
        "aws:RequestedRegion": "us-east-2",
        "aws:ResourceTag/platform": "payments",
        "aws:ResourceTag/environment_suffix": "local",
        "aws:RequestTag/platform": "payments",
        "aws:RequestTag/environment_suffix": "local",
        **{key.replace("__", "/").replace("_", ":", 1): value for key, value in more.items()},
    }
    return Request(action=action, resource=resource, principal="nobody", context=context)


ROLE_BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/payments-delivery-role-boundary-local"
OWN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/payments-web-task-us-east-2-local"
DEPLOY_ROLE = f"arn:aws:iam::{ACCOUNT}:role/payments-delivery-deploy-local"
STATE = "arn:aws:s3:::payments-terraform-state-123456789012-us-east-2"
AUDIT_BUCKET = "arn:aws:s3:::payments-audit-local-123456789012-us-east-2"
BACKUPS = "arn:aws:s3:::payments-backups-local-123456789012-us-east-2"


# The table.


def test_every_action_stands_once_and_what_no_rehearsal_made_has_a_reason() -> None:
    for name, grant in GRANTS:
        assert len(grant.actions) == len(set(grant.actions)), name
        assert all(reason.strip() and actions.strip() for reason, actions in grant.unmade.items()), name
        assert grant.actions, name
    sids = [grant.sid for all_ in DEPLOY.values() for grant in all_]
    assert len(sids) == len(set(sids))


@pytest.mark.parametrize(("name", "grant"), GRANTS)
def test_actions_exist_and_go_with_what_they_are_allowed_on(name: str, grant: Grant) -> None:
    """An action on a resource, or under a condition, that AWS does not know for it would never be allowed."""
    for action in grant.actions:
        service, _, verb = action.partition(":")
        if verb.endswith("*"):
            continue
        known = (get_action_data(service, verb) or {}).get(service)
        assert known, f"{action} does not exist"
        forms = {one["resource_arn_format"] for one in known} - {"*"}
        if grant.on == ("*",):
            assert not forms, f"{action} could be narrowed to {forms}"
        else:
            assert any(fits(form, one) for form in forms for one in grant.on), f"{action} is of {forms}"
        keys = {key.partition("/")[0].partition("${")[0] for one in known for key in one["condition_keys"]}
        for _, key, _ in grant.conditions:
            assert any(key.startswith(one) for one in keys), f"{action} does not know {key}"


def fits(form: str, pattern: str) -> bool:
    """Whether ARNs of a form that AWS publishes can match a pattern of the table."""
    pattern = re.sub(r"\{state\}", "arn:aws:s3:::*", pattern)
    pattern = re.sub(r"\{identity_provider\}", "arn:aws:iam::*:oidc-provider/*", pattern)
    example = re.sub(r"\$\{[^}]*\}", "x_x", form.replace("${Partition}", "aws"))
    wanted = re.sub(r"\{[^}]*\}", "*", pattern)
    return fnmatchcase(example, wanted) or fnmatchcase(wanted.replace("*", "x_x"), example.replace("x_x", "*"))


def test_policies_pass_the_linter(all_policies: list[Policy]) -> None:
    looked_at = [one for one in all_policies if "_delivery_" in one.owner and one.use == IDENTITY]
    assert len(looked_at) == len(DEPLOY) + 1
    found = [
        f"{policy.owner}: {one.issue} {one.detail}"
        for policy in looked_at
        for one in analyze_policy_string(as_identity_policy(policy), include_community_auditors=False).findings
        if not any(one.issue == issue and part in str(one.detail) for issue, part, _ in MISTAKEN)
    ]
    assert found == []


@pytest.mark.parametrize("names", [{}, {"name_prefix": "p" * 12, "environment_suffix": "s" * 2}])
def test_policies_fit_and_a_role_has_no_more_than_aws_attaches(names: dict[str, str]) -> None:
    longest = synthesize(Settings.model_validate(load("local").model_dump() | names))
    of_delivery = [
        one
        for one in policies(longest.configuration, account_id=ACCOUNT)
        if "_delivery_" in one.owner and one.use in {IDENTITY, BOUNDARY}
    ]
    lengths = {one.owner: len(json.dumps(one.document, separators=(",", ":"))) for one in of_delivery}
    assert {owner: length for owner, length in lengths.items() if length > LONGEST_POLICY} == {}
    assert len(DEPLOY) <= MOST_POLICIES


# Who may assume them.


def token(subject: str, audience: str = "sts.amazonaws.com") -> dict[str, str]:
    return {f"{GITHUB}:sub": subject, f"{GITHUB}:aud": audience}


REPOSITORY = "repo:example/payment-platform"
SUBJECTS = {
    f"{REPOSITORY}:pull_request": {"plan"},
    f"{REPOSITORY}:ref:refs/heads/main": {"plan"},
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
    assert trusts.keys() == {"plan", "deploy"}
    return {purpose for purpose, one in trusts.items() if evaluate(one.document, request) is Decision.ALLOW}


# What the plan role may do.


def test_the_plan_role_reads_only() -> None:
    levels = {
        action: {one["access_level"] for one in get_action_data(*action.split(":"))[action.split(":")[0]]}
        for grant in PLAN
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


@pytest.mark.parametrize("action", ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"])
def test_secrets_are_denied_to_the_plan_role_and_not_just_not_allowed(
    of_delivery: dict[str, Role], action: str
) -> None:
    secret = f"arn:aws:secretsmanager:us-east-2:{ACCOUNT}:secret:payments/local/database/master-A1b2C3"
    assert Decision.DENY in {evaluate(one, asked(action, secret)) for one in of_delivery["plan"].documents}


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


def test_the_deploy_role_does_within_the_boundary_what_it_is_for(of_delivery: dict[str, Role]) -> None:
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


# The boundary of the platform's roles.


def test_every_role_has_a_boundary_and_those_of_the_platform_the_platforms(platform: Synthesized) -> None:
    bounds = {path_of(one): one.get("permissions_boundary", "") for one in platform.resources("aws_iam_role").values()}
    assert len(bounds) > 20
    for path, bound in bounds.items():
        if "/configuration" in path:
            continue  # AWS Config's, which looks at everything by AWS's policy, and is an administrator's to change
        assert ("boundary-policy" if "/delivery/" in path else "role-boundary_policy") in bound, path


def test_the_boundary_leaves_every_role_what_its_policies_allow(all_policies: list[Policy]) -> None:
    (boundary,) = [one for one in all_policies if "role-boundary" in one.owner]
    patterns = [one.lower() for one in boundary.statements[0]["Action"]]
    missing = {
        action
        for policy in all_policies
        if policy.use == IDENTITY and "_delivery_" not in policy.owner
        if "_configuration" not in policy.owner
        for statement in policy.statements
        for action in statement["Action"]
        if statement["Effect"] == "Allow" and not any(fnmatchcase(action.lower(), one) for one in patterns)
    }
    assert missing == set(), "say in BOUNDS of modules/delivery/permissions_boundary.py who needs them"


@pytest.mark.parametrize(
    "action",
    [
        "iam:CreateRole",
        "iam:PutRolePolicy",
        "iam:AttachRolePolicy",
        "iam:CreateUser",
        "sts:AssumeRole",
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "s3:PutBucketPolicy",
        "secretsmanager:DeleteSecret",
        "secretsmanager:PutResourcePolicy",
        "lambda:UpdateFunctionCode",
        "ecs:RegisterTaskDefinition",
        "ec2:RunInstances",
        "organizations:LeaveOrganization",
    ],
)
def test_no_role_of_the_platform_can_be_given(all_policies: list[Policy], action: str) -> None:
    (boundary,) = [one for one in all_policies if "role-boundary" in one.owner]
    assert evaluate(boundary.document, asked(action, "arn:aws:x:::y")) is not Decision.ALLOW


def test_no_role_of_the_platform_touches_the_state_or_passes_who_deploys(all_policies: list[Policy]) -> None:
    (boundary,) = [one for one in all_policies if "role-boundary" in one.owner]
    for request in (
        asked("s3:GetObject", f"{STATE}/payments/local/terraform.tfstate"),
        asked("iam:PassRole", DEPLOY_ROLE),
    ):
        assert evaluate(boundary.document, request) is Decision.DENY


def test_roles_are_passed_to_the_services_that_roles_trust(all_policies: list[Policy]) -> None:
    trusted = {
        name
        for policy in all_policies
        if policy.use == TRUST
        for statement in policy.statements
        for name in statement["Principal"].get("Service", [])
    }
    passed_by_rds = {"export.rds.amazonaws.com"}  # the export's machine passes it, not who deploys
    by_an_administrator = {"cloudtrail.amazonaws.com", "config.amazonaws.com"}  # roles of the audit
    assert trusted - passed_by_rds - by_an_administrator == set(PASSED_TO)


# The record.


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


def test_a_session_of_a_role_is_held_against_that_role_and_others_than_terraform_against_none(held: Any) -> None:
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


def test_what_nobody_called_is_idle_until_somebody_does(held: Any) -> None:
    assert "deploy: Queues: sqs:DeleteQueue" in held().idle
    once = held(call("sqs:CreateQueue", QueueName="payments-reports-local"))
    assert "deploy: Queues: sqs:CreateQueue" not in once.idle
    assert "deploy: Queues: sqs:DeleteQueue" in once.idle
    # What was refused does not count as made.
    assert "deploy: Queues: sqs:CreateQueue" in held(call("sqs:CreateQueue", QueueName="billing")).idle


def test_what_changes_delivery_is_an_administrators_and_the_deploy_role_is_refused_it(held: Any) -> None:
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


def test_what_watches_the_account_is_looked_at_and_an_administrators_to_change(held: Any) -> None:
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
    with pytest.raises(LookupError, match="plan and deploy"):
        roles(off.configuration, account_id=ACCOUNT)
