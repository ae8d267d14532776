"""What a task needs that stands for the database while an operator is in it (`make database`, W8.10).

Creates in a region the role of such a task, which may hold the channels of one session and nothing else, and its
security group with the flows to the clusters of both regions. The task itself is started when it is needed, from the
task definition that the payments service runs, and ends by itself (operations/database).

Session Manager's channels are opened from the task, by the interface endpoint: nothing listens. ECS Exec in such a task
has no session: its role may not write the log of sessions.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html#ecs-exec-required-iam-permissions
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from modules.database.access import DatabaseAccess
from modules.network.security_groups import Group
from modules.network.vpc import Network
from modules.policy_documents import PolicyDocument, Statement, on_behalf_of, open_session_channels, trust, when
from settings.naming import DATABASE_OPERATORS, Names


class OperatorAccess(Construct):
    """The role and the security group of tasks that stand for the database."""

    requirements = ("W8.10",)

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, access: DatabaseAccess, network: Network, key: KmsKey
    ) -> None:
        """``key`` encrypts the sessions of the region's cluster."""
        super().__init__(scope, id_)
        self.group = Group(
            self,
            "group",
            names=names,
            purpose=DATABASE_OPERATORS,
            network=network,
            tier=network.private,
            description="Tasks through which operators read the database",
        )
        access.allow_from(self, DATABASE_OPERATORS, self.group, reason="Operators read the database")
        conditions = on_behalf_of(names.account_id, f"arn:aws:ecs:{access.region}:{names.account_id}:*")
        assume = trust(self, "trust", service_name="ecs-tasks.amazonaws.com", conditions=conditions)
        self.role = IamRole(
            self,
            "role",
            name=names.of(f"{DATABASE_OPERATORS}-{access.region}"),
            description="Lets a task hold the session of an operator with the database",
            assume_role_policy=assume.json,
        )
        permissions = PolicyDocument(self, "permissions", statement=_hold_one_session(key))
        IamRolePolicy(self, "policy", name="session", role=self.role.id, policy=permissions.json)


def _hold_one_session(key: KmsKey) -> list[Statement]:
    return [
        open_session_channels(),
        Statement(
            sid="DecryptTheSession",
            actions=["kms:Decrypt"],
            resources=[key.arn],
            condition=[when("Null", "kms:EncryptionContext:aws:ssm:SessionId", "false")],
        ),
    ]
