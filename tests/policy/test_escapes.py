"""Escape search: what roles could reach of other environments, by every action of AWS's reference (W8.1).

Two environments share an account: one of a pull request beside another. Whatever the deploy role has, and whatever a
role of the platform could be given within its boundary, is tried on what is named and tagged as the neighbour's: every
action that changes something, grants, shares, passes or invokes, and every one that reads data. What is allowed has a
reason in a table here, and a reason that nothing needs is refused.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase

import pytest
from pydantic import TypeAdapter, ValidationError

from iam import reference
from iam.evaluation import Decision, Request, evaluate
from iam.synthesized import Policy
from policy.delivery import Role
from settings.naming import Names
from settings.platform import EnvironmentSuffix
from tests.policy.delivery_support import ACCOUNT, ROLE_BOUNDARY, asked

pytestmark = pytest.mark.requirement("W8.1")

NEIGHBOUR = Names("payments", "pr-7", ACCOUNT)
NAMESAKE = Names("payments", "local2", ACCOUNT)  # whose names begin, and end, as those of local do
NEIGHBOURS_TAGS = {"aws_ResourceTag__environment_suffix": "pr-7", "aws_ResourceTag__platform": "payments"}
FILLERS = tuple(
    name
    for names in (NEIGHBOUR, NAMESAKE)
    for name in (
        names.of("database"),
        names.secret("database/master"),
        names.log_group("web"),
        names.bucket("backups", "us-east-2"),
    )
)
CHANGES = {"Write", "Permissions management", "Tagging"}
# Actions that read what is kept rather than how it is set up.
DATA = {
    "cloudfront:GetFunction",
    "dynamodb:GetItem",
    "ecr:BatchGetImage",
    "kms:Decrypt",
    "lambda:GetFunction",
    "logs:GetLogEvents",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "secretsmanager:GetSecretValue",
    "sqs:ReceiveMessage",
    "wafv2:GetRuleGroup",
}

# What a role of the platform could do to a neighbour within its boundary, and why AWS leaves no narrower way.
OF_THE_PLATFORM: Mapping[str, str] = {
    "cloudfront:CreateFunction": "AWS knows no resource of it; makes something new",
    "codedeploy:PutLifecycleEventHookExecutionStatus": "AWS knows no resource of it; it needs a hook's id",
    "ec2:*NetworkInterface": "Lambda's own check asks for it on everything; a function's code is denied it",
    "ec2:*PrivateIpAddresses": "Lambda's own check asks for it on everything; a function's code is denied it",
    "logs:*LogDelivery": "AWS knows no resource of it; workflows have their logs delivered",
    "logs:PutResourcePolicy": "AWS knows no resource of it; it lets services write, and nobody read",
    "ssmmessages:*": "AWS knows no resource of it; a channel is that of the task which opens it",
    "xray:Put*": "AWS knows no resource of it; it adds traces",
}
# What the deploy role could do to a neighbour.
OF_WHO_DEPLOYS: Mapping[str, str] = {
    "acm:RequestCertificate": "makes something new",
    "backup-storage:MountCapsule": "AWS knows no resource of it; asked for when a vault is made",
    "cloudfront:Create*": "makes something new",
    "cloudfront:*Policy": "known by ids, and without tags",
    "cloudfront:*OriginAccessControl": "known by ids, and without tags",
    "codedeploy:StopDeployment": "AWS knows no resource of it, and a deployment by its id",
    "ecr:PutReplicationConfiguration": "an account has one: the environment that owns the account makes it",
    "ecs:DeregisterTaskDefinition": "AWS knows no resource of it; what runs goes on running",
    "elasticloadbalancing:SetWebAcl": "AWS knows no resource of it; the web ACL must be the environment's",
    "kms:CreateKey": "makes something new",
    "logs:*LogDelivery": "AWS knows no resource of it",
    "logs:PutResourcePolicy": "AWS knows no resource of it; it lets services write, and nobody read",
    "route53:*": "known by ids, and without tags; an environment may have its names in a zone of others",
    "sns:Unsubscribe": "AWS knows no resource of it",
    "wafv2:*WebACL": "on AWS's own groups of rules, which are everybody's",
}


def services_of(documents: Iterator[Mapping[str, object]]) -> set[str]:
    actions = (
        action
        for document in documents
        for statement in document["Statement"]  # type: ignore[attr-defined]
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
    )
    return {action.partition(":")[0] for action in actions} - {"*"}


def attempts(services: set[str]) -> Iterator[Request]:
    """Each action of these services that changes something or reads data, on each resource of a neighbour."""
    for action in itertools.chain.from_iterable(reference.actions_of_service(one) for one in sorted(services)):
        if reference.access_level(action) not in CHANGES and action not in DATA:
            continue
        for pattern in reference.all_resource_patterns(action):
            for resource in neighbours(pattern) if pattern != "*" else ["*"]:
                tags = NEIGHBOURS_TAGS if pattern != "*" and reference.knows_tags(action) else {}
                yield untagged(asked(action, resource, **tags), keep=bool(tags))


def untagged(request: Request, *, keep: bool) -> Request:
    if keep:
        return request
    context = {key: value for key, value in request.context.items() if not key.startswith("aws:ResourceTag/")}
    return Request(action=request.action, resource=request.resource, principal="nobody", context=context)


def neighbours(pattern: str) -> list[str]:
    place = {"Partition": "aws", "Region": "us-east-2", "Account": ACCOUNT}

    def filled(filler: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda match: place.get(match[1], filler), pattern)

    return sorted({filled(one) for one in FILLERS})


def found(allows: Callable[[Request], bool], services: set[str]) -> set[str]:
    return {request.action for request in attempts(services) if allows(request)}


def unexplained(actions: set[str], reasons: Mapping[str, str]) -> set[str]:
    return {action for action in actions if not any(fnmatchcase(action, one) for one in reasons)}


SUFFIXES = ("local", "staging", "pr-7", "pr-42", "pr-staging", "a-local", "7", "42", "s2-2x", "x-s2")


def test_no_environments_names_end_as_anothers_do() -> None:
    """Permissions are for names that end with a hyphen and the suffix; a pattern takes in nothing of another's."""
    allowed = [one for one in SUFFIXES if is_suffix(one)]
    assert {"local", "staging", "pr-7", "pr-42"} <= set(allowed)
    both = [(one, other) for one in allowed for other in allowed if other.endswith(f"-{one}")]
    assert both == []


