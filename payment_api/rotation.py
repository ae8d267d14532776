"""Rotation of the imported entries of Secrets Manager (P4.5): every 30 days, by functions of our own.

Creates `rotate-database-secret`, for the database's master user (lambda/rotate_database_secret, by one user: all others
log in by IAM), and its schedule.
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
    ) -> None:
        super().__init__(scope, id_)
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
        for permission in self.database_function.node.find_all():
            if isinstance(permission, CfnPermission):  # CDK says who may call it, and not on whose behalf
                permission.source_account = settings.account_id


def random_passwords() -> PolicyStatement:
    """Secrets Manager makes passwords for anybody who may ask; the action takes no resource."""
    return PolicyStatement(actions=["secretsmanager:GetRandomPassword"], resources=["*"])
