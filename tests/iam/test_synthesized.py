"""Every IAM policy of the platform, read by linters that know AWS's actions: least privilege."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
from policy_sentry.querying.actions import get_actions_that_support_wildcard_arns_only

from iam.synthesized import ENDPOINT, IDENTITY, TRUST, Policy, UnknownReferenceError, as_identity_policy, policies
from tests.synthesized import Synthesized

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # parliament imports pkg_resources, which says of itself that it is deprecated
    from cloudsplaining.scan.policy_document import PolicyDocument
    from parliament import analyze_policy_string

# What parliament finds and is wrong about: issue, part of the detail, and why.
MISTAKEN = [
    ("RESOURCE_STAR", "cloudfront:Create", "they know no resource by now; parliament's list is older"),
    ("MISMATCHED_TYPE", "s3:TlsVersion", "1.2 is a number; parliament knows whole ones only"),
    ("MISMATCHED_TYPE_BUT_USABLE", "StringNotEquals requires a value of type String but given Arn", "usable"),
    ("MISMATCHED_TYPE", "ArnLike requires a value of type Arn but given String", "an encryption context may be an ARN"),
    ("UNKNOWN_CONDITION_FOR_ACTION", "lambda:SourceFunctionArn", "AWS documents it for this denial: whose code calls"),
    ("UNKNOWN_CONDITION_FOR_ACTION", "s3:TlsVersion", "every request to S3 has one, also those without an object"),
    ("RESOURCE_MISMATCH", "ecs:CreateTaskSet", "it knows task sets by now; parliament's list is older"),
    ("RESOURCE_MISMATCH", "ecs:DeleteTaskSet", "as CreateTaskSet"),
    ("RESOURCE_MISMATCH", "elasticloadbalancing:Modify", "of the forms that an ARN may have, one is enough"),
    ("RESOURCE_MISMATCH", "PrivateIpAddresses", "Lambda checks it on all resources of the account"),
    ("RESOURCE_MISMATCH", "NetworkInterface", "as above"),
    ("RESOURCE_MISMATCH", "rds:DeleteDBCluster", "the snapshot is one that a deletion may leave: here it must not"),
    ("RESOURCE_MISMATCH", "s3:GetObjectAttributes", "of the forms that an ARN may have, one is enough"),
    ("RESOURCE_MISMATCH", "kms:CreateAlias", "an alias needs the permission on the key as well"),
]
CRITICAL = ("web", "payments")
# Services that document no key for whom they act; their roles can touch nothing but what is named in them.
WITHOUT_SOURCE = {
    "backup.amazonaws.com",
    "cloudtrail.amazonaws.com",
    "codedeploy.amazonaws.com",
    "export.rds.amazonaws.com",
    "lambda.amazonaws.com",
    "s3.amazonaws.com",
}
# Services that document for which account they act, and not for which resource.
WITHOUT_SOURCE_ARN = {"config.amazonaws.com"}
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
# What AWS lets nobody narrow to a resource: action, and what a role needs it for.
EVERYTHING = {
    "cloudfront:CreateFunction": "it knows no resource; the function's name is that of the others of its statement",
    "codedeploy:PutLifecycleEventHookExecutionStatus": "the smoke test judges a release by the id of a hook under way",
    "ec2:DescribeNetworkInterfaces": "functions in the VPC find network interfaces, their own or the load balancer's",
    "ec2:DescribeSubnets": "Lambda looks where a function stands",
    "ecr:GetAuthorizationToken": "Fargate logs in to the registry before it pulls",
    "elasticloadbalancing:DescribeListeners": "CodeDeploy looks where traffic goes",
    "elasticloadbalancing:DescribeRules": "likewise",
    "elasticloadbalancing:DescribeTargetGroups": "likewise",
    "logs:CreateLogDelivery": "Step Functions has a workflow's logs delivered, as its role",
    "logs:DeleteLogDelivery": "likewise",
    "logs:DescribeLogGroups": "ECS Exec finds the log of sessions; Step Functions that of a workflow",
    "logs:DescribeResourcePolicies": "Step Functions looks whether logs may be delivered",
    "logs:GetLogDelivery": "likewise",
    "logs:ListLogDeliveries": "likewise",
    "logs:PutResourcePolicy": "Step Functions lets the delivery write into the workflow's log group",
    "logs:UpdateLogDelivery": "likewise",
    "secretsmanager:GetRandomPassword": "a rotation has its new password made; it belongs to no secret yet",
    "ssmmessages:CreateControlChannel": "ECS Exec opens a session in a task",
    "ssmmessages:CreateDataChannel": "likewise",
    "ssmmessages:OpenControlChannel": "likewise",
    "ssmmessages:OpenDataChannel": "likewise",
    "tag:GetResources": "AWS Backup finds what bears the plan's tag",
    "xray:GetSamplingRules": "Step Functions traces a workflow, as its role",
    "xray:GetSamplingTargets": "likewise",
    "xray:PutTelemetryRecords": "likewise",
    "xray:PutTraceSegments": "likewise",
    "wafv2:ListRuleGroups": "it knows no resource; the function finds the rule group that it has made by its name",
}
# All of a kind, where a name does not exist before the action: the pattern, and why.
ALL_OF_A_KIND = {
    r"rds:cluster(-snapshot)?:\*": "an export is followed by its name, which does not say whose snapshot it is of",
    r"ec2:\*/\*": "Lambda checks at creation whether the role may manage network interfaces, on all resources",
    r"cloudwatch:alarm:\*": "CodeDeploy polls its alarms, and CloudWatch asks for all, whichever are named",
}
KIND = re.compile(r"arn:aws:(?!s3:)(?P<service>[\w-]+):[\w-]*:\d*:(?P<kind>(?:(?:[\w-]+|\*)[/:])?\*)")
# Who may pass which roles, by the ids and names that they have: a release hands tasks the roles of its own service.
PASSES = [
    (
        r"aws_iam_role_policy\.(?P<place>primary|recovery)_services_(?P<service>[\w-]+)-release_policy_\w+",
        "payments-{service}-(task|execution)-{region}-local",
    ),
    (
        r"aws_iam_role_policy\.(?P<place>primary)_snapshot-export_machine-policy_\w+",
        "payments-snapshot-export-local",
    ),
]
REGIONS = {"primary": "us-east-2", "recovery": "us-west-2"}


@pytest.fixture(scope="module")
def all_policies(platform: Synthesized) -> list[Policy]:
    """Those of the platform; who deploys it is held to rules of its own (tests/policy/test_delivery_grants.py)."""
    found = policies(platform.configuration, account_id="123456789012")
    return [policy for policy in found if "_delivery_" not in policy.owner]


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


def never_allowed(policy: Policy) -> list[str]:
    """The actions that know no resource, and that a policy allows on a resource: AWS denies them all the same."""
    return [
        f"{policy.owner}: {action}"
        for statement in policy.statements
        if statement["Effect"] == "Allow" and "*" not in statement["Resource"]
        for action in statement["Action"]
        if action in get_actions_that_support_wildcard_arns_only(action.split(":")[0])
    ]


def stars(policy: Policy) -> list[str]:
    """The actions that a policy allows on everything although AWS could narrow them."""
    allowed = [statement for statement in policy.statements if statement["Effect"] == "Allow"]
    actions = [action for statement in allowed if "*" in statement["Resource"] for action in statement["Action"]]
    return [
        action for action in actions if action not in get_actions_that_support_wildcard_arns_only(action.split(":")[0])
    ]


def allowed(policies: list[Policy]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Whose it is, and the statement, for all that roles are allowed."""
    for policy in policies:
        if policy.use == IDENTITY:
            yield from ((policy.owner, one) for one in policy.statements if one["Effect"] == "Allow")