def is_suffix(text: str) -> bool:
    try:
        TypeAdapter(EnvironmentSuffix).validate_python(text)
    except ValidationError:
        return False
    return True


def test_role_within_the_platforms_boundary_reaches_no_neighbour(all_policies: list[Policy]) -> None:
    (boundary,) = [one for one in all_policies if "role-boundary" in one.owner]
    reached = found(
        lambda request: evaluate(boundary.document, request) is Decision.ALLOW, services_of(iter([boundary.document]))
    )
    assert unexplained(reached, OF_THE_PLATFORM) == set()
    assert {one for one in OF_THE_PLATFORM if not any(fnmatchcase(action, one) for action in reached)} == set()


OWN_BACKUP = "arn:aws:s3:::payments-backups-local-123456789012-us-east-2/exports/payments-database-local/1.parquet"
KEEPERS = ("payments-snapshot-export-local", "payments-backups-replication-local")


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


@pytest.mark.parametrize("name", ["payments-web-task-us-east-2-local", "payments-prepare-database-us-east-2-local"])
@pytest.mark.parametrize("action", ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObjectVersion"])
def test_only_those_that_keep_objects_reach_them(all_policies: list[Policy], name: str, action: str) -> None:
    (boundary,) = [one for one in all_policies if "role-boundary" in one.owner]
    more = {"aws_ResourceAccount": ACCOUNT}
    for keeper in KEEPERS:
        by_keeper = asked(action, OWN_BACKUP, aws_PrincipalArn=role(keeper), **more)
        assert evaluate(boundary.document, by_keeper) is Decision.ALLOW
    by_another = asked(action, OWN_BACKUP, aws_PrincipalArn=role(name), **more)
    assert evaluate(boundary.document, by_another) is not Decision.ALLOW


@pytest.mark.parametrize("account", ["999999999999", "111122223333"])
def test_no_object_goes_to_a_bucket_of_another_account_that_has_our_name(
    all_policies: list[Policy], account: str
) -> None:
    (boundary,) = [one for one in all_policies if "role-boundary" in one.owner]
    request = asked("s3:ReplicateObject", OWN_BACKUP, aws_PrincipalArn=role(KEEPERS[1]), aws_ResourceAccount=account)
    assert evaluate(boundary.document, request) is Decision.DENY


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        *((action, role(one)) for action in ("iam:CreateRole", "iam:UpdateAssumeRolePolicy") for one in KEEPERS),
        ("s3:PutBucketPolicy", "arn:aws:s3:::payments-backups-local-123456789012-us-east-2"),
        ("kms:PutKeyPolicy", f"arn:aws:kms:us-east-2:{ACCOUNT}:key/1234"),
        ("rds:ModifyDBClusterSnapshotAttribute", f"arn:aws:rds:us-east-2:{ACCOUNT}:cluster-snapshot:awsbackup:1"),
        ("ec2:CreateTags", f"arn:aws:ec2:us-east-2:{ACCOUNT}:vpc/vpc-1|pr-7"),
        ("kms:TagResource", f"arn:aws:kms:us-east-2:{ACCOUNT}:key/1|pr-7"),
    ],
)
def test_deploy_role_can_grant_no_permission_that_it_is_denied(
    of_delivery: dict[str, Role], action: str, resource: str
) -> None:
    arn, _, neighbour = resource.partition("|")
    bounded = {"iam_PermissionsBoundary": ROLE_BOUNDARY}
    tags = {"aws_ResourceTag__environment_suffix": neighbour} if neighbour else {}
    assert not of_delivery["deploy"].allows(asked(action, arn, **bounded, **tags))


