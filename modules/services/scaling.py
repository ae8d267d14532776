"""Application Auto Scaling of an ECS service (W1.3): scale-out within a minute, scale-in slower.

Creates the scalable target and, for each scheduled scaling of the settings, an action at its start and one at its end.
Each ``track`` adds a target-tracking policy; the policy that requires most tasks wins.
https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking.html
"""

from __future__ import annotations

from collections.abc import Mapping

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws import appautoscaling_policy as policy
from cdktf_cdktf_provider_aws.appautoscaling_policy import AppautoscalingPolicy
from cdktf_cdktf_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration as Tracking,
)
from cdktf_cdktf_provider_aws.appautoscaling_scheduled_action import (
    AppautoscalingScheduledAction,
    AppautoscalingScheduledActionScalableTargetAction,
)
from cdktf_cdktf_provider_aws.appautoscaling_target import AppautoscalingTarget
from cdktf_cdktf_provider_aws.ecs_service import EcsService
from constructs import Construct

from modules.monitoring.metrics import Metric
from settings.naming import Names
from settings.services import ScheduledScalingSettings, ServiceSettings

SCALE_OUT_SECONDS, SCALE_IN_SECONDS = 60, 300

# The provider's bindings name a block by its whole path.
_CUSTOM = "AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecification"
CustomMetric = getattr(policy, _CUSTOM)
MetricQuery = getattr(policy, f"{_CUSTOM}Metrics")
MetricStat = getattr(policy, f"{_CUSTOM}MetricsMetricStat")
CloudWatchMetric = getattr(policy, f"{_CUSTOM}MetricsMetricStatMetric")
Dimension = getattr(policy, f"{_CUSTOM}MetricsMetricStatMetricDimensions")


class Scaling(Construct):
    """Scalable target, scheduled actions and target-tracking policies of a service."""

    requirements = ("W1.3",)

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, name: str, settings: ServiceSettings, ecs_service: EcsService
    ) -> None:
        """``name`` is the service's."""
        super().__init__(scope, id_)
        self._names = names
        self._name = name
        cluster = names.of("cluster")
        self.running_tasks = Metric(
            "ECS/ContainerInsights",
            "RunningTaskCount",
            "Average",
            {"ClusterName": cluster, "ServiceName": names.of(name)},
        )
        self.target = AppautoscalingTarget(
            self,
            "target",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=f"service/{cluster}/{ecs_service.name}",
            min_capacity=settings.min_tasks,
            max_capacity=settings.max_tasks,
            # Scheduled actions set both, and which hold now is not for Terraform to undo: it would end a sale. A change
            # of the service's own bounds changes the actions that return to them. Nor is it for it to undo that a
            # failover (operations/failover/command.py) keeps scaling from taking back the tasks that it has started.
            lifecycle=TerraformResourceLifecycle(
                ignore_changes=[
                    "suspended_state",
                    *(["min_capacity", "max_capacity"] if settings.scheduled_scaling else []),
                ]
            ),
        )
        for moment, scheduled in settings.scheduled_scaling.items():
            self._schedule(moment, scheduled, scheduled.schedule, scheduled)
            # No schedule has a dot in its name.
            self._schedule(f"{moment}.until", scheduled, scheduled.until, settings)

    def track(self, purpose: str, *, target: float, expression: str, metrics: Mapping[str, Metric]) -> None:
        """Add a target-tracking policy that keeps an expression over metrics near ``target``.

        https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking-metric-math.html
        """
        queries = [MetricQuery(id=id_, metric_stat=_stat(metric), return_data=False) for id_, metric in metrics.items()]
        result = MetricQuery(id="result", expression=expression, label=purpose, return_data=True)
        self._policy(
            purpose,
            Tracking(
                target_value=target,
                scale_out_cooldown=SCALE_OUT_SECONDS,
                scale_in_cooldown=SCALE_IN_SECONDS,
                customized_metric_specification=CustomMetric(metrics=[*queries, result]),
            ),
        )

    def _schedule(
        self,
        purpose: str,
        scheduled: ScheduledScalingSettings,
        schedule: str,
        bounds: ScheduledScalingSettings | ServiceSettings,
    ) -> None:
        """Set the scalable target's bounds at the times of ``schedule``."""
        AppautoscalingScheduledAction(
            self,
            purpose,
            name=self._names.of(f"{self._name}-{purpose}"),
            service_namespace=self.target.service_namespace,
            scalable_dimension=self.target.scalable_dimension,
            resource_id=self.target.resource_id,
            schedule=schedule,
            timezone=scheduled.time_zone,
            scalable_target_action=AppautoscalingScheduledActionScalableTargetAction(
                # The provider's arguments are strings, as 0 must differ from none.
                min_capacity=str(bounds.min_tasks),
                max_capacity=str(bounds.max_tasks),
            ),
        )

    def _policy(self, purpose: str, tracking: Tracking) -> None:
        AppautoscalingPolicy(
            self,
            purpose,
            name=self._names.of(f"{self._name}-{purpose}"),
            policy_type="TargetTrackingScaling",
            service_namespace=self.target.service_namespace,
            scalable_dimension=self.target.scalable_dimension,
            resource_id=self.target.resource_id,
            target_tracking_scaling_policy_configuration=tracking,
        )


def _stat(metric: Metric) -> object:
    dimensions = [Dimension(name=name, value=value) for name, value in metric.dimensions.items()]
    return MetricStat(
        metric=CloudWatchMetric(namespace=metric.namespace, metric_name=metric.name, dimensions=dimensions),
        stat=metric.statistic,
    )
