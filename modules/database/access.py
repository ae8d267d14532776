"""Access to the database from one region: endpoints, network flows and the logins of the processes (W3.3, W5.4).

Creates the flows alone. A task gets the endpoints of the database and the name of the secret, never a password: it
reads the secret itself, and again when a login is refused. So it outlives any number of rotations, which a value that
was handed to it at its start would not.

A writer may be in either region, so a client gets the endpoints of both clusters, its own region's first, and takes the
one that writes (`target_session_attrs=read-write`): a failover changes no task. Each endpoint is verified by its own
name. The endpoint of a secondary cluster, which has no writer, is refused within a round trip. Both regions have the
flows to both clusters, whether the second one runs already or is only restored from a snapshot some day; connections to
the other region go through the peering.
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-connecting.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster
from constructs import Construct

from modules.database.cluster import DATABASE_NAME
from modules.database.prerequisites import POSTGRESQL_PORT
from modules.database.secrets import APPLICATION, PUBLISHING, secret_name
from modules.network.security_groups import Addresses, Flow, Group
from modules.policy_documents import Statement, when
from settings.naming import Names


@dataclass(frozen=True, kw_only=True)
class DatabaseAccess:
    """The database, as it is reached from one region."""

    names: Names
    region: str
    """AWS's name of the region."""
    clusters: Sequence[RdsCluster]
    """Those that may have the writer, the region's own first; one at least."""
    own_cluster: RdsCluster | None
    """The region's own, if one of those runs here."""
    group: Group
    """Of the region's own cluster, or of the one that is restored there."""
    other_addresses: Addresses
    """Of the other region's cluster."""
    key: KmsKey
    """Encrypts the region's copies of the database's secrets."""
    logins: Sequence[str] = (APPLICATION,)
    """The purposes of the secrets that a process logs in with: its own, and the publisher's where it publishes."""

    def by(self, *logins: str) -> DatabaseAccess:
        """The same access by other logins."""
        return replace(self, logins=logins)

    def secret_of(self, purpose: str) -> str:
        """The ARN of the secret without the six characters that AWS appends, which are no part of its name.

        https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
        """
        name = secret_name(self.names, purpose)
        return f"arn:aws:secretsmanager:{self.region}:{self.names.account_id}:secret:{name}"

    @property
    def hosts(self) -> str:
        """The endpoints of clusters that may have the writer, in libpq's form: separated by commas."""
        return ",".join(cluster.endpoint for cluster in self.clusters)

    @property
    def own_host(self) -> str:
        """The endpoint of the region's own cluster; empty where none runs."""
        return self.own_cluster.endpoint if self.own_cluster else ""

    def variables(self, connections: int) -> dict[str, str]:
        """The environment variables of a task, as services/payments reads them; ``connections`` is its pool's size."""
        return {
            "DATABASE_HOST": self.hosts,
            "DATABASE_READER_HOST": (self.own_cluster or self.clusters[0]).reader_endpoint,
            "DATABASE_PORT": str(POSTGRESQL_PORT),
            "DATABASE_NAME": DATABASE_NAME,
            "DATABASE_LOGIN": "secret",
            "DATABASE_SECRET_ARN": self.secret_of(self.logins[0]),
            "DATABASE_CONNECTIONS": str(connections),
            **({"DATABASE_PUBLISHER_SECRET_ARN": self.secret_of(PUBLISHING)} if PUBLISHING in self.logins[1:] else {}),
        }

    def allow_from(self, scope: Construct, who: str, group: Group, reason: str = "") -> None:
        """Allow a group to reach the clusters of both regions."""
        Flow(
            scope,
            f"{who}-to-database",
            source=group,
            destination=self.group,
            port=POSTGRESQL_PORT,
            reason=reason or f"{who} reads and writes the database",
        )
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
        """The IAM statements of a process: read the secrets of its logins, and no other."""
        secrets = [f"{self.secret_of(login)}-??????" for login in self.logins]
        return [
            Statement(
                sid="ReadTheDatabasesLogin",
                actions=["secretsmanager:GetSecretValue"],
                resources=secrets,
            ),
            Statement(
                sid="DecryptTheDatabasesLogin",
                actions=["kms:Decrypt"],
                resources=[self.key.arn],
                condition=[
                    when("StringEquals", "kms:ViaService", f"secretsmanager.{self.region}.amazonaws.com"),
                    when("StringLike", "kms:EncryptionContext:SecretARN", *secrets),
                ],
            ),
        ]
