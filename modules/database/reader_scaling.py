"""Auto scaling of Aurora readers (W1.3), by the average connections to a reader.

Creates the scalable target and its policy. Terraform manages the minimum of readers; Application Auto Scaling adds and
removes more of the same kind.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Integrating.AutoScaling.html
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws import appautoscaling_policy as policy
from cdktf_cdktf_provider_aws.appautoscaling_policy import AppautoscalingPolicy
from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration as Tracking,
)
from cdktf_cdktf_provider_aws.appautoscaling_target import AppautoscalingTarget
from constructs import Construct

from modules.database.cluster import Database
from settings.naming import Names

# A reader takes minutes to start: the next scaling waits for the effect of the last one.
SCALE_OUT_SECONDS, SCALE_IN_SECONDS = 300, 900

PredefinedMetric = policy.AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification


class ReaderScaling(Construct):
    """The scaling of one cluster's readers."""

    requirements = ("W1.3",)

    def __init__(self, scope: Construct, id_: str, *, names: Names, database: Database) -> None:
        super().__init__(scope, id_)
        settings = database.settings
        self.target = AppautoscalingTarget(
            self,
            "target",
            service_namespace="rds",
            scalable_dimension="rds:cluster:ReadReplicaCount",
            resource_id=f"cluster:{database.cluster.cluster_identifier}",
            min_capacity=settings.readers,
            max_capacity=settings.max_readers,
            depends_on=database.instances,  # AWS takes a cluster only once it has an instance
        )
        AppautoscalingPolicy(
            self,
            "connections",
            name=names.of("database-readers"),
            policy_type="TargetTrackingScaling",
            service_namespace=self.target.service_namespace,
            scalable_dimension=self.target.scalable_dimension,
            resource_id=self.target.resource_id,
            target_tracking_scaling_policy_configuration=Tracking(
                target_value=settings.connections_per_reader,
                scale_out_cooldown=SCALE_OUT_SECONDS,
                scale_in_cooldown=SCALE_IN_SECONDS,
                predefined_metric_specification=PredefinedMetric(
                    predefined_metric_type="RDSReaderAverageDatabaseConnections"
                ),
            ),
        )
