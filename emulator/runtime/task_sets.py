"""Task sets of ECS services: the addresses of their tasks, and their registration with target groups.

A task set has the desired count of tasks of its service at once. Each has an address in a subnet of the service, which
is registered with the service's target group. Processes for them are started by :mod:`emulator.runtime.tasks`.
"""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any

from moto.ec2 import ec2_backends
from moto.ecs.models import TaskSet, ecs_backends
from moto.elbv2.models import elbv2_backends

CODE_DEPLOY = "CODE_DEPLOY"

# AWS reserves the first four addresses and the last one of a subnet.
_FIRST_ADDRESS = 4

_numbers = itertools.count()


def is_released_by_codedeploy(service: Any) -> bool:
    """Whether the service has the deployment controller CODE_DEPLOY."""
    return bool(service.deployment_controller["type"] == CODE_DEPLOY)


def task_sets(service: Any) -> list[Any]:
    """The task sets of a service; a service that ECS itself deploys has its tasks in one, too."""
    return list(service.task_sets) or [service.first_tasks]


def task_set(service: Any, *, load_balancers: list[dict[str, Any]], status: str, **properties: Any) -> Any:
    """A task set of ``service``, with the service's own values except for ``properties``.

    ``properties`` are attributes of moto's own class. The task set is not added to the service yet.
    """
    made = TaskSet(
        service.arn,
        service.cluster_arn,
        service.task_definition,
        service._account_id,  # noqa: SLF001 (moto offers no other way to it)
        service.region_name,
        network_configuration=service.network_configuration,
        load_balancers=load_balancers,
        launch_type=service.launch_type,
        capacity_provider_strategy=getattr(service, "capacityProviderStrategy", None),
        platform_version=service.platform_version,
    )
    made.service_arn = service.arn
    made.cluster_arn = service.cluster_arn
    made.status = status
    made.account_id = service._account_id  # noqa: SLF001
    made.addresses = []
    for name, value in properties.items():
        setattr(made, name, value)
    resize(made, service.desired_count)
    return made


def make_primary(service: Any, tasks: Any) -> None:
    """Make a task set the primary one of its service."""
    for other in service.task_sets:
        other.status = "PRIMARY" if other is tasks else "ACTIVE"
    service.task_definition = tasks.task_definition
    service.load_balancers = tasks.load_balancers
    service.network_configuration = tasks.network_configuration
    service.platform_version = tasks.platform_version
    service.launch_type = tasks.launch_type
    service.capacityProviderStrategy = service.capacity_provider_strategy = tasks.capacity_provider_strategy


def remove(service: Any, tasks: Any) -> None:
    """End a task set and its tasks."""
    deregister_targets(tasks)
    service.task_sets = [other for other in service.task_sets if other is not tasks]
    resize(tasks, 0)
    tasks.status = "DRAINING"


def image_at(account_id: str, region: str, address: str, port: int) -> str | None:
    """The image of the container that listens at an address and port; None where there is no such task."""
    backend = ecs_backends[account_id][region]
    for service in backend.services.values():
        for tasks in task_sets(service):
            if address not in tasks.addresses:
                continue
            for container in backend.describe_task_definition(tasks.task_definition).container_definitions:
                if port in [mapping["containerPort"] for mapping in container["portMappings"]]:
                    return str(container["image"])
    return None


def network_at(account_id: str, region: str, address: str) -> dict[str, Any] | None:
    """Subnets and groups of the task at an address, and if it has a public one; None where there is no such task."""
    for service in ecs_backends[account_id][region].services.values():
        for tasks in task_sets(service):
            if address in tasks.addresses:
                found = tasks.network_configuration["awsvpcConfiguration"]
                return {
                    "subnets": list(found["subnets"]),
                    "groups": list(found.get("securityGroups") or []),
                    "public": found.get("assignPublicIp") == "ENABLED",
                }
    return None


def register_targets(tasks: Any) -> None:
    """Register the address of each task of a task set with its target groups."""
    _for_each_target_group(tasks, "register_targets")


def deregister_targets(tasks: Any) -> None:
    """Deregister the address of each task of a task set from its target groups."""
    _for_each_target_group(tasks, "deregister_targets")


def _for_each_target_group(tasks: Any, operation: str) -> None:
    backend = elbv2_backends[tasks.account_id][tasks.region_name]
    for load_balancer in tasks.load_balancers:
        arn = load_balancer.get("targetGroupArn")
        if arn in backend.target_groups and tasks.addresses:
            targets = [{"Id": address, "Port": load_balancer["containerPort"]} for address in tasks.addresses]
            getattr(backend, operation)(arn, targets)


def resize(tasks: Any, count: int) -> None:
    """Give a task set ``count`` tasks, all running, each with an address of its own."""
    tasks.computed_desired_count = tasks.running_count = count
    tasks.pending_count = 0
    if tasks.network_configuration:
        missing = range(count - len(tasks.addresses))
        tasks.addresses = [*tasks.addresses[:count], *(_address(tasks) for _ in missing)]


def _address(tasks: Any) -> str:
    """An unused address; the subnets take turns."""
    subnet_ids = tasks.network_configuration["awsvpcConfiguration"]["subnets"]
    number = next(_numbers)
    subnets = ec2_backends[tasks.account_id][tasks.region_name].describe_subnets(subnet_ids=subnet_ids)
    network = ipaddress.ip_network(subnets[number % len(subnets)].cidr_block)
    usable = network.num_addresses - _FIRST_ADDRESS - 1
    return str(network[_FIRST_ADDRESS + number % usable])
