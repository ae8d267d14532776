"""Grants of the plan and deploy roles: existing actions on resources that they know, within IAM's quotas (W8.1)."""

from __future__ import annotations

import json
import re
import warnings
from fnmatch import fnmatchcase

import pytest
from policy_sentry.querying.actions import get_action_data

from iam.synthesized import BOUNDARY, IDENTITY, Policy, as_identity_policy, policies
from modules.delivery.permissions.deploy import DEPLOY
from modules.delivery.permissions.drift import DRIFT
from modules.delivery.permissions.grants import Grant
from modules.delivery.permissions.plan import PLAN
from tests.policy.delivery_support import (
    ACCOUNT,
)
from tests.synthesized import local_with, synthesize

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # parliament imports pkg_resources, which says of itself that it is deprecated
    from parliament import analyze_policy_string

pytestmark = pytest.mark.requirement("W8.1")

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
    ("RESOURCE_MISMATCH", "kms:DeleteAlias", "key and alias stand in a statement each, under different conditions"),
    ("RESOURCE_MISMATCH", "rds:DeleteDBCluster", "cluster and snapshot stand in a statement each"),
    ("RESOURCE_STAR", "cloudfront:Create", "they know no resource by now; parliament's list is older"),
    ("UNKNOWN_ACTION", "WebACL", "actions of load balancers that are newer than parliament's list"),
    (
        "RESOURCE_POLICY_PRIVILEGE_ESCALATION",
        "s3:Put",
        "the boundary denies the objects to the role, whatever a bucket's policy says",
    ),
]


def test_every_action_is_granted_once_and_unrehearsed_ones_have_a_reason() -> None:
    for name, grant in GRANTS:
        assert len(grant.actions) == len(set(grant.actions)), name
        assert all(reason.strip() and actions.strip() for reason, actions in grant.unrehearsed.items()), name
        assert grant.actions, name
    sids = [grant.sid for all_ in DEPLOY.values() for grant in all_]
    assert len(sids) == len(set(sids))


@pytest.mark.parametrize(("name", "grant"), GRANTS)
def test_actions_exist_and_support_the_resource_types_of_their_statements(name: str, grant: Grant) -> None:
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
    assert len(looked_at) == len(DEPLOY) + 1 + len(DRIFT)
    found = [
        f"{policy.owner}: {one.issue} {one.detail}"
        for policy in looked_at
        for one in analyze_policy_string(as_identity_policy(policy), include_community_auditors=False).findings
        if not any(one.issue == issue and part in str(one.detail) for issue, part, _ in MISTAKEN)
    ]
    assert found == []


@pytest.mark.parametrize("names", [{}, {"name_prefix": "p" * 12, "environment_suffix": "s" * 2}])
def test_policies_fit_and_a_role_has_no_more_than_aws_attaches(names: dict[str, str]) -> None:
    longest = synthesize(local_with(**names))
    of_delivery = [
        one
        for one in policies(longest.configuration, account_id=ACCOUNT)
        if "_delivery_" in one.owner and one.use in {IDENTITY, BOUNDARY}
    ]
    lengths = {one.owner: len(json.dumps(one.document, separators=(",", ":"))) for one in of_delivery}
    assert {owner: length for owner, length in lengths.items() if length > LONGEST_POLICY} == {}
    assert len(DEPLOY) <= MOST_POLICIES
    assert len(DRIFT) + 1 <= MOST_POLICIES  # and the plan role's
