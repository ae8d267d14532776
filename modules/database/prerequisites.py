"""Prerequisites of an Aurora cluster in a region, created even where no cluster runs (W3.1, W5.3).

Creates the subnet group in the isolated tier, the security group, the parameter groups, the log group that the cluster
writes into, and the role of enhanced monitoring. None of them costs anything while no cluster uses it, so that a
snapshot can be restored in the recovery region at any time.
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.db_subnet_group import DbSubnetGroup
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from constructs import Construct

from modules.database.enhanced_monitoring_log import METRICS_LOG
from modules.database.parameters import DatabaseParameters
from modules.keys import Keys
from modules.logs import RETENTION_DAYS
from modules.network.security_groups import Group
from modules.network.vpc import Network
from modules.policy_documents import PolicyDocument, Statement, on_behalf_of, trust
from modules.region import Region
from settings.database import DatabaseSettings
from settings.naming import Names

POSTGRESQL_PORT = 5432
LOG = "postgresql"


class DatabasePrerequisites(Construct):
    """Subnet group, security group, parameter groups, log group and monitoring role of a cluster."""

    requirements = ("W3.1", "W5.3")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        purpose: str,
        settings: DatabaseSettings,
        network: Network,
        keys: Keys,
        metrics_log: CloudwatchLogGroup | None,
    ) -> None:
        """``purpose`` is the cluster's, as in its name; ``metrics_log`` exists before its writer."""
        super().__init__(scope, id_)
        self.cluster_name = names.of(purpose)
        self.key = keys.database
        self.group = Group(
            self,
            "group",
            names=names,
            purpose=purpose,
            network=network,
            tier=network.database,
            description="Instances of the database",
        )
        self.subnet_group = DbSubnetGroup(
            self,
            "subnets",
            name=self.cluster_name,
            description="The isolated tier, in three zones",
            subnet_ids=network.database.subnet_ids,
            tags={"Name": self.cluster_name},
        )
        self.parameters = DatabaseParameters(self, "parameters", names=names, purpose=purpose, settings=settings)
        # Created before RDS would create it without a key and without an expiration.
        self.log_group = CloudwatchLogGroup(
            self,
            "log-group",
            name=f"{names.database_logs(purpose)}/{LOG}",
            retention_in_days=RETENTION_DAYS,
            kms_key_id=keys.logs.arn,
        )
        self.monitoring_role = self._monitoring_role(names, metrics_log)

    def _monitoring_role(self, names: Names, metrics_log: CloudwatchLogGroup | None) -> IamRole:
        """As AWS's AmazonRDSEnhancedMonitoringRole, for the one log group there is, which keeps for 30 days.

        https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Monitoring.OS.Enabling.html
        """
        place = f"{Region.of(self).name}:{names.account_id}"
        conditions = on_behalf_of(names.account_id, f"arn:aws:rds:{place}:db:*")
        assume = trust(self, "monitoring-trust", service_name="monitoring.rds.amazonaws.com", conditions=conditions)
        role = IamRole(
            self,
            "monitoring-role",
            name=names.of(f"db-monitoring-{Region.of(self).name}"),
            description="Lets RDS write what enhanced monitoring measures",
            assume_role_policy=assume.json,
            depends_on=[metrics_log] if metrics_log else None,
        )
        group = f"arn:aws:logs:{place}:log-group:{METRICS_LOG}"
        permissions = PolicyDocument(
            self,
            "monitoring-permissions",
            statement=[
                Statement(
                    sid="MakeTheLogGroup",
                    actions=["logs:CreateLogGroup", "logs:PutRetentionPolicy"],
                    resources=[f"{group}:*"],
                ),
                Statement(
                    sid="WriteMeasurements",
                    actions=[
                        "logs:CreateLogStream",
                        "logs:DescribeLogStreams",
                        "logs:GetLogEvents",
                        "logs:PutLogEvents",
                    ],
                    resources=[f"{group}:log-stream:*"],
                ),
            ],
        )
        self.monitoring_policy = IamRolePolicy(
            self, "monitoring-policy", name="monitor", role=role.id, policy=permissions.json
        )
        return role
