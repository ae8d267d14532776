"""Rotation of the imported entries of Secrets Manager (P4.5): every 30 days, by functions of our own.

Creates `rotate-database-secret`, for the database's master user (lambda/rotate_database_secret, by one user: all others
log in by IAM), `rotate-api-key`, for the first client's key (lambda/rotate_api_key: the key before works until the next
rotation), and their schedules.
"""

from __future__ import annotations

from aws_cdk.aws_ec2 import SecurityGroup
from aws_cdk.aws_iam import ServicePrincipal
from aws_cdk.aws_secretsmanager import CfnRotationSchedule, ISecret
from constructs import Construct

from payment_api import grants
from payment_api.database import Database
from payment_api.encryption import Encryption
from payment_api.endpoints import Endpoints
from payment_api.functions import ManagedFunction
from payment_api.gateway import Gateway
from payment_api.network import Network
from payment_api.secrets import ImportedSecrets
from payment_api.settings import Settings

TIMEOUT_SECONDS = 60
MEMORY_MIB = 256


class Rotation(Construct):
    """The functions and the schedules."""

    requirements = ("P4.5", "P3.3")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: Settings,
        network: Network,
        endpoints: Endpoints,
        encryption: Encryption,
        database: Database,
        database_clients: SecurityGroup,
        secrets: ImportedSecrets,
        gateway: Gateway,
    ) -> None:
        super().__init__(scope, id_)
        self._settings, self._encryption = settings, encryption
        self.database_function = ManagedFunction(
            self,
            "rotate-database-secret",
            name="rotate_database_secret",
            names=settings.names,
            network=network,
            endpoints=endpoints,
            logs_key=encryption.logs,
            environment_key=encryption.messages,
            log_days=settings.observability.log_retention_days,
            timeout_seconds=TIMEOUT_SECONDS,
            memory_mib=MEMORY_MIB,
            environment={},
            groups=[database_clients],
            reserved_concurrency=1,  # one rotation at a time
        )
        schedule = self._schedule("database", secrets.database, self.database_function)
        # Where the database is must be in the secret before a rotation begins.
        schedule.node.add_dependency(database.attachment, database.group)
        self.api_key_function = self._api_key_function(network, endpoints, gateway)
        self._schedule("api-key", secrets.api_key, self.api_key_function)

    def _api_key_function(self, network: Network, endpoints: Endpoints, gateway: Gateway) -> ManagedFunction:
        function = ManagedFunction(
            self,
            "rotate-api-key",
            name="rotate_api_key",
            names=self._settings.names,
            network=network,
            endpoints=endpoints,
            logs_key=self._encryption.logs,
            environment_key=self._encryption.messages,
            log_days=self._settings.observability.log_retention_days,
            timeout_seconds=TIMEOUT_SECONDS,
            memory_mib=MEMORY_MIB,
            environment={
                "KEY_NAME": self._settings.names.of("first-client"),
                "USAGE_PLAN_ID": gateway.usage_plan.usage_plan_id,
                "FIRST_KEY_ID": gateway.first_key_id,
            },
            reserved_concurrency=1,
        )
        keys = f"arn:aws:apigateway:{self._settings.region}::/apikeys"
        plan = f"arn:aws:apigateway:{self._settings.region}::/usageplans/{gateway.usage_plan.usage_plan_id}/keys"
        grants.allow(function, ["apigateway:GET", "apigateway:POST"], [keys, plan])
        grants.allow(function, ["apigateway:GET", "apigateway:DELETE"], [f"{keys}/*"])
        return function

    def _schedule(self, name: str, secret: ISecret, function: ManagedFunction) -> CfnRotationSchedule:
        """A rotation by the function, which may do it, and which Secrets Manager may call.

        https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html
        """
        grants.allow_rotating(function, secret)
        grants.allow(function, ["secretsmanager:GetRandomPassword"], ["*"])  # takes no resource
        function.add_permission(
            "secrets-manager",
            principal=ServicePrincipal("secretsmanager.amazonaws.com"),
            source_account=self._settings.account_id,
        )
        schedule = CfnRotationSchedule(
            self,
            f"{name}-schedule",
            secret_id=secret.secret_arn,
            rotation_lambda_arn=function.function_arn,
            rotation_rules=CfnRotationSchedule.RotationRulesProperty(
                schedule_expression=f"rate({self._settings.secrets.rotation_days} days)"
            ),
            # Secrets Manager tries testSecret with a copy of the current value instead.
            rotate_immediately_on_update=False,
        )
        schedule.node.add_dependency(function)
        return schedule
