"""Revision of a task definition and AppSpec of a release.

Both are pure functions of AWS's responses: the running revision, and the one that `make deploy` registered from
settings.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from operations.outcome import Failed
from settings.naming import MADE_BY, RELEASE

# Tags that only AWS may set.
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html
RESERVED_TAG_PREFIX = "aws:"


@dataclass(frozen=True, kw_only=True)
class Running:
    """Task definition of a service's primary task set, with its container and port behind the load balancer.

    The next version is the same with another task definition.
    """

    task_definition: Mapping[str, Any]
    tags: Sequence[Mapping[str, str]]
    container: str
    container_port: int
    target_group: str = ""
    platform_version: str | None = None
    capacity_provider_strategy: Sequence[Mapping[str, Any]] = field(default=())

    @property
    def image(self) -> str:
        """The image of the container that the load balancer sends requests to."""
        return str(_container(self.task_definition, self.container)["image"])

    @property
    def ports(self) -> list[int]:
        """The ports of that container."""
        return [int(one["containerPort"]) for one in _container(self.task_definition, self.container)["portMappings"]]


def next_revision(running: Running, image: str, accepted: Collection[str]) -> dict[str, Any]:
    """Parameters that register a task definition again, with another image in one container.

    Args:
        running: the task definition to copy.
        image: of the new revision.
        accepted: the parameters of RegisterTaskDefinition. The rest of what AWS describes is its own (the revision,
            who registered it), and a parameter that it will take one day is kept on the day that botocore knows it.
    """
    parameters = {name: deepcopy(value) for name, value in running.task_definition.items() if name in accepted}
    _container(parameters, running.container)["image"] = image
    own = [dict(tag) for tag in running.tags if not tag["key"].startswith(RESERVED_TAG_PREFIX)]
    parameters["tags"] = [*(tag for tag in own if tag["key"] != MADE_BY), {"key": MADE_BY, "value": RELEASE}]
    return parameters


def differences(running: Running, wanted: Running, accepted: Collection[str]) -> list[str]:
    """Differences of another task definition other than the image of the service's container, a line each.

    For texts and numbers with both values, for anything else only its name: the values could be long.
    """
    found = []
    before, after = _parts(running, accepted), _parts(wanted, accepted)
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old != new:
            are_plain = all(isinstance(one, str | int | float | None) for one in (old, new))
            found.append(f"{name}: {old} -> {new}" if are_plain else name)
    return found


def _parts(running: Running, accepted: Collection[str]) -> dict[str, Any]:
    """A task definition's parameters and those of its containers, by name, in an order of their own."""
    parts = {
        name: _in_order(value)
        for name, value in running.task_definition.items()
        if name in accepted and name != "containerDefinitions"
    }
    for container in running.task_definition["containerDefinitions"]:
        for name, value in container.items():
            if name != "name" and (container["name"], name) != (running.container, "image"):
                parts[f"{container['name']}.{name}"] = _in_order(value)
    return parts


def _in_order(value: Any) -> Any:
    """A list of mappings is a set to ECS, which answers it in any order."""
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return sorted(value, key=lambda one: json.dumps(one, sort_keys=True))
    return value


def app_spec(running: Running, task_definition_arn: str, hook_arn: str) -> str:
    """The AppSpec of a release: CodeDeploy's own format, as JSON.

    NetworkConfiguration is omitted, so the service's applies. The capacity provider strategy is included: CodeDeploy
    drops one that is not repeated, and tasks would run on Fargate on demand.
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
