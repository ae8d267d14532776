"""Rotation of the database's passwords (W3.3).

Creates in a region the function from lambda/rotate_database_secret, in the private tier, with its role, its flows to
the clusters of both regions and an alarm on its failures; and in the primary region the rotation of the secrets: the
master's by the single-user strategy, those of the processes by two users in turn each. The first rotation of such a
secret begins as soon as it is configured and creates its users; so everything that it needs must exist before.

A rotation changes passwords at the writer, whichever region that is in. Secrets Manager rotates a secret in its own
region, the primary. The function of the recovery region is for the replicas, once they are promoted because the primary
region is lost: docs/runbooks/region-failover.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.lambda_permission import LambdaPermission
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret
from cdktf_cdktf_provider_aws.secretsmanager_secret_rotation import (
    SecretsmanagerSecretRotation,
    SecretsmanagerSecretRotationRotationRules,
)
from cdktf_cdktf_provider_aws.secretsmanager_secret_version import SecretsmanagerSecretVersion
from constructs import Construct

from modules.database.access import DatabaseAccess
from modules.database.secrets import MASTER, USERNAMES, DatabaseSecrets
from modules.function import Function, FunctionSpecification
from modules.keys import Keys, SecretReplica, to_put_values
from modules.monitoring.alarm_topic import AlarmTopic
from modules.network.endpoints import Endpoints
from modules.network.vpc import Network
from modules.policy_documents import Statement
from settings.database import DatabaseSettings
from settings.naming import Names

SPECIFICATION = FunctionSpecification(
    purpose="rotate-database-secret",
    title="rotation of the database's passwords",
    description="Changes the passwords of the database, one step of a rotation a call",
    timeout_seconds=120,  # a region that does not answer costs ten seconds, once
)


class DatabaseRotation(Construct):
    """The function of a region as ``function``."""

    requirements = ("W3.3", "Q2")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        access: DatabaseAccess,
        replica: SecretReplica | None,
        network: Network,
        endpoints: Endpoints,
        keys: Keys,
        topic: AlarmTopic,
    ) -> None:
        """``endpoints`` gives the group by which the function calls Secrets Manager; ``topic`` takes the alarm.

        ``replica`` is where the secrets of this region have their replicas; none where they are replicas themselves.
        """
        super().__init__(scope, id_)
        self.function = Function(
            self,
            "function",
            names=names,
            specification=replace(
                SPECIFICATION,
                variables={"APPLICATION_USERS": ",".join(USERNAMES.values()), "DATABASE_HOST": access.hosts},
            ),
            key=keys.logs,
            statements=_permissions(access, replica),
            network=network,
            groups=[endpoints.clients],
            # A failed rotation leaves the current password valid; Secrets Manager retries it, and the alarm notifies.
            topic=topic,
        )
        access.allow_from(self, "rotation", self.function.group, reason="The rotation changes passwords")
        self._permission = LambdaPermission(
            self,
            "permission",
            function_name=self.function.function.function_name,
            action="lambda:InvokeFunction",
            principal="secretsmanager.amazonaws.com",
            source_account=names.account_id,
        )

    def rotate(
        self,
        secrets: DatabaseSecrets,
        *,
        settings: DatabaseSettings,
        after: Sequence[ITerraformDependable],
    ) -> None:
        """Configure the rotation of all secrets, ``after`` instances and the function that creates users exist."""
        self._rotate(MASTER, secrets.master, secrets.master_version, settings, after)
        for purpose, (secret, version) in secrets.logins.items():
            self._rotate(purpose, secret, version, settings, after)

    def _rotate(
        self,
        purpose: str,
        secret: SecretsmanagerSecret,
        version: SecretsmanagerSecretVersion,
        settings: DatabaseSettings,
        after: Sequence[ITerraformDependable],
    ) -> None:
        SecretsmanagerSecretRotation(
            self,
            purpose,
            secret_id=secret.id,
            rotation_lambda_arn=self.function.function.arn,
            rotation_rules=SecretsmanagerSecretRotationRotationRules(
                automatically_after_days=settings.rotation_days, duration=f"{settings.rotation_window_hours}h"
            ),
            # Terraform cannot infer it: a rotation begins when it is configured. The value, the permission to call the
            # function, its permissions, its flow to the database and the database itself must exist.
            depends_on=[
                version,
                self._permission,
                self.function.policy,
                *self.function.group.rules,
                *after,
            ],
        )


def _permissions(access: DatabaseAccess, replica: SecretReplica | None) -> list[Statement]:
    """https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html."""
    return [
        Statement(
            sid="RotateTheDatabasesSecrets",
            actions=[
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:ListSecretVersionIds",
                "secretsmanager:PutSecretValue",
                "secretsmanager:UpdateSecretVersionStage",
            ],
            resources=[f"{access.secret_of(purpose)}-??????" for purpose in (MASTER, *USERNAMES)],
        ),
        Statement(
            sid="MakePasswords",
            actions=["secretsmanager:GetRandomPassword"],
            resources=["*"],  # it knows no resource
        ),
        to_put_values(SecretReplica(region=access.region, key=access.key), replica),
    ]
