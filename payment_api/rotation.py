"""Rotation of the imported entries of Secrets Manager (P4.5): every 30 days, by functions of our own.

Creates `rotate-database-secret`, for the database's master user (lambda/rotate_database_secret, by one user: all others
log in by IAM), `rotate-api-key`, for the first client's key (lambda/rotate_api_key: the key before works until the next
rotation), and their schedules.
"""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk.aws_ec2 import SecurityGroup
from aws_cdk.aws_iam import PolicyStatement
from aws_cdk.aws_lambda import CfnPermission
from aws_cdk.aws_secretsmanager import RotationSchedule
from constructs import Construct

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
        self.database_function.add_to_role_policy(random_passwords())
        # CDK lets the function read and write this one secret, and Secrets Manager call the function.
        schedule = RotationSchedule(
            self,
            "database-schedule",
            secret=secrets.database,
            rotation_lambda=self.database_function,
            automatically_after=Duration.days(settings.secrets.rotation_days),
            rotate_immediately_on_update=False,
        )
        # Where the database is must be in the secret before a rotation begins.
        schedule.node.add_dependency(database.master_with_place)
        self._limit_callers(self.database_function)
        self.api_key_function = self._api_key_function(gateway)
        RotationSchedule(
            self,
            "api-key-schedule",
            secret=secrets.api_key,
            rotation_lambda=self.api_key_function,
            automatically_after=Duration.days(settings.secrets.rotation_days),
            rotate_immediately_on_update=False,
        )
        self._limit_callers(self.api_key_function)

    def _api_key_function(self, gateway: Gateway) -> ManagedFunction:
        """Outside the network: API Gateway's own API is not among those that endpoints reach."""
        function = ManagedFunction(
            self,
            "rotate-api-key",
            name="rotate_api_key",
            names=self._settings.names,
            network=None,
            endpoints=None,
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
        function.add_to_role_policy(random_passwords())
        keys = f"arn:aws:apigateway:{self._settings.region}::/apikeys"
        plan = f"arn:aws:apigateway:{self._settings.region}::/usageplans/{gateway.usage_plan.usage_plan_id}/keys"
        for actions, resources in (("GET POST", [keys, plan]), ("GET DELETE", [f"{keys}/*"])):
            allowed = [f"apigateway:{action}" for action in actions.split()]
            function.add_to_role_policy(PolicyStatement(actions=allowed, resources=resources))
        return function

    def _limit_callers(self, function: ManagedFunction) -> None:
        for permission in function.node.find_all():
            if isinstance(permission, CfnPermission):  # CDK says who may call it, and not on whose behalf
                permission.source_account = self._settings.account_id


def random_passwords() -> PolicyStatement:
    """Secrets Manager makes passwords for anybody who may ask; the action takes no resource."""
    return PolicyStatement(actions=["secretsmanager:GetRandomPassword"], resources=["*"])
