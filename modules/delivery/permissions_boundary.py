"""Permissions boundary of the platform's roles: the limit of each, whatever its policies allow (W8.1).

Creates one managed policy, the boundary of every role of the stack except those of delivery. The deploy role writes the
policies of roles; without a boundary it could give them, and so itself, every permission. A validation of the stack
attaches the boundary before the configuration is written, so no module needs to know of it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import jsii
from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.iam_policy import IamPolicy
from cdktf_cdktf_provider_aws.iam_role import IamRole
from constructs import Construct, IValidation

from modules.delivery.permissions.grants import NOT_ANOTHERS, Reach, conditions
from modules.policy_documents import PolicyDocument, Statement, when
from settings.common import SETTLEMENT_PREFIX
from settings.naming import CONFIGURATION, KEEPERS, ROLE_BOUNDARY


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Actions of one AWS service that roles of the platform need, as patterns without the service, and the reason.

    ``on`` are the patterns of what they are allowed on: the environment's own names.
    """

    service: str
    actions: str
    on: tuple[str, ...]
    reason: str


# A role that calls another service needs a line here; tests/policy/test_permissions_boundary.py names what is missing,
# and tests/policy/test_escapes.py what reaches another environment.
NAMED = (
    Bound(
        service="backup",
        actions="Copy* DescribeBackupVault",
        on=("backup:*:{account}:backup-vault:{own}",),
        reason="copies of backups in the other region",
    ),
    Bound(
        service="cloudfront",
        actions="DeleteFunction DescribeFunction GetFunction PublishFunction UpdateFunction",
        on=("cloudfront::{account}:function/{own}",),
        reason="the origin secret's function for viewers",
    ),
    Bound(
        service="codedeploy",
        actions="GetDeployment",
        on=("codedeploy:*:{account}:deploymentgroup:{own}",),
        reason="the smoke test judges releases",
    ),
    Bound(
        service="ecr",
        actions="BatchCheck* BatchGetImage GetDownload*",
        on=("ecr:*:{account}:repository/{path}*",),
        reason="tasks start",
    ),
    Bound(
        service="ecs",
        actions="*TaskSet DescribeServices UpdateServicePrimaryTaskSet",
        on=("ecs:*:{account}:service/{own}", "ecs:*:{account}:task-set/{own}/*"),
        reason="releases",
    ),
    Bound(
        service="elasticloadbalancing",
        actions="ModifyListener ModifyRule",
        on=(
            "elasticloadbalancing:*:{account}:listener/app/{own}/*",
            "elasticloadbalancing:*:{account}:listener-rule/app/{own}/*",
        ),
        reason="releases shift traffic",
    ),
    Bound(
        service="lambda",
        actions="InvokeFunction",
        on=("lambda:*:{account}:function:{own}",),
        reason="releases ask the smoke test; event rules and queues",
    ),
    Bound(
        service="logs",
        actions="CreateLog* DescribeLogStreams GetLog* PutLogEvents PutRetentionPolicy",
        on=("logs:*:{account}:log-group:/{path}*", "logs:*:{account}:log-group:RDSOSMetrics:*"),
        reason="everything writes its log; RDS one of its own name",
    ),
    Bound(
        service="s3",
        actions="GetBucketLocation GetReplicationConfiguration ListBucket",
        on=("s3:::{own}-{account}-*",),
        reason="objects are replicated and written; only a deployment changes buckets",
    ),
    Bound(
        service="secretsmanager",
        actions="Describe* GetSecretValue List* PutSecretValue UpdateSecretVersionStage",
        on=("secretsmanager:*:{account}:secret:{path}*",),
        reason="passwords are read and rotated; only a deployment creates or deletes secrets",
    ),
    Bound(
        service="sns",
        actions="Publish",
        on=("sns:*:{account}:{own}",),
        reason="exports tell of their failures",
    ),
    Bound(
        service="sqs",
        actions="ChangeMessageVisibility DeleteMessage Get* ReceiveMessage SendMessage",
        on=("sqs:*:{account}:{own}",),
        reason="workers and functions take from queues",
    ),
    Bound(
        service="states",
        actions="StartExecution",
        on=("states:*:{account}:stateMachine:{own}",),
        reason="an event rule starts the export of snapshots",
    ),
    Bound(
        service="wafv2",
        actions="*RuleGroup TagResource",
        on=("wafv2:*:{account}:*/rulegroup/{own}/*",),
        reason="the origin secret's rule groups",
    ),
)
# What AWS knows by ids, or by names that AWS chooses: confined by the environment's tags. A key or a snapshot whose
# tags AWS does not know yet passes, another environment's does not.
TAGGED = (
    Bound(
        service="kms",
        actions="CreateGrant Decrypt DescribeKey Encrypt GenerateDataKey* ReEncrypt*",
        on=("kms:*:{account}:key/*",),
        reason="data is encrypted and decrypted; only a deployment changes keys",
    ),
    Bound(
        service="rds",
        actions="AddTags* Copy*Snapshot CreateDBClusterSnapshot Delete*Cluster Delete*Snapshot Describe* ListTags* "
        "RestoreDBClusterFromSnapshot StartExportTask",
        on=(
            "rds:*:{account}:cluster:{own}",
            "rds:*:{account}:cluster:awsbackup-restore-test-*",
            "rds:*:{account}:cluster-pg:*",
            "rds:*:{account}:cluster-snapshot:*",
            "rds:*:{account}:og:default*",
            "rds:*:{account}:subgrp:{own}",
        ),
        reason="backups, their exports and tests of restoring them",
    ),
)
# What AWS allows on everything or on nothing, and lists.
ANYWHERE = (
    Bound(service="cloudfront", actions="CreateFunction", on=(), reason="AWS knows no resource of it"),
    Bound(service="cloudwatch", actions="DescribeAlarms", on=(), reason="releases and scaling watch alarms"),
    Bound(service="codedeploy", actions="PutLifecycleEventHook*", on=(), reason="the smoke test judges releases"),
    Bound(
        service="ec2",
        actions="AssignPrivateIpAddresses CreateNetworkInterface DeleteNetworkInterface DescribeNetworkInterfaces "
        "DescribeSubnets UnassignPrivateIpAddresses",
        on=(),
        reason="Lambda runs functions in the VPC, and asks beforehand for the actions on everything",
    ),
    Bound(service="ecr", actions="GetAuthorizationToken", on=(), reason="tasks start"),
    Bound(service="elasticloadbalancing", actions="Describe*", on=(), reason="releases"),
    Bound(
        service="logs",
        actions="*LogDelivery DescribeLogGroups DescribeResourcePolicies ListLogDeliveries PutResourcePolicy",
        on=(),
        reason="workflows have their logs delivered",
    ),
    Bound(service="rds", actions="DescribeExportTasks", on=(), reason="exports are waited for"),
    Bound(service="secretsmanager", actions="GetRandomPassword", on=(), reason="passwords are rotated"),
    Bound(service="ssmmessages", actions="*", on=(), reason="ECS Exec opens sessions in tasks"),
    Bound(service="tag", actions="GetResources", on=(), reason="AWS Backup finds what bears the plan's tag"),
    Bound(service="wafv2", actions="ListRuleGroups", on=(), reason="the origin secret's rule groups"),
    Bound(
        service="xray",
        actions="GetSampling* PutTelemetryRecords PutTraceSegments",
        on=(),
        reason="traces",
    ),
)
KEPT = ("s3:DeleteObject*", "s3:GetObject*", "s3:PutObject*", "s3:Replicate*")
# The export's role is assumed by the last; who starts an export is asked for the one before.
PASSED_BY_ROLES = ("ecs-tasks.amazonaws.com", "rds.amazonaws.com", "export.rds.amazonaws.com")
INTERFACES = ["ec2:*NetworkInterface", "ec2:*PrivateIpAddresses"]


