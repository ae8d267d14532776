"""The passwords of the database change by themselves (W3.3).

Creates the function from lambda/rotate_database_secret, in the private tier, with its role, its way to the database,
an alarm for when it fails, and the rotation of both secrets: the master's by the single-user strategy, the
application's by two users in turn. The first rotation of the application's secret begins as soon as it is configured
and makes its users; so all that it needs is there before.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.lambda_permission import LambdaPermission
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret
from cdktf_cdktf_provider_aws.secretsmanager_secret_rotation import (
    SecretsmanagerSecretRotation,
    SecretsmanagerSecretRotationRotationRules,
)
from cdktf_cdktf_provider_aws.secretsmanager_secret_version import SecretsmanagerSecretVersion
from constructs import Construct

from modules.database.cluster import Database
from modules.database.prerequisites import POSTGRESQL_PORT
from modules.database.secrets import APPLICATION, APPLICATION_USERNAME, MASTER, DatabaseSecrets
from modules.function import Function, FunctionSpecification
from modules.keys import Keys
from modules.monitoring.alarm_topic import AlarmTopic
from modules.network.endpoints import Endpoints
from modules.network.security_groups import Flow
from modules.network.vpc import Network
from modules.policy_documents import Statement, when
from modules.region import Region
from settings.naming import Names

SPECIFICATION = FunctionSpecification(
    purpose="rotate-database-secret",
    title="rotation of the database's passwords",
    description="Changes the passwords of the database, one step of a rotation a call",
    timeout_seconds=60,
    variables={"APPLICATION_USER": APPLICATION_USERNAME},
)


class DatabaseRotation(Construct):
    """The function and the rotations that it makes."""

    requirements = ("W3.3", "Q2")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        database: Database,
        secrets: DatabaseSecrets,
        network: Network,
        endpoints: Endpoints,
        keys: Keys,
        topic: AlarmTopic,
        after: Sequence[ITerraformDependable] = (),
    ) -> None:
        """``endpoints`` gives the group by which the function calls Secrets Manager; ``topic`` takes the alarm.

        The first rotations begin ``after`` these, which make users and log in as the master.
        """
        super().__init__(scope, id_)
        self._database = database
        self._after = after
        self.function = Function(
            self,
            "function",
            names=names,
            specification=SPECIFICATION,
            key=keys.logs,
            statements=_permissions(secrets, keys, Region.of(self).name),
            network=network,
            groups=[endpoints.clients],
            # A rotation that fails leaves the password that works; Secrets Manager tries again, and somebody must look.
            topic=topic,
        )
        self._flow = Flow(
            self,
            "rotation-to-database",
            source=self.function.group,
            destination=database.group,
            port=POSTGRESQL_PORT,
            reason="The rotation changes passwords",
        )
        self._permission = LambdaPermission(
            self,
            "permission",
            function_name=self.function.function.function_name,
            action="lambda:InvokeFunction",
            principal="secretsmanager.amazonaws.com",
            source_account=names.account_id,
        )
        self.rotations = {
            MASTER: self._rotate(MASTER, secrets.master, secrets.master_version),
            APPLICATION: self._rotate(APPLICATION, secrets.application, secrets.application_version),
        }

    def _rotate(
        self, purpose: str, secret: SecretsmanagerSecret, version: SecretsmanagerSecretVersion
    ) -> SecretsmanagerSecretRotation:
        settings = self._database.settings
        return SecretsmanagerSecretRotation(
            self,
            purpose,
            secret_id=secret.id,
            rotation_lambda_arn=self.function.function.arn,
            rotation_rules=SecretsmanagerSecretRotationRotationRules(
                automatically_after_days=settings.rotation_days, duration=f"{settings.rotation_window_hours}h"
            ),
            # Terraform cannot infer it: a rotation begins when it is configured. The value, the permission to call the
            # function, what the function may do, its way to the database and the database itself must be there.
            depends_on=[
                version,
                self._permission,
                self.function.policy,
                self._flow.egress,
                self._flow.ingress,
                *self._database.instances,
                *self._after,
            ],
        )


def _permissions(secrets: DatabaseSecrets, keys: Keys, region: str) -> list[Statement]:
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
            resources=[secrets.master.arn, secrets.application.arn],
        ),
        Statement(
            sid="MakePasswords",
            actions=["secretsmanager:GetRandomPassword"],
            resources=["*"],  # it knows no resource
        ),
        Statement(
            sid="ReadAndWriteUnderTheirKey",
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=[keys.secrets.arn],
            condition=[when("StringEquals", "kms:ViaService", f"secretsmanager.{region}.amazonaws.com")],
        ),
    ]
