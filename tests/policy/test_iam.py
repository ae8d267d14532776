"""Every IAM policy of the platform, read by linters that know AWS's actions: least privilege."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

import pytest
from policy_sentry.querying.actions import get_actions_that_support_wildcard_arns_only

from policy.iam import ENDPOINT, IDENTITY, TRUST, Policy, UnknownReferenceError, as_identity_policy, policies
from tests.synthesized import Synthesized

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # parliament imports pkg_resources, which says of itself that it is deprecated
    from cloudsplaining.scan.policy_document import PolicyDocument
    from parliament import analyze_policy_string

# What parliament finds and is wrong about: issue, part of the detail, and why.
MISTAKEN = [
    ("MISMATCHED_TYPE", "s3:TlsVersion", "1.2 is a number; parliament knows whole ones only"),
    ("MISMATCHED_TYPE_BUT_USABLE", "StringNotEquals requires a value of type String but given Arn", "usable"),
    ("MISMATCHED_TYPE", "ArnLike requires a value of type Arn but given String", "an encryption context may be an ARN"),
    ("UNKNOWN_CONDITION_FOR_ACTION", "s3:TlsVersion", "every request to S3 has one, also those without an object"),
    ("RESOURCE_MISMATCH", "ecs:CreateTaskSet", "it knows task sets by now; parliament's list is older"),
    ("RESOURCE_MISMATCH", "ecs:DeleteTaskSet", "as CreateTaskSet"),
    ("RESOURCE_MISMATCH", "elasticloadbalancing:Modify", "of the forms that an ARN may have, one is enough"),
    ("RESOURCE_MISMATCH", "kms:CreateAlias", "an alias needs the permission on the key as well"),
]
# Services that document no key for whom they act; their roles can touch nothing but what is named in them.
WITHOUT_SOURCE = {"s3.amazonaws.com", "codedeploy.amazonaws.com", "lambda.amazonaws.com"}
# What cloudsplaining counts as a risk and a role must have: risk, action, and why.
NEEDED = [("credentials_exposure", "ecr:GetAuthorizationToken", "Fargate logs in to the registry before it pulls")]
RISKS = [
    "allows_privilege_escalation",
    "credentials_exposure",
    "permissions_management_without_constraints",
    "infrastructure_modification",
    "allows_data_exfiltration_actions",
    "service_wildcard",
]


@pytest.fixture(scope="module")
def all_policies(platform: Synthesized) -> list[Policy]:
    return list(policies(platform.configuration, account_id="123456789012"))


def findings(policy: Policy) -> list[str]:
    """What parliament says of a policy, less what it is mistaken about."""
    found = analyze_policy_string(as_identity_policy(policy), include_community_auditors=False).findings
    return [
        f"{policy.owner}: {finding.issue} {finding.detail}"
        for finding in found
        if not any(finding.issue == issue and part in str(finding.detail) for issue, part, _ in MISTAKEN)
    ]


def risks(policy: Policy) -> dict[str, Any]:
    """What cloudsplaining says that a policy allows beyond what it should."""
    document = PolicyDocument(policy.document)
    needed = {(risk, action) for risk, action, _ in NEEDED}
    found = {risk: [one for one in getattr(document, risk) if (risk, str(one)) not in needed] for risk in RISKS}
    return {risk: actions for risk, actions in found.items() if actions}


def stars(policy: Policy) -> list[str]:
    """The actions that a policy allows on everything although AWS could narrow them."""
    allowed = [statement for statement in policy.statements if statement["Effect"] == "Allow"]
    actions = [action for statement in allowed if "*" in statement["Resource"] for action in statement["Action"]]
    return [
        action for action in actions if action not in get_actions_that_support_wildcard_arns_only(action.split(":")[0])
    ]


def identity_policy(statement: dict[str, Any]) -> Policy:
    return Policy(
        owner="aws_iam_role_policy.x", use=IDENTITY, document={"Version": "2012-10-17", "Statement": [statement]}
    )


@pytest.mark.requirement("W4.4")
@pytest.mark.requirement("W6.2")
def test_policies_name_actions_that_exist_and_resources_that_go_with_them(all_policies: list[Policy]) -> None:
    looked_at = [policy for policy in all_policies if policy.use not in {TRUST, ENDPOINT}]
    assert len(looked_at) > 20
    assert [line for policy in looked_at for line in findings(policy)] == []


@pytest.mark.requirement("W4.5")
def test_no_role_may_escalate_exfiltrate_or_manage_permissions(all_policies: list[Policy]) -> None:
    roles = [policy for policy in all_policies if policy.use == IDENTITY]
    assert roles
    assert {policy.owner: found for policy in roles if (found := risks(policy))} == {}


@pytest.mark.requirement("W4.5")
@pytest.mark.requirement("W6.1")
def test_no_role_acts_on_everything_where_aws_knows_resources(all_policies: list[Policy]) -> None:
    assert [(p.owner, action) for p in all_policies if p.use == IDENTITY for action in stars(p)] == []


@pytest.mark.requirement("W4.5")
def test_services_assume_roles_on_behalf_of_this_account_only(all_policies: list[Policy]) -> None:
    trusts = [policy for policy in all_policies if policy.use == TRUST]
    assert trusts
    for policy in trusts:
        for statement in policy.statements:
            assert set(statement["Principal"]) == {"Service"}
            if statement["Principal"]["Service"][0] in WITHOUT_SOURCE:
                continue
            assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == "123456789012"
            assert statement["Condition"]["ArnLike"]["aws:SourceArn"].startswith("arn:aws:")


def test_no_document_keeps_a_reference(all_policies: list[Policy]) -> None:
    assert not [policy.owner for policy in all_policies if "${" in json.dumps(policy.document)]


def test_references_become_arns_of_the_right_region(all_policies: list[Policy]) -> None:
    (policy,) = [p for p in all_policies if p.use == IDENTITY and "backups-replication" in p.owner]
    statements = {statement["Sid"]: statement for statement in policy.statements}
    assert statements["WriteReplicas"]["Resource"] == ["arn:aws:s3:::payments-backups-local-123456789012-us-west-2/*"]
    assert re.match(
        r"arn:aws:kms:us-west-2:123456789012:key/[0-9a-f-]{36}$", statements["EncryptReplicas"]["Resource"][0]
    )


def test_a_type_without_an_arn_form_is_named(platform: Synthesized) -> None:
    document = {"statement": [{"sid": "x", "actions": ["s3:GetObject"], "resources": ["${aws_vpc.v.arn}"]}]}
    configuration = platform.configuration | {"data": {"aws_iam_policy_document": {"d": document}}}
    configuration |= {"resource": {"aws_iam_policy": {"p": {"policy": "${data.aws_iam_policy_document.d.json}"}}}}
    with pytest.raises(UnknownReferenceError, match=r"aws_vpc\.v\.arn"):
        list(policies(configuration, account_id="123456789012"))


def test_a_document_that_nothing_uses_is_named(platform: Synthesized) -> None:
    configuration = platform.configuration | {"data": {"aws_iam_policy_document": {"lost": {"statement": []}}}}
    configuration |= {"resource": {}}
    with pytest.raises(LookupError, match="lost"):
        list(policies(configuration, account_id="123456789012"))


@pytest.mark.parametrize(
    ("actions", "resources"),
    [
        (["sqs:SendMesage"], ["arn:aws:sqs:us-east-2:123456789012:q"]),
        (["s3:GetObject"], ["arn:aws:s3:::bucket"]),
        (["s3:GetObject"], ["arn:aws:s4:::bucket/*"]),
    ],
)
def test_parliament_notices_what_does_not_exist_or_go_together(actions: list[str], resources: list[str]) -> None:
    assert findings(identity_policy({"Sid": "X", "Effect": "Allow", "Action": actions, "Resource": resources}))


@pytest.mark.parametrize(
    "actions", [["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"], ["s3:*"], ["s3:GetObject"]]
)
def test_cloudsplaining_notices_too_much(actions: list[str]) -> None:
    assert risks(identity_policy({"Sid": "X", "Effect": "Allow", "Action": actions, "Resource": ["*"]}))


def test_an_action_on_everything_is_noticed_where_aws_knows_resources() -> None:
    statement = {"Sid": "X", "Effect": "Allow", "Resource": ["*"]}
    assert stars(identity_policy(statement | {"Action": ["sqs:SendMessage"]})) == ["sqs:SendMessage"]
    assert stars(identity_policy(statement | {"Action": ["logs:DescribeLogGroups"]})) == []