# What the provider calls as soon as it has made something, when AWS may not know its tags yet.
AT_ONCE = (
    ("kms:EnableKeyRotation", f"arn:aws:kms:us-east-2:{ACCOUNT}:key/1"),
    ("kms:DescribeKey", f"arn:aws:kms:us-east-2:{ACCOUNT}:key/1"),
    ("kms:GetKeyPolicy", f"arn:aws:kms:us-east-2:{ACCOUNT}:key/1"),
    ("kms:GetKeyRotationStatus", f"arn:aws:kms:us-east-2:{ACCOUNT}:key/1"),
    ("kms:ListResourceTags", f"arn:aws:kms:us-east-2:{ACCOUNT}:key/1"),
    ("kms:CreateAlias", f"arn:aws:kms:us-east-2:{ACCOUNT}:key/1"),
    ("kms:CreateGrant", f"arn:aws:kms:us-east-2:{ACCOUNT}:key/1"),
    ("kms:GenerateDataKey", f"arn:aws:kms:us-east-2:{ACCOUNT}:key/1"),
    ("acm:DescribeCertificate", f"arn:aws:acm:us-east-2:{ACCOUNT}:certificate/1"),
    ("acm:ListTagsForCertificate", f"arn:aws:acm:us-east-2:{ACCOUNT}:certificate/1"),
    ("cloudfront:GetDistribution", f"arn:aws:cloudfront::{ACCOUNT}:distribution/1"),
    ("cloudfront:AllowVendedLogDeliveryForResource", f"arn:aws:cloudfront::{ACCOUNT}:distribution/1"),
)


@pytest.mark.parametrize(("action", "resource"), AT_ONCE)
def test_calls_after_a_creation_need_no_tags_and_are_refused_for_other_environments(
    of_delivery: dict[str, Role], action: str, resource: str
) -> None:
    via = {"kms_ViaService": "secretsmanager.us-east-2.amazonaws.com"}
    assert of_delivery["deploy"].allows(untagged(asked(action, resource, **via), keep=False))
    assert not of_delivery["deploy"].allows(asked(action, resource, **via, **NEIGHBOURS_TAGS))


def test_deploy_role_reaches_no_neighbour(of_delivery: dict[str, Role]) -> None:
    deploy = of_delivery["deploy"]
    reached = found(deploy.allows, services_of(iter(deploy.documents)))
    assert unexplained(reached, OF_WHO_DEPLOYS) == set()
    assert {one for one in OF_WHO_DEPLOYS if not any(fnmatchcase(action, one) for action in reached)} == set()
