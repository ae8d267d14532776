"""Instances of an Aurora cluster, distributed over the zones (W3.1).

None of them is the writer by name, as a failover changes the writer. The first has the highest promotion priority.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster
from cdktf_cdktf_provider_aws.rds_cluster_instance import RdsClusterInstance
from constructs import Construct

from modules.database.prerequisites import DatabasePrerequisites
from settings.database import DatabaseSettings
from settings.naming import Names

ENGINE = "aurora-postgresql"
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.SSL.html
CERTIFICATE_AUTHORITY = "rds-ca-rsa2048-g1"


class DatabaseInstances(Construct):
    """Instances of one class, which differ in their zone and promotion priority only."""

    requirements = ("W3.1",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        purpose: str,
        settings: DatabaseSettings,
        count: int,
        zones: Sequence[str],
        cluster: RdsCluster,
        prerequisites: DatabasePrerequisites,
    ) -> None:
        """``purpose`` is the cluster's, as in its name; ``count`` may be 0."""
        super().__init__(scope, id_)
        self.instances = [
            RdsClusterInstance(
                self,
                str(number),
                identifier=names.of(f"{purpose}-{number}"),
                cluster_identifier=cluster.id,
                engine=ENGINE,
                instance_class=settings.instance_class,
                availability_zone=zones[(number - 1) % len(zones)],
                promotion_tier=min(number - 1, 15),
                db_subnet_group_name=prerequisites.subnet_group.name,
                db_parameter_group_name=prerequisites.parameters.instance_group.name,
                publicly_accessible=False,
                ca_cert_identifier=CERTIFICATE_AUTHORITY,
                monitoring_interval=settings.monitoring_seconds,
                monitoring_role_arn=prerequisites.monitoring_role.arn,
                performance_insights_enabled=True,
                performance_insights_kms_key_id=prerequisites.key.arn,
                performance_insights_retention_period=settings.performance_insights_days,
                preferred_maintenance_window=settings.maintenance_window,
                # Minor versions come by settings, through staging: an instance that changes itself is not rehearsed.
                auto_minor_version_upgrade=False,
                apply_immediately=settings.apply_immediately,
                copy_tags_to_snapshot=True,
                tags={"Name": names.of(f"{purpose}-{number}")},
                depends_on=[prerequisites.monitoring_policy],  # not inferable: RDS writes metrics by the role
            )
            for number in range(1, count + 1)
        ]
