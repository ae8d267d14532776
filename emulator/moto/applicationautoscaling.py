"""Application Auto Scaling: the tags of a scalable target, and the alarms of a policy, also of one that changes.

https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from moto.applicationautoscaling.models import (
    ApplicationAutoscalingBackend,
    FakeApplicationAutoscalingPolicy,
    FakeScalableTarget,
)
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.cloudwatch.models import Dimension, Metric, MetricDataQuery, MetricStat, cloudwatch_backends
from moto.core.exceptions import JsonRESTError

from alarms.metrics import MINUTE
from emulator.moto.extend import Method, add, override

SHARE_FOR_SCALE_IN = 0.9
"""Of the target, below which capacity is removed: the thresholds of the alarms that AWS makes."""


class ResourceNotFoundError(JsonRESTError):  # type: ignore[misc]
    """No scalable target has the ARN."""

    def __init__(self, arn: str) -> None:
        super().__init__("ResourceNotFoundException", f"The specified resource ARN {arn} does not exist.")


@override(FakeScalableTarget)
def __init__(original: Method, self: Any, *arguments: Any) -> None:  # noqa: N807 (it replaces the class's own)
    """Begin without tags."""
    original(self, *arguments)
    self.tags = {}


@override(ApplicationAutoscalingBackend)
def put_scaling_policy(original: Method, self: Any, **parameters: Any) -> Any:
    """A policy that changes keeps its ARN, and its old alarms go."""
    parts = ("service_namespace", "resource_id", "scalable_dimension", "policy_name")
    old = self.policies.get(FakeApplicationAutoscalingPolicy.formulate_key(*(parameters[part] for part in parts)))
    policy = original(self, **parameters)
    if old:
        old.delete_alarms(self.account_id, self.region_name)
        policy.policy_arn = old.policy_arn
    return policy


@override(FakeApplicationAutoscalingPolicy)
def _generate_ecs_alarms(_original: Method, self: Any) -> list[Any]:
    """Alarms on the policy's own metric: above its target for three minutes, below nine tenths of it for fifteen.

    moto's look at the utilization of the processor, whatever the policy tracks, and at a constant.
    """
    tracked, identifier = self.target_tracking_scaling_policy_configuration, uuid.uuid4()
    cloudwatch = cloudwatch_backends[self.account_id][self.region_name]
    action = f"{self.policy_arn}:createdBy/{identifier}"
    target = float(tracked["TargetValue"])
    made = []
    for name, operator, threshold, periods in (
        ("AlarmHigh", "GreaterThanThreshold", target, 3),
        ("AlarmLow", "LessThanThreshold", SHARE_FOR_SCALE_IN * target, 15),
    ):
        made.append(
            cloudwatch.put_metric_alarm(
                name=f"TargetTracking-{self.resource_id}-{name}-{uuid.uuid4()}",
                comparison_operator=operator,
                evaluation_periods=periods,
                threshold=threshold,
                description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}.",
                alarm_actions=[action],
                **_watched(self, tracked),
            )
        )
    return made


def _watched(self: Any, tracked: dict[str, Any]) -> dict[str, Any]:
    """What a policy tracks, as parameters of an alarm."""
    none = dict.fromkeys(("namespace", "metric_name", "period", "statistic"))
    custom = tracked.get("CustomizedMetricSpecification")
    if custom and "Metrics" in custom:
        return {**none, "dimensions": [], "metric_data_queries": [_query(one) for one in custom["Metrics"]]}
    if custom:
        return {
            "namespace": custom["Namespace"],
            "metric_name": custom["MetricName"],
            "period": MINUTE,
            "statistic": custom["Statistic"],
            "dimensions": custom.get("Dimensions", []),
        }
    predefined = tracked["PredefinedMetricSpecification"]
    _, cluster, service = self.resource_id.split("/")
    if predefined["PredefinedMetricType"] == "ALBRequestCountPerTarget":
        balancer, _, group = predefined["ResourceLabel"].partition("/targetgroup/")
        dimensions = {"LoadBalancer": balancer, "TargetGroup": f"targetgroup/{group}"}
        metric, statistic = ("AWS/ApplicationELB", "RequestCountPerTarget"), "Sum"
    else:
        name = predefined["PredefinedMetricType"].removeprefix("ECSServiceAverage")
        dimensions = {"ClusterName": cluster, "ServiceName": service}
        metric, statistic = ("AWS/ECS", name), "Average"
    return {
        "namespace": metric[0],
        "metric_name": metric[1],
        "period": MINUTE,
        "statistic": statistic,
        "dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }


def _query(sent: dict[str, Any]) -> MetricDataQuery:
    found = sent.get("MetricStat")
    return MetricDataQuery(
        query_id=sent["Id"],
        label=sent.get("Label", ""),
        period=str(MINUTE),
        return_data=str(sent.get("ReturnData", True)).lower(),
        expression=sent.get("Expression"),
        metric_stat=MetricStat(
            metric=Metric(
                metric_name=found["Metric"]["MetricName"],
                namespace=found["Metric"]["Namespace"],
                dimensions=[Dimension(one["Name"], one["Value"]) for one in found["Metric"].get("Dimensions", [])],
            ),
            period=str(MINUTE),
            stat=found["Stat"],
            unit=found.get("Unit", ""),
        )
        if found
        else None,
    )


@override(ApplicationAutoScalingResponse)
def register_scalable_target(original: Method, self: Any) -> str:
    """Store the tags that come with it."""
    answer: str = original(self)
    _tags(self, json.loads(answer)["ScalableTargetARN"]).update(self._get_param("Tags", {}))
    return answer


@add(ApplicationAutoScalingResponse)
def list_tags_for_resource(self: Any) -> str:
    """Answer the stored tags."""
    return json.dumps({"Tags": _tags(self, self._get_param("ResourceARN"))})


@add(ApplicationAutoScalingResponse)
def tag_resource(self: Any) -> str:
    """Add tags."""
    _tags(self, self._get_param("ResourceARN")).update(self._get_param("Tags"))
    return "{}"


@add(ApplicationAutoScalingResponse)
def untag_resource(self: Any) -> str:
    """Remove tags."""
    tags = _tags(self, self._get_param("ResourceARN"))
    for key in self._get_param("TagKeys"):
        tags.pop(key, None)
    return "{}"


def _tags(self: Any, arn: str) -> dict[str, str]:
    for targets in self.applicationautoscaling_backend.targets.values():
        for target in targets.values():
            if target.arn == arn:
                return target.tags  # type: ignore[no-any-return]
    raise ResourceNotFoundError(arn)
