"""What stands by for the database in the recovery region (W3.5).

As settings say: `global` creates a global database with a second cluster there, a second behind, with as many instances
as wanted; `snapshots` creates no cluster, and what it would stand on is there to restore into.

The global database takes in the primary cluster, which is made and kept without it: the mode can be changed at any
time, and the primary cluster stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster
from cdktf_cdktf_provider_aws.rds_global_cluster import RdsGlobalCluster
from constructs import Construct

from modules.database.cluster import Database, common_arguments
from modules.database.instances import DatabaseInstances
from modules.database.prerequisites import DatabasePrerequisites
from modules.keys import Keys
from modules.network.vpc import Network
from modules.region import Region
from settings.database import DatabaseSettings, RecoveryMode
from settings.naming import RECOVERY_DATABASE, Names


class GlobalDatabase(Construct):
    """The global database that an existing cluster becomes the primary of; it stands in the primary's region."""

    requirements = ("W3.5",)

    def __init__(self, scope: Construct, id_: str, *, names: Names, database: Database, protected: bool) -> None:
        super().__init__(scope, id_)
        # Engine, version and encryption are the source's: AWS takes none of them beside it (CreateGlobalCluster).
        self.cluster = RdsGlobalCluster(
            self,
            "cluster",
            global_cluster_identifier=names.of("global-database"),
            source_db_cluster_identifier=database.cluster.arn,
            force_destroy=True,  # lets its members go when it goes; they stay
            deletion_protection=protected,
            tags={"Name": names.of("global-database")},
        )


class RecoveryDatabase(Construct):
    """The secondary cluster, or the place that waits for a restored one."""

    requirements = ("W3.5",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: DatabaseSettings,
        primary: Database,
        network: Network,
        keys: Keys,
        zones: Sequence[str],
        protected: bool,
        metrics_log: CloudwatchLogGroup | None = None,
    ) -> None:
        """``cluster`` is none, and ``instances`` are, where settings say that snapshots are restored.

        ``metrics_log`` is the account's log group of enhanced monitoring, where this environment makes it.
        """
        super().__init__(scope, id_)
        self.settings = settings
        self.prerequisites = DatabasePrerequisites(
            self,
            "surroundings",
            names=names,
            purpose=RECOVERY_DATABASE,
            settings=settings,
            network=network,
            keys=keys,
            metrics_log=metrics_log,
        )
        self.group = self.prerequisites.group
        self.cluster: RdsCluster | None = None
        self.global_cluster: RdsGlobalCluster | None = None
        if settings.recovery is RecoveryMode.GLOBAL:
            self.cluster = self._secondary(names, primary, zones, protected=protected)

    def _secondary(self, names: Names, primary: Database, zones: Sequence[str], *, protected: bool) -> RdsCluster:
        global_database = GlobalDatabase(primary, "global-database", names=names, database=primary, protected=protected)
        self.global_cluster = global_database.cluster
        arguments = common_arguments(names, RECOVERY_DATABASE, self.settings, self.prerequisites, protected=protected)
        # Terraform cannot infer it: a secondary can join a primary that has a writer.
        arguments["depends_on"] = [self.prerequisites.log_group, *primary.instances]
        cluster = RdsCluster(
            self,
            "cluster",
            **arguments,
            tags={"Name": names.of(RECOVERY_DATABASE)},
            global_cluster_identifier=global_database.cluster.id,
            source_region=Region.of(primary).name,
        )
        DatabaseInstances(
            self,
            "instances",
            names=names,
            purpose=RECOVERY_DATABASE,
            settings=self.settings,
            count=self.settings.recovery_instances,
            zones=zones,
            cluster=cluster,
            prerequisites=self.prerequisites,
        )
        return cluster
