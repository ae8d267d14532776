"""The standby of the database in the recovery region (W3.5).

By settings: `global` creates a global database with a secondary cluster there, whose lag is about a second, with a
configured number of instances; `snapshots` creates the prerequisites of a cluster and, once `recovery_snapshot` names a
snapshot, the cluster restored from it, which is the platform's writer from then on.

The global database is created from the primary cluster, which exists without it: the mode can be changed at any time
without a change of the primary cluster.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster
from cdktf_cdktf_provider_aws.rds_cluster_instance import RdsClusterInstance
from cdktf_cdktf_provider_aws.rds_global_cluster import RdsGlobalCluster
from constructs import Construct

from modules.backup.plan import selection_tags
from modules.database.cluster import TAKEN_AT_CREATION_ONLY, Database, common_arguments
from modules.database.instances import DatabaseInstances
from modules.database.prerequisites import DatabasePrerequisites
from modules.keys import Keys
from modules.network.vpc import Network
from modules.region import Region
from settings.database import DatabaseSettings, RecoveryMode
from settings.naming import RECOVERY_DATABASE, Names


class GlobalDatabase(Construct):
    """The global database, created from an existing cluster, its primary, and in the primary's region."""

    requirements = ("W3.5",)

    def __init__(self, scope: Construct, id_: str, *, names: Names, database: Database, protected: bool) -> None:
        super().__init__(scope, id_)
        # Engine, version and encryption are the source's: AWS accepts none of them with a source (CreateGlobalCluster).
        self.cluster = RdsGlobalCluster(
            self,
            "cluster",
            global_cluster_identifier=names.of("global-database"),
            source_db_cluster_identifier=database.cluster.arn,
            force_destroy=True,  # removes its members from it before its deletion; the clusters remain
            deletion_protection=protected,
            tags={"Name": names.of("global-database")},
            # Terraform cannot infer it: a cluster is taken in once it is available and has a writer.
            depends_on=database.instances,
        )


class RecoveryDatabase(Construct):
    """The secondary cluster, the restored one, or none and the prerequisites of one."""

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
        """``cluster`` is none with `snapshots`, until one is ``restored``.

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
        self.instances: list[RdsClusterInstance] = []
        self.restored = settings.recovery_snapshot is not None
        if settings.recovery is RecoveryMode.GLOBAL:
            self.cluster = self._secondary(names, primary, zones, protected=protected)
        elif self.restored:
            self.cluster = self._from_snapshot(names, primary, zones, protected=protected)

    def _secondary(self, names: Names, primary: Database, zones: Sequence[str], *, protected: bool) -> RdsCluster:
        global_database = GlobalDatabase(primary, "global-database", names=names, database=primary, protected=protected)
        self.global_cluster = global_database.cluster
        arguments = common_arguments(names, RECOVERY_DATABASE, self.settings, self.prerequisites, protected=protected)
        # Terraform cannot infer it: a secondary can join a primary that has a writer.
        arguments["depends_on"] = [*arguments["depends_on"], *primary.instances]
        cluster = RdsCluster(
            self,
            "cluster",
            **arguments,
            tags={"Name": names.of(RECOVERY_DATABASE)},
            global_cluster_identifier=global_database.cluster.id,
            source_region=Region.of(primary).name,
        )
        self._instances(names, cluster, zones, self.settings.recovery_instances)
        return cluster

    def _from_snapshot(self, names: Names, primary: Database, zones: Sequence[str], *, protected: bool) -> RdsCluster:
        """The cluster of the snapshot, with the master password that the primary's cluster and secret have.

        Its data are of the snapshot's day, the passwords too: `master_password_version` is to be raised with it.
        """
        arguments = common_arguments(names, RECOVERY_DATABASE, self.settings, self.prerequisites, protected=protected)
        for name in TAKEN_AT_CREATION_ONLY:
            del arguments[name]
        cluster = RdsCluster(
            self,
            "cluster",
            **arguments,
            tags={"Name": names.of(RECOVERY_DATABASE), **selection_tags(names)},
            snapshot_identifier=self.settings.recovery_snapshot,
            master_password_wo=primary.master_password.value,
            master_password_wo_version=self.settings.master_password_version,
        )
        self._instances(names, cluster, zones, 1 + self.settings.readers)
        return cluster

    def _instances(self, names: Names, cluster: RdsCluster, zones: Sequence[str], count: int) -> None:
        self.instances = DatabaseInstances(
            self,
            "instances",
            names=names,
            purpose=RECOVERY_DATABASE,
            settings=self.settings,
            count=count,
            zones=zones,
            cluster=cluster,
            prerequisites=self.prerequisites,
        ).instances
