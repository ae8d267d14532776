"""Rotation of the imported entries of Secrets Manager (P4.5): every 30 days, by functions of our own.

Creates `rotate-database-secret`, for the database's master user (lambda/rotate_database_secret, by one user: all others
log in by IAM), `rotate-api-key`, for the keys of the usage plan (lambda/rotate_api_key: a replaced key works while it
is used, up to its end), and their schedules. The same function makes the current key when the stack is created, and
deletes all of them with it.
"""

from __future__ import annotations

from aws_cdk import CustomResource, Duration
from aws_cdk.aws_cloudwatch import Metric, Stats
from aws_cdk.aws_ec2 import SecurityGroup
from aws_cdk.aws_iam import ServicePrincipal
from aws_cdk.aws_logs import FilterPattern, MetricFilter
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
ANSWER_SECONDS = 60  # for Lambda to start the function, and for its answer
MEMORY_MIB = 256
API_KEYS = "Custom::ApiKeys"
FORMER_KEY_IN_USE = "former key in use"
"""What lambda/rotate_api_key logs of a replaced key that it has not deleted yet."""


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
        schedule = self._schedule("api-key", secrets.api_key, self.api_key_function)
        schedule.node.add_dependency(self._api_keys(secrets.api_key))
        self.former_keys_in_use = self._former_keys_in_use()

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
                "KEY_NAME": self._settings.names.of("client"),
                "USAGE_PLAN_ID": gateway.usage_plan.usage_plan_id,
                "OVERLAP_DAYS": str(self._settings.secrets.api_key_overlap_days),
            },
            reserved_concurrency=1,
        )
        keys = f"arn:aws:apigateway:{self._settings.region}::/apikeys"
        plan = f"arn:aws:apigateway:{self._settings.region}::/usageplans/{gateway.usage_plan.usage_plan_id}"
        grants.allow(function, ["apigateway:GET", "apigateway:POST"], [keys, f"{plan}/keys"])
        grants.allow(function, ["apigateway:GET"], [f"{plan}/usage"])
        grants.allow(function, ["apigateway:GET", "apigateway:DELETE"], [f"{keys}/*"])
        return function

    def _api_keys(self, secret: ISecret) -> CustomResource:
        """The current key from the stack's creation on; with the stack all keys go, or they would block its next life.

        An API key's value is unique in an account and region, so that one that is left behind refuses the same secret.
        """
        return CustomResource(
            self,
            "api-keys",
            resource_type=API_KEYS,
            service_token=self.api_key_function.function_arn,
            properties={"SecretId": secret.secret_arn},
            service_timeout=Duration.seconds(TIMEOUT_SECONDS + ANSWER_SECONDS),
        )

    def _former_keys_in_use(self) -> Metric:
        """Replaced keys that clients still send, counted by each rotation."""
        return MetricFilter(
            self,
            "former-keys",
            filter_name=self._settings.names.of("former-api-keys"),
            log_group=self.api_key_function.log_group,
            filter_pattern=FilterPattern.all_terms(FORMER_KEY_IN_USE),
            metric_namespace=self._settings.names.of("api-keys"),
            metric_name="FormerKeysInUse",
        ).metric(statistic=Stats.SUM, period=Duration.days(1))

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
