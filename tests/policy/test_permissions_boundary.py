"""Permissions boundary of the platform's roles: covers what their policies allow, and no escalation (W8.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from iam.evaluation import Decision, Request, evaluate
from iam.synthesized import IDENTITY, TRUST, Policy
from modules.delivery.permissions.security import PASSED_TO
from tests.policy.delivery_support import (
    ACCOUNT,
    DEPLOY_ROLE,
    STATE,
    asked,
)
from tests.synthesized import Synthesized, path_of

pytestmark = pytest.mark.requirement("W8.1")


def test_every_role_has_a_boundary_and_those_of_the_platform_the_platforms(platform: Synthesized) -> None:
    bounds = {path_of(one): one.get("permissions_boundary", "") for one in platform.resources("aws_iam_role").values()}
    assert len(bounds) > 20
    for path, bound in bounds.items():
        if "/configuration" in path:
            continue  # AWS Config's, which looks at everything by AWS's policy, and is an administrator's to change
        assert ("boundary-policy" if "/delivery/" in path else "role-boundary_policy") in bound, path


# Conditions that callers and services meet, where a statement of a role's policy does not name a value itself.
MET = {
    "aws:RequestedRegion": "us-east-2",
    "aws:ResourceAccount": ACCOUNT,
    "aws:ResourceTag/platform": "payments",
    "aws:ResourceTag/environment_suffix": "local",
}


def requests_of(platform: Synthesized, all_policies: list[Policy]) -> Iterator[Request]:
    """Each action on each resource that a role of the platform is allowed, as that role asks for it."""
    roles = platform.resources("aws_iam_role")
    for policy in all_policies:
        type_, _, id_ = policy.owner.partition(".")
        if policy.use != IDENTITY or type_ != "aws_iam_role_policy" or "_configuration-history" in id_:
            continue
        reference = platform.resources(type_)[id_]["role"]
        name = roles[reference.split(".")[1]]["name"]
        for statement in policy.statements:
            for action in statement["Action"] if statement["Effect"] == "Allow" else ():
                for resource in statement["Resource"]:
                    context = {**MET, **sent(statement), "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/{name}"}
                    yield Request(action=action, resource=resource, principal="nobody", context=context)


def sent(statement: dict[str, Any]) -> dict[str, str]:
    tests = statement.get("Condition", {}).values()
    return {key: values if isinstance(values, str) else values[0] for test in tests for key, values in test.items()}


@pytest.mark.parametrize("tags", ["known", "not known yet"])
def test_boundary_allows_every_action_that_a_roles_policies_allow(
    platform: Synthesized, all_policies: list[Policy], tags: str
) -> None:
    (boundary,) = [one for one in all_policies if "role-boundary" in one.owner]
    asked_for = list(requests_of(platform, all_policies))
    assert len(asked_for) > 200
    if tags == "not known yet":
        asked_for = [without_tags(one) for one in asked_for]
    missing = {
        f"{one.action} on {one.resource}" for one in asked_for if evaluate(boundary.document, one) is not Decision.ALLOW
    }
    assert missing == set(), "say in modules/delivery/permissions_boundary.py who needs them"


def without_tags(request: Request) -> Request:
    context = {key: value for key, value in request.context.items() if not key.startswith("aws:ResourceTag/")}
    return replace(request, context=context)


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


def test_no_role_of_the_platform_may_access_the_state_or_pass_the_deploy_role(all_policies: list[Policy]) -> None:
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
