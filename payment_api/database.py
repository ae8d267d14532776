"""Aurora PostgreSQL (P4.1): a writer and two readers, encrypted, TLS only, with IAM authentication.

Creates the cluster, its parameter groups, its security group and its log group. The master user's secret is a
prerequisite; CloudFormation attaches it to the cluster, which writes the host into it, as rotation requires.
"""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk.aws_ec2 import InstanceType, Port, SecurityGroup
from aws_cdk.aws_iam import IGrantable, PolicyStatement
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_rds import (
    AuroraPostgresEngineVersion,
    BackupProps,
    CaCertificate,
    ClusterInstance,
    Credentials,
    DatabaseCluster,
    DatabaseClusterEngine,
    IClusterInstance,
    ParameterGroup,
    PerformanceInsightRetention,
)
from aws_cdk.aws_secretsmanager import ISecret
from constructs import Construct, IDependable

from payment_api.encryption import Encryption
from payment_api.logs import AuditLog
from payment_api.network import Network
from payment_api.settings.runtime import DatabaseSettings
from settings.naming import Names

PORT = 5432
SLOW_STATEMENT_MILLISECONDS = 1000
READERS = 2


def log_group_name(names: Names) -> str:
    """The log group of the database, whose name RDS fixes."""
    return f"/aws/rds/cluster/{names.of('database')}/postgresql"


class Database(Construct):
    """The cluster as ``cluster``, its security group as ``group``, and the secret's attachment as ``attachment``."""

    requirements = ("P4.1", "P4.2", "P4.4")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        network: Network,
        settings: DatabaseSettings,
        master: ISecret,
        encryption: Encryption,
        protected: bool,
    ) -> None:
        super().__init__(scope, id_)
        self.settings, self._names = settings, names
        self.group = SecurityGroup(
            self,
            "group",
            vpc=network.vpc,
            security_group_name=names.of("database"),
            description="Aurora PostgreSQL",
            allow_all_outbound=False,
        )
        log_group = AuditLog(self, "log-group", name=log_group_name(names), key=encryption.logs, protected=protected)
        engine = DatabaseClusterEngine.aurora_postgres(
            version=AuroraPostgresEngineVersion.of(settings.engine_version, settings.engine_version.partition(".")[0])
        )
        self.cluster = DatabaseCluster(
            self,
            "cluster",
            cluster_identifier=names.of("database"),
            engine=engine,
            credentials=Credentials.from_secret(master),
            default_database_name=settings.name,
            port=PORT,
            iam_authentication=True,
            storage_encrypted=True,
            storage_encryption_key=encryption.database,
            vpc=network.vpc,
            vpc_subnets=network.database,
            security_groups=[self.group],
            parameter_group=ParameterGroup(
                self, "parameters", engine=engine, description="Payments", parameters=parameters(settings)
            ),
            writer=self._instance("writer", encryption.database),
            readers=[self._instance(f"reader-{number}", encryption.database) for number in range(1, READERS + 1)],
            backup=BackupProps(retention=Duration.days(settings.backup_days)),
            cloudwatch_logs_exports=["postgresql"],
            monitoring_interval=Duration.seconds(60),
            copy_tags_to_snapshot=True,
            deletion_protection=protected,
            removal_policy=RemovalPolicy.SNAPSHOT if protected else RemovalPolicy.DESTROY,
        )
        self.cluster.node.add_dependency(log_group)
        attached = self.cluster.secret  # attached by CDK: RDS writes into the secret where the database is
        assert attached is not None  # noqa: S101  # what CDK says of a cluster with credentials from a secret
        self.attachment: IDependable = attached

    def _instance(self, name: str, key: IKey) -> IClusterInstance:
        return ClusterInstance.provisioned(
            name,
            instance_identifier=self._names.of(f"database-{name}"),
            instance_type=InstanceType(self.settings.instance_class),
            promotion_tier=0 if name == "writer" else 1,
            publicly_accessible=False,
            auto_minor_version_upgrade=True,
            ca_certificate=CaCertificate.RDS_CA_RSA2048_G1,
            enable_performance_insights=True,
            performance_insight_retention=PerformanceInsightRetention.DEFAULT,
            performance_insight_encryption_key=key,
        )

    def admit(self, group: SecurityGroup, reason: str) -> None:
        """Allow connections from a security group; ``reason`` is the description of both rules."""
        group.connections.allow_to(self.group, Port.tcp(PORT), reason)

    def grant_login(self, grantee: IGrantable, user: str) -> None:
        """Grant ``grantee`` the login by IAM as one user of the database (P4.2).

        https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html
        """
        place = f"{Stack.of(self).region}:{self._names.account_id}"
        user_arn = f"arn:aws:rds-db:{place}:dbuser:{self.cluster.cluster_resource_identifier}/{user}"
        grantee.grant_principal.add_to_principal_policy(
            PolicyStatement(actions=["rds-db:connect"], resources=[user_arn])
        )

    def variables(self, user: str, publisher: str | None = None) -> dict[str, str]:
        """Environment variables of services/payments for the database, with a login by IAM.

        ``publisher`` is the user that sends the outbox in a process of the API.
        """
        return {
            "DATABASE_HOST": self.cluster.cluster_endpoint.hostname,
            "DATABASE_PORT": str(PORT),
            "DATABASE_NAME": self.settings.name,
            "DATABASE_LOGIN": "iam",
            "DATABASE_USER": user,
            **({"DATABASE_PUBLISHER_USER": publisher} if publisher else {}),
        }


def parameters(settings: DatabaseSettings) -> dict[str, str]:
    """TLS is forced, and events for an audit are logged: connections, changes of the schema, slow statements.

    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Reference.ParameterGroups.html
    """
    return {
        "rds.force_ssl": "1",
        "ssl_min_protocol_version": "TLSv1.2",
        "max_connections": str(settings.max_connections),
        "password_encryption": "scram-sha-256",
        "log_connections": "1",
        "log_disconnections": "1",
        "log_statement": "ddl",
        "log_min_duration_statement": str(SLOW_STATEMENT_MILLISECONDS),
        # No values of statements in the log: they may be personal data.
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
    }