def kinds(policies: list[Policy]) -> set[str]:
    """The kinds of which a role may act on all there are, as service:kind."""
    found = (KIND.fullmatch(resource) for _, one in allowed(policies) for resource in one["Resource"])
    return {f"{match['service']}:{match['kind']}" for match in found if match}


def passed(policies: list[Policy]) -> list[str]:
    """What is wrong with the roles that roles may pass, a line each."""
    trusts = {str(one.document["Statement"][0]["Principal"]["Service"][0]): one for one in policies if one.use == TRUST}
    found = []
    for owner, statement in allowed(policies):
        if not any(fnmatchcase("iam:PassRole", action) for action in statement["Action"]):
            continue
        rules = [(match, roles) for pattern, roles in PASSES if (match := re.fullmatch(pattern, owner))]
        to = statement.get("Condition", {}).get("StringEquals", {}).get("iam:PassedToService")
        if not trusts.keys() & set(to if isinstance(to, list) else [to]):
            found.append(f"{owner} passes roles to {to}")
        for resource in statement["Resource"]:
            name = resource.partition(":role/")[2]
            own = [roles.format(**match.groupdict(), region=REGIONS[match["place"]]) for match, roles in rules]
            if not any(re.fullmatch(roles, name) for roles in own):
                found.append(f"{owner} passes {resource}")
    return found


