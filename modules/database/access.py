"""How the tasks of a region reach the database there (W3.3, W5.4).

Creates the flows alone. A task gets the endpoints of the database and the name of the secret, never a password: it
reads the secret itself, and again when a login is refused. So it outlives any number of rotations, which a value that
was handed to it at its start would not.

It reads from its own region's cluster. It writes where the writer is: of a global database by the one name that RDS
leads to the writer of whichever region has it, so that a failover changes no task
(https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-connecting.html). The endpoint of a
secondary cluster, which has no writer, leads nowhere. Connections to the other region go through the peering.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster
from cdktf_cdktf_provider_aws.rds_global_cluster import RdsGlobalCluster
from constructs import Construct

from modules.database.cluster import DATABASE_NAME
from modules.database.prerequisites import POSTGRESQL_PORT
from modules.database.secrets import APPLICATION, secret_name
from modules.network.security_groups import Addresses, Flow, Group
from modules.policy_documents import Statement, when
from settings.naming import Names


@dataclass(frozen=True, kw_only=True)
class DatabaseAccess:
    """The cluster of a region, its security group, and the key of the application's secret or its replica there.

    Where the database is global, also the global one and the addresses of the other region's cluster.
    """

    names: Names
    region: str
    cluster: RdsCluster
    group: Group
    key: KmsKey
    global_cluster: RdsGlobalCluster | None = None
    other_addresses: Addresses | None = None

    @property
    def secret(self) -> str:
        """The ARN of the secret without the six characters that AWS appends, which are no part of its name.

        https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
        """
        name = secret_name(self.names, APPLICATION)
        return f"arn:aws:secretsmanager:{self.region}:{self.names.account_id}:secret:{name}"

    def variables(self, connections: int) -> dict[str, str]:
        """What a task must know, by the names that services/payments reads; ``connections`` is its pool's size."""
        return {
            "DATABASE_HOST": self.global_cluster.endpoint if self.global_cluster else self.cluster.endpoint,
            "DATABASE_READER_HOST": self.cluster.reader_endpoint,
            "DATABASE_PORT": str(POSTGRESQL_PORT),
            "DATABASE_NAME": DATABASE_NAME,
            "DATABASE_LOGIN": "secret",
            "DATABASE_SECRET_ARN": self.secret,
            "DATABASE_CONNECTIONS": str(connections),
        }

    def allow_from(self, scope: Construct, who: str, group: Group) -> None:
        """Allow a group to reach the cluster of its region and, where the database is global, that of the other one."""
        Flow(
            scope,
            f"{who}-to-database",
            source=group,
            destination=self.group,
            port=POSTGRESQL_PORT,
            reason=f"{who} reads and writes the database",
        )
        if self.other_addresses:
            Flow(
                scope,
                f"{who}-to-other-database",
                source=group,
                destination=self.other_addresses,
                port=POSTGRESQL_PORT,
                reason=f"{who} writes the database while its writer is in the other region",
            )

    @property
    def statements(self) -> list[Statement]:
        """What a task may do: read the application's secret, and nobody else's."""
        return [
            Statement(
                sid="ReadTheDatabasesLogin",
                actions=["secretsmanager:GetSecretValue"],
                resources=[f"{self.secret}-??????"],
            ),
            Statement(
                sid="DecryptTheDatabasesLogin",
                actions=["kms:Decrypt"],
                resources=[self.key.arn],
                condition=[
                    when("StringEquals", "kms:ViaService", f"secretsmanager.{self.region}.amazonaws.com"),
                    when("StringLike", "kms:EncryptionContext:SecretARN", f"{self.secret}-??????"),
                ],
            ),
        ]
