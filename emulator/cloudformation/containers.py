"""ECS's types: clusters, task definitions, services."""

from __future__ import annotations

import time

from emulator.cloudformation.calls import (
    Created,
    Properties,
    RefusedError,
    call,
    changed,
    generated,
    gone,
    without,
)
from emulator.cloudformation.types import made_by

NAME_LENGTH = 255
SECONDS_BETWEEN_LOOKS = 0.5
FIXED = ("ServiceName", "Cluster", "LaunchType", "DeploymentController", "SchedulingStrategy")
"""Properties of a service whose change makes another one.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ecs-service.html"""


def install() -> None:
    """Register these types."""
    made_by("AWS::ECS::Cluster", create=_create_cluster, delete=_delete_cluster)
    made_by("AWS::ECS::TaskDefinition", create=_register, delete=_deregister)
    made_by("AWS::ECS::Service", create=_create, update=_update, delete=_delete)


def _create_cluster(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("ClusterName") or generated(stack, logical_id, NAME_LENGTH)
    sent = {**without(properties, "ClusterSettings"), "Settings": properties.get("ClusterSettings") or []}
    made = call("ecs", "CreateCluster", {**sent, "ClusterName": name})["cluster"]
    return name, {"Arn": made["clusterArn"]}


def _delete_cluster(name: str, _properties: Properties) -> None:
    gone("ecs", "DeleteCluster", cluster=name)


def _register(logical_id: str, properties: Properties, stack: str) -> Created:
    family = properties.get("Family") or generated(stack, logical_id, NAME_LENGTH)
    made = call("ecs", "RegisterTaskDefinition", {**properties, "Family": family})["taskDefinition"]
    return made["taskDefinitionArn"], {"TaskDefinitionArn": made["taskDefinitionArn"]}


def _deregister(arn: str, _properties: Properties) -> None:
    gone("ecs", "DeregisterTaskDefinition", taskDefinition=arn)


def _create(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("ServiceName") or generated(stack, logical_id, NAME_LENGTH)
    sent = {"DesiredCount": 1, **properties, "ServiceName": name}
    made = call("ecs", "CreateService", sent)["service"]
    return made["serviceArn"], {"Name": name, "ServiceArn": made["serviceArn"]}


def _update(arn: str, old: Properties, new: Properties, stack: str) -> Created:
    if changed(old, new, FIXED):
        made = _create("service", new, stack)
        _delete(arn, old)
        return made
    sent, before = without(new, *FIXED, "Tags"), _latest_deployment(arn, new["Cluster"])
    call("ecs", "UpdateService", {**sent, "Service": arn, "Cluster": new["Cluster"]})
    _wait_for_deployment(arn, new["Cluster"], before.get("serviceDeploymentArn", ""))
    return arn, {"Name": arn.rpartition("/")[2], "ServiceArn": arn}


def _latest_deployment(arn: str, cluster: str) -> Properties:
    found = call("ecs", "ListServiceDeployments", {"service": arn, "cluster": cluster})["serviceDeployments"]
    return found[0] if found else {}


def _wait_for_deployment(arn: str, cluster: str, before: str) -> None:
    """Wait for the end of the service's deployment, if one has begun since the deployment ``before``.

    Raises:
        RefusedError: it was rolled back; CloudFormation's update fails with it.
    """
    while (latest := _latest_deployment(arn, cluster)).get("serviceDeploymentArn", "") != before:
        if latest["status"] == "SUCCESSFUL":
            return
        if "finishedAt" in latest:
            raise RefusedError(f"Service deployment {latest['status']}: {latest.get('statusReason', '')}")
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _delete(arn: str, properties: Properties) -> None:
    gone("ecs", "DeleteService", service=arn, cluster=properties["Cluster"], force=True)
