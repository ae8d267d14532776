"""ECS cluster of a region (W1.1).

Creates the cluster with Container Insights, its capacity providers (Fargate and Fargate Spot), and the log groups of
Container Insights and of ECS Exec, whose sessions are encrypted in transit and recorded.
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.ecs_cluster import (
    EcsCluster,
    EcsClusterConfiguration,
    EcsClusterConfigurationExecuteCommandConfiguration,
    EcsClusterConfigurationExecuteCommandConfigurationLogConfiguration,
    EcsClusterSetting,
)
from cdktf_cdktf_provider_aws.ecs_cluster_capacity_providers import (
    EcsClusterCapacityProviders,
    EcsClusterCapacityProvidersDefaultCapacityProviderStrategy,
)
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from modules.logs import RETENTION_DAYS
from settings.naming import CLUSTER, Names

ON_DEMAND, SPOT = "FARGATE", "FARGATE_SPOT"


class Cluster(Construct):
    """ECS cluster, capacity providers and log groups."""

    requirements = ("W1.1", "W5.3")

    def __init__(self, scope: Construct, id_: str, *, names: Names, key: KmsKey) -> None:
        """``key`` encrypts ECS Exec sessions and the log groups."""
        super().__init__(scope, id_)
        self.session_log_group = CloudwatchLogGroup(
            self, "sessions", name=names.log_group("sessions"), retention_in_days=RETENTION_DAYS, kms_key_id=key.arn
        )
        # Created before Container Insights would create it without a key and with a retention of one day.
        performance_log_group = CloudwatchLogGroup(
            self,
            "performance",
            name=f"{names.container_insights_logs()}/performance",
            retention_in_days=RETENTION_DAYS,
            kms_key_id=key.arn,
        )
        sessions = EcsClusterConfigurationExecuteCommandConfiguration(
            kms_key_id=key.arn,
            logging="OVERRIDE",
            log_configuration=EcsClusterConfigurationExecuteCommandConfigurationLogConfiguration(
                cloud_watch_encryption_enabled=True,
                cloud_watch_log_group_name=self.session_log_group.name,
            ),
        )
        self.cluster = EcsCluster(
            self,
            "cluster",
            name=names.of(CLUSTER),
            setting=[EcsClusterSetting(name="containerInsights", value="enabled")],
            configuration=EcsClusterConfiguration(execute_command_configuration=sessions),
            depends_on=[performance_log_group],
        )
        self.capacity_providers = EcsClusterCapacityProviders(
            self,
            "capacity-providers",
            cluster_name=self.cluster.name,
            capacity_providers=[ON_DEMAND, SPOT],
            default_capacity_provider_strategy=[
                EcsClusterCapacityProvidersDefaultCapacityProviderStrategy(capacity_provider=ON_DEMAND, weight=1)
            ],
        )
