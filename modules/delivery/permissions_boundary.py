"""Permissions boundary of the platform's roles: the limit of each, whatever its policies allow (W8.1).

Creates one managed policy, the boundary of every role of the stack except those of delivery. The deploy role writes the
policies of roles; without a boundary it could give them, and so itself, every permission. A validation of the stack
attaches the boundary before the configuration is written, so no module needs to know of it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
"""

from __future__ import annotations

from dataclasses import dataclass

import jsii
from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.iam_policy import IamPolicy
from cdktf_cdktf_provider_aws.iam_role import IamRole
from constructs import Construct, IValidation

from modules.policy_documents import PolicyDocument, Statement
from settings.naming import CONFIGURATION, DELIVERY, ROLE_BOUNDARY, Names


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Actions of one AWS service that roles of the platform need, as patterns without the service, and the reason."""

    service: str
    actions: str
    reason: str


# A role that calls another service needs a line here; tests/policy/test_permissions_boundary.py names missing ones.
BOUNDS = (
    Bound(service="backup", actions="Copy* DescribeBackupVault", reason="copies of backups in the other region"),
    Bound(service="cloudfront", actions="*Function", reason="the origin secret's function for viewers"),
    Bound(service="cloudwatch", actions="DescribeAlarms PutMetricData", reason="releases and scaling watch alarms"),
    Bound(service="codedeploy", actions="GetDeployment Put*", reason="the smoke test judges releases"),
    Bound(
        service="ec2",
        actions="*NetworkInterface* *PrivateIpAddresses DescribeSubnets",
        reason="Lambda runs functions in the VPC",
    ),
    Bound(service="ecr", actions="BatchCheck* BatchGet* GetAuthorizationToken GetDownload*", reason="tasks start"),
    Bound(service="ecs", actions="*TaskSet DescribeServices UpdateServicePrimaryTaskSet", reason="releases"),
    Bound(service="elasticloadbalancing", actions="Describe* ModifyListener ModifyRule", reason="releases"),
    Bound(service="iam", actions="PassRole", reason="releases hand tasks their roles, exports RDS its own"),
    Bound(
        service="kms",
        actions="CreateGrant Decrypt DescribeKey Encrypt GenerateDataKey* ReEncrypt*",
        reason="what is encrypted is read and written; the keys themselves are nobody's to change",
    ),
    Bound(service="lambda", actions="InvokeFunction", reason="releases ask the smoke test; event rules and queues"),
    Bound(
        service="logs",
        actions="Create* DeleteLogDelivery Describe* GetLog* List* Put* UpdateLogDelivery",
        reason="everything writes its log; workflows have theirs delivered",
    ),
    Bound(
        service="rds",
        actions="AddTags* Copy* Create*Snapshot Delete* Describe* List* Modify*SnapshotAttribute Restore* "
        "StartExportTask",
        reason="backups, their exports and tests of restoring them",
    ),
    Bound(
        service="s3",
        actions="DeleteObject* GetBucketLocation GetObject* GetReplicationConfiguration List* PutObject* Replicate*",
        reason="objects are read, written and replicated; buckets are nobody's to change",
    ),
    Bound(
        service="secretsmanager",
        actions="Describe* Get* List* PutSecretValue UpdateSecretVersionStage",
        reason="passwords are read and rotated; secrets are nobody's to make or delete",
    ),
    Bound(service="sns", actions="Publish", reason="exports tell of their failures"),
    Bound(
        service="sqs",
        actions="ChangeMessageVisibility DeleteMessage Get* ReceiveMessage SendMessage",
        reason="workers and functions take from queues",
    ),
    Bound(service="ssmmessages", actions="*", reason="ECS Exec opens sessions in tasks"),
    Bound(service="states", actions="StartExecution", reason="an event rule starts the export of snapshots"),
    Bound(service="tag", actions="GetResources", reason="AWS Backup finds what bears the plan's tag"),
    Bound(service="wafv2", actions="*RuleGroup* TagResource", reason="the origin secret's rule groups"),
    Bound(service="xray", actions="Get* Put*", reason="traces"),
)


class PermissionsBoundary(Construct):
    """Managed policy that bounds the platform's roles."""

    requirements = ("W8.1",)

    def __init__(self, scope: Construct, id_: str, *, names: Names, state_bucket: str) -> None:
        """``state_bucket`` keeps Terraform's state; the boundary denies every access to it."""
        super().__init__(scope, id_)
        self.names = names
        document = PolicyDocument(self, "document", statement=_statements(names, state_bucket))
        self.policy = IamPolicy(
            self,
            "policy",
            name=names.of(ROLE_BOUNDARY),
            description="What the platform's roles may do at most, whatever their own policies say",
            policy=document.json,
        )


def _statements(names: Names, state_bucket: str) -> list[Statement]:
    allowed = [f"{bound.service}:{action}" for bound in BOUNDS for action in bound.actions.split()]
    state = f"arn:aws:s3:::{state_bucket}"
    delivery = f"arn:aws:iam::{names.account_id}:role/{names.prefix}-{DELIVERY}-*"
    return [
        Statement(sid="AtMost", actions=allowed, resources=["*"]),  # a boundary grants nothing: policies do
        Statement(sid="NeverTheState", effect="Deny", actions=["s3:*"], resources=[state, f"{state}/*"]),
        Statement(sid="NeverWhoDeploys", effect="Deny", actions=["iam:PassRole"], resources=[delivery]),
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
