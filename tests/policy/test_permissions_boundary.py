"""Permissions boundary of the platform's roles: covers what their policies allow, and no escalation (W8.1)."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from iam.evaluation import Decision, evaluate
from iam.synthesized import IDENTITY, TRUST, Policy
from modules.delivery.permissions.security import PASSED_TO
from tests.policy.delivery_support import (
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
