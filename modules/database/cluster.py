"""Aurora PostgreSQL cluster in three zones (W3.1).

Creates the cluster with its instances, encrypted under the database key, restorable to any second of the last 35 days.
Only members of security groups that have a flow to it reach it. Its passwords are in modules/database/secrets.py, its
standby in the recovery region in modules/database/standby.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster, RdsClusterServerlessv2ScalingConfiguration
from constructs import Construct

from modules.backup.plan import selection_tags
from modules.database.instances import ENGINE, DatabaseInstances
from modules.database.prerequisites import LOG, POSTGRESQL_PORT, DatabasePrerequisites
from modules.ephemeral import EphemeralPassword
from modules.keys import Keys
from modules.network.vpc import Network
from settings.database import DatabaseSettings
from settings.naming import DATABASE, Names

DATABASE_NAME = "payments"
MASTER_USERNAME = "administrator"
# Set by failovers between regions, and by the global cluster when it takes the cluster in. Terraform must not undo it:
# to take the global cluster away from a cluster is to detach it.
# https://registry.terraform.io/providers/hashicorp/aws/5.100.0/docs/resources/rds_global_cluster#new-global-cluster-from-existing-db-cluster
SET_BY_THE_GLOBAL_DATABASE = ["global_cluster_identifier", "replication_source_identifier"]
# Arguments that Aurora accepts at creation and not in a modification (MonitoringInterval of CreateDBCluster and
# ModifyDBCluster).
# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBCluster.html
TAKEN_AT_CREATION_ONLY = ["monitoring_interval", "monitoring_role_arn"]


class Database(Construct):
    """The cluster of the primary region, its instances, and its first master password."""

    requirements = ("W3.1", "W0.5")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: DatabaseSettings,
        network: Network,
        keys: Keys,
        zones: Sequence[str],
        protected: bool,
        metrics_log: CloudwatchLogGroup | None = None,
    ) -> None:
        """A ``protected`` cluster refuses to be destroyed; any other is deleted with its backups, without a final one.

        ``metrics_log`` is the account's log group of enhanced monitoring, where this environment creates it.
        """
        super().__init__(scope, id_)
        self.settings = settings
        self.prerequisites = DatabasePrerequisites(
            self,
            "surroundings",
            names=names,
            purpose=DATABASE,
            settings=settings,
            network=network,
            keys=keys,
            metrics_log=metrics_log,
        )
        self.group = self.prerequisites.group
        self.master_password = EphemeralPassword(self, "master")
        self.cluster = RdsCluster(
            self,
            "cluster",
            **common_arguments(names, DATABASE, settings, self.prerequisites, protected=protected),
            tags={"Name": names.of(DATABASE), **selection_tags(names)},
            database_name=DATABASE_NAME,
            master_username=MASTER_USERNAME,
            master_password_wo=self.master_password.value,
            master_password_wo_version=settings.master_password_version,
        )
        self.instances = DatabaseInstances(
            self,
            "instances",
            names=names,
            purpose=DATABASE,
            settings=settings,
            count=1 + settings.readers,
            zones=zones,
            cluster=self.cluster,
            prerequisites=self.prerequisites,
        ).instances


def common_arguments(
    names: Names, purpose: str, settings: DatabaseSettings, prerequisites: DatabasePrerequisites, *, protected: bool
) -> dict[str, Any]:
    """Arguments of RdsCluster that the clusters of both regions have in common."""
    capacity = RdsClusterServerlessv2ScalingConfiguration(
        min_capacity=settings.min_serverless_units, max_capacity=settings.max_serverless_units
    )
    return {
        "cluster_identifier": names.of(purpose),
        "engine": ENGINE,
        "engine_version": settings.engine_version,
        "allow_major_version_upgrade": False,  # never by a line in a file: see docs/runbooks/database-recovery.md
        "serverlessv2_scaling_configuration": capacity if settings.serverless else None,
        "port": POSTGRESQL_PORT,
        "db_subnet_group_name": prerequisites.subnet_group.name,
        "vpc_security_group_ids": [prerequisites.group.security_group.id],
        "db_cluster_parameter_group_name": prerequisites.parameters.cluster_group.name,
        "storage_encrypted": True,
        "kms_key_id": prerequisites.key.arn,
        "iam_database_authentication_enabled": True,
        "backup_retention_period": settings.backup_retention_days,
        "preferred_backup_window": settings.backup_window,
        "preferred_maintenance_window": settings.maintenance_window,
        "copy_tags_to_snapshot": True,
        "enabled_cloudwatch_logs_exports": [LOG],
        # Also of the instances that scaling adds, which Terraform does not make: they take these from the cluster.
        # Database Insights wants all instances of a cluster alike.
        # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_DatabaseInsights.Considerations.html
        "monitoring_interval": settings.monitoring_seconds,
        "monitoring_role_arn": prerequisites.monitoring_role.arn,
        "database_insights_mode": settings.database_insights_mode.value,
        "performance_insights_enabled": True,
        "performance_insights_kms_key_id": prerequisites.key.arn,
        "performance_insights_retention_period": settings.performance_insights_days,
        "apply_immediately": settings.apply_immediately,
        "deletion_protection": protected,
        "skip_final_snapshot": not protected,
        "final_snapshot_identifier": names.of(f"{purpose}-final") if protected else None,
        "delete_automated_backups": not protected,
        "lifecycle": TerraformResourceLifecycle(
            prevent_destroy=protected, ignore_changes=[*SET_BY_THE_GLOBAL_DATABASE, *TAKEN_AT_CREATION_ONLY]
        ),
        "depends_on": [prerequisites.log_group, prerequisites.monitoring_policy],
    }