def identity_policy(statement: dict[str, Any]) -> Policy:
    return Policy(
        owner="aws_iam_role_policy.x", use=IDENTITY, document={"Version": "2012-10-17", "Statement": [statement]}
    )


@pytest.mark.requirement("W2.1")
def test_actions_without_resources_are_allowed_on_everything(all_policies: list[Policy]) -> None:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"""
    identity = [policy for policy in all_policies if policy.use == IDENTITY]
    assert len(identity) > 30
    assert [found for policy in identity for found in never_allowed(policy)] == []


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
@pytest.mark.requirement("W6.1")
def test_permissions_on_all_resources_are_listed_with_a_reason(all_policies: list[Policy]) -> None:
    """What AWS cannot narrow is still a choice: another action of this kind needs a reason here, and none is idle."""
    everything = {action for _, one in allowed(all_policies) if "*" in one["Resource"] for action in one["Action"]}
    assert everything == EVERYTHING.keys()
    patterns = {kind: [one for one in ALL_OF_A_KIND if re.fullmatch(one, kind)] for kind in kinds(all_policies)}
    assert sorted(kind for kind, matching in patterns.items() if not matching) == []
    assert {one for matching in patterns.values() for one in matching} == ALL_OF_A_KIND.keys()


@pytest.mark.requirement("W4.5")
@pytest.mark.requirement("W1.5")
def test_no_role_may_pass_other_roles_than_those_of_its_own_service(all_policies: list[Policy]) -> None:
    assert passed(all_policies) == []
    passing = [owner for owner, one in allowed(all_policies) if "iam:PassRole" in one["Action"]]
    assert len(passing) == len(REGIONS) * len(CRITICAL) + 1  # the export of snapshots


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
            if statement["Principal"]["Service"][0] not in WITHOUT_SOURCE_ARN:
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


def passing(role: str, to: str = "ecs-tasks.amazonaws.com", action: str = "iam:PassRole") -> Policy:
    condition = {"StringEquals": {"iam:PassedToService": to}} if to else {}
    return Policy(
        owner="aws_iam_role_policy.primary_services_web-release_policy_ABCDEF12",
        use=IDENTITY,
        document={
            "Statement": [
                {
                    "Sid": "X",
                    "Effect": "Allow",
                    "Action": [action],
                    "Resource": [f"arn:aws:iam::123456789012:role/{role}"],
                    "Condition": condition,
                }
            ]
        },
    )


@pytest.mark.parametrize(
    "policy",
    [
        passing("payments-payments-task-us-east-2-local"),
        passing("payments-web-task-us-west-2-local"),
        passing("payments-web-*"),
        passing("*"),
        passing("*", action="iam:*"),
        passing("payments-web-task-us-east-2-local", to=""),
        passing("payments-web-task-us-east-2-local", to="ec2.amazonaws.com"),
    ],
)
def test_another_role_that_could_be_passed_is_noticed(all_policies: list[Policy], policy: Policy) -> None:
    trusts = [one for one in all_policies if one.use == TRUST]
    assert len(passed([*trusts, policy])) == 1
    assert passed([*trusts, passing("payments-web-task-us-east-2-local")]) == []


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ("arn:aws:sqs:us-east-2:123456789012:*", "sqs:*"),
        ("arn:aws:iam::123456789012:role/*", "iam:role/*"),
        ("arn:aws:secretsmanager:us-east-2:123456789012:secret:*", "secretsmanager:secret:*"),
        ("arn:aws:sqs:us-east-2:123456789012:payments-*", None),
        ("arn:aws:logs:us-east-2:123456789012:log-group:/payments/local/web:*", None),
        ("arn:aws:s3:::payments-logs/*", None),
    ],
)
def test_all_of_a_kind_is_noticed(resource: str, kind: str | None) -> None:
    statement = {"Sid": "X", "Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": [resource]}
    assert kinds([identity_policy(statement)]) == ({kind} if kind else set())


@pytest.mark.parametrize(
    ("actions", "resources"),
    [
        (["sqs:SendMesage"], ["arn:aws:sqs:us-east-2:123456789012:q"]),
        (["s3:GetObject"], ["arn:aws:s3:::bucket"]),
        (["s3:GetObject"], ["arn:aws:s4:::bucket/*"]),
    ],
)
def test_parliament_reports_unknown_actions_and_mismatched_resources(actions: list[str], resources: list[str]) -> None:
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