class PermissionsBoundary(Construct):
    """Managed policy that bounds the platform's roles."""

    requirements = ("W8.1",)

    def __init__(self, scope: Construct, id_: str, *, reach: Reach) -> None:
        """``reach`` names the environment's names, its regions, and the bucket of Terraform's state."""
        super().__init__(scope, id_)
        self.names = reach.names
        document = PolicyDocument(self, "document", statement=[*_allowed(reach), *_denied(reach)])
        self.policy = IamPolicy(
            self,
            "policy",
            name=self.names.of(ROLE_BOUNDARY),
            description="What the platform's roles may do at most, whatever their own policies say",
            policy=document.json,
        )


def _actions(bounds: Iterable[Bound]) -> list[str]:
    return [f"{bound.service}:{action}" for bound in bounds for action in bound.actions.split()]


def _on(bounds: Iterable[Bound], reach: Reach) -> list[str]:
    return [reach.fill(f"arn:aws:{pattern}") for bound in bounds for pattern in bound.on]


def _allowed(reach: Reach) -> list[Statement]:
    """A boundary grants nothing: policies of roles say who may do which of these, and on what.

    Actions of several services stand in one statement, as an action meets resources of its own service only.
    """
    fill = reach.fill
    return [
        Statement(sid="Own", actions=_actions(NAMED), resources=_on(NAMED, reach)),
        Statement(
            sid="OwnByTags",
            actions=_actions(TAGGED),
            resources=_on(TAGGED, reach),
            condition=conditions(NOT_ANOTHERS, reach),
        ),
        Statement(sid="Anywhere", actions=_actions(ANYWHERE), resources=["*"]),
        Statement(
            sid="ForwardedLogs",
            actions=["s3:GetObject", "s3:GetObjectVersion"],
            resources=[fill("arn:aws:s3:::{prefix}-logs-{suffix}-{account}-*/load-balancer/*")],
        ),
        Statement(
            sid="SettlementFiles",
            actions=["s3:GetObject"],
            resources=[fill(f"{{backups}}/{SETTLEMENT_PREFIX}*")],
        ),
        Statement(
            sid="Manifests",
            actions=["s3:PutObject"],
            resources=[fill("{backups}/exports/*.json")],
        ),
        Statement(
            sid="Objects",
            actions=list(KEPT),
            resources=[fill("arn:aws:s3:::{own}-{account}-*/*")],
            condition=[
                when("ArnLike", "aws:PrincipalArn", *(fill(f"arn:aws:iam::{{account}}:role/{one}") for one in KEEPERS))
            ],
        ),
        Statement(
            sid="PassRoles",
            actions=["iam:PassRole"],
            resources=[fill("arn:aws:iam::{account}:role/{own}")],
            condition=[when("StringEquals", "iam:PassedToService", *PASSED_BY_ROLES)],
        ),
    ]


