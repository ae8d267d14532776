"""AppSpec files of ECS releases, in YAML or JSON.

The format: https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml  # type: ignore[import-untyped]

HOOKS = ("BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic")
"""The lifecycle events of an ECS release at which a function can be called."""


class InvalidAppSpecError(Exception):
    """Not a valid AppSpec of an ECS release; the message says why."""


@dataclass(frozen=True, kw_only=True)
class AppSpec:
    """Task definition, container and hooks of a release."""

    task_definition: str
    container_name: str
    container_port: int
    platform_version: str | None
    network_configuration: dict[str, Any] | None
    capacity_provider_strategy: list[dict[str, Any]] | None
    hooks: dict[str, str]


def parse(content: str) -> AppSpec:
    """Read an AppSpec.

    Raises:
        InvalidAppSpecError: the content is not a valid AppSpec.
    """
    try:
        document = yaml.safe_load(content)
    except yaml.YAMLError as flaw:
        raise InvalidAppSpecError(f"The AppSpec file is neither YAML nor JSON: {flaw}") from None
    sections = {str(name).lower(): section for name, section in _mapping(document, "The AppSpec file").items()}
    properties = _properties(sections)
    load_balancer = _mapping(properties.get("LoadBalancerInfo"), "LoadBalancerInfo")
    return AppSpec(
        task_definition=_text(properties, "TaskDefinition"),
        container_name=_text(load_balancer, "ContainerName"),
        container_port=_port(load_balancer),
        platform_version=properties.get("PlatformVersion"),
        network_configuration=_in_ecs_spelling(properties.get("NetworkConfiguration")),
        capacity_provider_strategy=_in_ecs_spelling(properties.get("CapacityProviderStrategy")),
        hooks=_hooks(sections.get("hooks") or []),
    )


def describing(tasks: Any) -> str:
    """The AppSpec that would release the task set ``tasks`` (one of moto's)."""
    (load_balancer,) = tasks.load_balancers
    properties = {
        "TaskDefinition": tasks.task_definition,
        "LoadBalancerInfo": {
            "ContainerName": load_balancer["containerName"],
            "ContainerPort": load_balancer["containerPort"],
        },
    }
    service = {"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}}
    return json.dumps({"version": 0.0, "Resources": [service]})


def _properties(sections: dict[str, Any]) -> dict[str, Any]:
    resources = sections.get("resources")
    if not isinstance(resources, list) or len(resources) != 1:
        raise InvalidAppSpecError("The AppSpec file has other than one resource")
    (service,) = _mapping(resources[0], "The resource").values()
    if _mapping(service, "The resource").get("Type") != "AWS::ECS::Service":
        raise InvalidAppSpecError("The resource of the AppSpec file has another type than AWS::ECS::Service")
    return _mapping(service.get("Properties"), "Properties")


def _hooks(entries: Any) -> dict[str, str]:
    if not isinstance(entries, list):
        raise InvalidAppSpecError("The hooks of the AppSpec file are no list")
    hooks = {name: function for entry in entries for name, function in _mapping(entry, "A hook").items()}
    unknown = sorted(set(hooks) - set(HOOKS))
    if unknown:
        raise InvalidAppSpecError(f"The AppSpec file has hooks that a release of ECS does not have: {unknown}")
    return {name: str(function) for name, function in hooks.items()}


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise InvalidAppSpecError(f"{what} of the AppSpec file is missing or no mapping")
    return value


def _text(values: dict[str, Any], name: str) -> str:
    if not isinstance(values.get(name), str) or not values[name]:
        raise InvalidAppSpecError(f"{name} is missing in the AppSpec file")
    return str(values[name])


def _port(load_balancer: dict[str, Any]) -> int:
    try:
        return int(load_balancer["ContainerPort"])
    except (KeyError, TypeError, ValueError):
        raise InvalidAppSpecError("ContainerPort is missing in the AppSpec file") from None


def _in_ecs_spelling(value: Any) -> Any:
    """The value with camelCase names, as in ECS's API, in place of the AppSpec's PascalCase."""
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _in_ecs_spelling(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_in_ecs_spelling(member) for member in value]
    return value
