"""What a release sends to AWS, made from what runs: the next revision of a task definition, and the AppSpec.

Both are pure: what they are made from is what AWS answered.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from operations.outcome import Failed

# Tags that AWS itself sets; it refuses them from anybody else.
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html
RESERVED_TAG_PREFIX = "aws:"


@dataclass(frozen=True, kw_only=True)
class Running:
    """What a service's primary task set runs, and where the load balancer finds it."""

    task_definition: Mapping[str, Any]
    tags: Sequence[Mapping[str, str]]
    container: str
    container_port: int
    platform_version: str | None = None
    capacity_provider_strategy: Sequence[Mapping[str, Any]] = field(default=())

    @property
    def image(self) -> str:
        """The image of the container that the load balancer sends requests to."""
        return str(_container(self.task_definition, self.container)["image"])


def next_revision(running: Running, image: str, accepted: Collection[str]) -> dict[str, Any]:
    """The parameters that register the running task definition once more, with another image in one container.

    Args:
        running: what runs.
        image: what shall run.
        accepted: the parameters of RegisterTaskDefinition. The rest of what AWS describes is its own (the revision,
            who registered it), and a parameter that it will take one day is kept on the day that botocore knows it.
    """
    parameters = {name: deepcopy(value) for name, value in running.task_definition.items() if name in accepted}
    _container(parameters, running.container)["image"] = image
    if tags := [dict(tag) for tag in running.tags if not tag["key"].startswith(RESERVED_TAG_PREFIX)]:
        parameters["tags"] = tags
    return parameters


def app_spec(running: Running, task_definition_arn: str, hook_arn: str) -> str:
    """The AppSpec of a release: CodeDeploy's own format, as JSON.

    NetworkConfiguration is left out: the service's holds then. The capacity provider strategy is not: CodeDeploy drops
    one that is not repeated, and the tasks go to Fargate on demand.
    https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html
    """
    properties: dict[str, Any] = {
        "TaskDefinition": task_definition_arn,
        "LoadBalancerInfo": {"ContainerName": running.container, "ContainerPort": running.container_port},
    }
    if running.platform_version:
        properties["PlatformVersion"] = running.platform_version
    if running.capacity_provider_strategy:
        properties["CapacityProviderStrategy"] = [
            {name[0].upper() + name[1:]: value for name, value in provider.items()}
            for provider in running.capacity_provider_strategy
        ]
    target = {"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}}
    document = {"version": 0.0, "Resources": [target], "Hooks": [{"AfterAllowTestTraffic": hook_arn}]}
    return json.dumps(document, indent=2)


def _container(task_definition: Mapping[str, Any], name: str) -> dict[str, Any]:
    for container in task_definition["containerDefinitions"]:
        if container["name"] == name:
            return container  # type: ignore[no-any-return]
    names = ", ".join(one["name"] for one in task_definition["containerDefinitions"])
    raise Failed(f"the running task definition has no container {name!r}, to which requests go; it has {names}")