def _denied(reach: Reach) -> list[Statement]:
    fill = reach.fill
    return [
        Statement(
            sid="NeverTheStateNorTheAudit",
            effect="Deny",
            actions=["s3:*"],
            resources=[fill(one) for one in ("{state}", "{state}/*", "{audit_bucket}", "{audit_bucket}/*")],
        ),
        Statement(
            sid="NeverAnothersBucket",  # names of buckets are anybody's to take
            effect="Deny",
            actions=["s3:*"],
            resources=["*"],
            condition=[when("StringNotEquals", "aws:ResourceAccount", fill("{account}"))],
        ),
        Statement(
            sid="NeverWhoDeploys",
            effect="Deny",
            actions=["iam:PassRole"],
            resources=[fill("arn:aws:iam::{account}:role/{delivery}")],
        ),
        Statement(
            sid="NetworkInterfacesAreLambdas",  # whose calls, unlike those of a function's code, name no function
            effect="Deny",
            actions=INTERFACES,
            resources=["*"],
            condition=[when("Null", "lambda:SourceFunctionArn", "false")],
        ),
        Statement(
            sid="NowhereElse",
            effect="Deny",
            actions=["*"],
            resources=["*"],
            condition=[when("StringNotEquals", "aws:RequestedRegion", *reach.regions)],
        ),
    ]


@jsii.implements(IValidation)
class BoundsItsRoles:
    """Validation that attaches the boundary to every role of a stack that has none; CDKTF calls it once."""

    def __init__(self, stack: TerraformStack, boundary: PermissionsBoundary) -> None:
        self._stack = stack
        self._boundary = boundary

    @staticmethod
    def apply_to(stack: TerraformStack, boundary: PermissionsBoundary) -> None:
        """Attach the boundary to every role in ``stack``, including those made later."""
        stack.node.add_validation(BoundsItsRoles(stack, boundary))

    def validate(self) -> list[str]:
        """Called by CDKTF; nothing can be wrong."""
        for node in self._stack.node.find_all():
            if isinstance(node, IamRole) and node.permissions_boundary_input is None and not self._is_free(node):
                node.permissions_boundary = self._boundary.policy.arn
        return []

    def _is_free(self, role: IamRole) -> bool:
        """Whether it is the role of AWS Config, which has AWS's own policy and only administrators change."""
        return str(role.name_input).startswith(f"{self._boundary.names.prefix}-{CONFIGURATION}-")
