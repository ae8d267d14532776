"""ECS: what moto drops of a service, the task sets of one that CodeDeploy releases, and the targets of its tasks.

Tasks are not run. A service has as many as it is told to have, at once; each has an address in a subnet of the
service, which is registered with the service's target group.
"""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any

from moto.core.utils import camelcase_to_underscores
from moto.ec2 import ec2_backends
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend, TaskSet, ecs_backends
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.models import elbv2_backends

from emulator.services.extend import Method, override

CODE_DEPLOY = "CODE_DEPLOY"

KEPT = (
    "capacityProviderStrategy",
    "healthCheckGracePeriodSeconds",
    "enableExecuteCommand",
    "enableECSManagedTags",
    "availabilityZoneRebalancing",
    "deploymentConfiguration",
)
"""Parameters of a service that moto does not store under a name that it answers."""

LEFT_TO_CODEDEPLOY = {
    "taskDefinition": "task definition",
    "loadBalancers": "load balancers",
    "networkConfiguration": "network parameters",
    "platformVersion": "platform version",
}
"""What UpdateService refuses for a service that CodeDeploy releases, in the words of its refusal."""

# AWS keeps the first four addresses and the last one of a subnet for itself.
_FIRST_ADDRESS = 4

_numbers = itertools.count()


@override(EC2ContainerServiceResponse)
def create_service(original: Method, self: Any) -> Any:
    """Store all of it; where CodeDeploy releases it, it begins with a primary task set."""
    _refuse_detached_target_groups(self, self._get_param("loadBalancers") or [])
    answer = original(self)
    service = answer.result["service"]
    _keep(self, service)
    if self._get_param("capacityProviderStrategy"):
        service.launch_type = None
    primary = task_set(service, load_balancers=service.load_balancers, status="PRIMARY")
    service.first_tasks = primary
    if is_released_by_codedeploy(service):
        service.task_sets = [primary]
    register_targets(primary)
    _count(service)
    return answer


@override(EC2ContainerServiceResponse)
def update_service(original: Method, self: Any) -> Any:
    """Store all of it; refuse what only CodeDeploy may change."""
    service = self.ecs_backend._get_service(  # noqa: SLF001 (moto offers no other way to it)
        self._get_param("cluster", "default"), self._get_param("service").split("/")[-1]
    )
    if is_released_by_codedeploy(service):
        for parameter, words in LEFT_TO_CODEDEPLOY.items():
            if self._get_param(parameter) is not None:
                raise InvalidParameterException(
                    f"Unable to update {words} on services with a CODE_DEPLOY deployment controller. "
                    "Use AWS CodeDeploy to trigger a new deployment."
                )
    answer = original(self)
    _keep(self, service)
    _count(service)
    return answer


@override(EC2ContainerServiceBackend)
def delete_service(original: Method, self: Any, cluster_name: str, service_name: str, force: bool) -> Any:
    """Its tasks end with it."""
    service = original(self, cluster_name, service_name, force)
    for tasks in task_sets(service):
        deregister_targets(tasks)
    service.task_sets = []
    return service


@override(EC2ContainerServiceResponse)
def list_task_definitions(original: Method, self: Any) -> Any:
    """The latest first, where that is asked for."""
    answer = original(self)
    if self._get_param("sort") == "DESC":
        answer.result["taskDefinitionArns"].reverse()
    return answer


def is_released_by_codedeploy(service: Any) -> bool:
    """Whether the service has the deployment controller CODE_DEPLOY."""
    return bool(service.deployment_controller["type"] == CODE_DEPLOY)


def task_sets(service: Any) -> list[Any]:
    """The task sets of a service; the tasks of one that ECS itself deploys are kept like one."""
    return list(service.task_sets) or [service.first_tasks]


def task_set(service: Any, *, load_balancers: list[dict[str, Any]], status: str, **properties: Any) -> Any:
    """A task set of ``service``, like the service itself in what ``properties`` do not say.

    ``properties`` are attributes of moto's own class; it is not yet one of the service's.
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
    _resize(made, service.desired_count)
    return made


def make_primary(service: Any, tasks: Any) -> None:
    """Make one of its task sets the one that the service is said to be."""
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
    _resize(tasks, 0)
    tasks.status = "DRAINING"


def image_at(account_id: str, region: str, address: str, port: int) -> str | None:
    """The image of the container that would listen at an address and port; None where there is no such task."""
    backend = ecs_backends[account_id][region]
    for service in backend.services.values():
        for tasks in task_sets(service):
            if address not in tasks.addresses:
                continue
            for container in backend.describe_task_definition(tasks.task_definition).container_definitions:
                if port in [mapping["containerPort"] for mapping in container["portMappings"]]:
                    return str(container["image"])
    return None


def register_targets(tasks: Any) -> None:
    """Register the address of each task of a task set with its target groups."""
    _for_each_target_group(tasks, "register_targets")


def deregister_targets(tasks: Any) -> None:
    """The reverse."""
    _for_each_target_group(tasks, "deregister_targets")


def _for_each_target_group(tasks: Any, operation: str) -> None:
    backend = elbv2_backends[tasks.account_id][tasks.region_name]
    for load_balancer in tasks.load_balancers:
        arn = load_balancer.get("targetGroupArn")
        if arn in backend.target_groups and tasks.addresses:
            targets = [{"Id": address, "Port": load_balancer["containerPort"]} for address in tasks.addresses]
            getattr(backend, operation)(arn, targets)


def _refuse_detached_target_groups(self: Any, load_balancers: list[dict[str, Any]]) -> None:
    """As ECS does: a target group exists and hangs on a load balancer before a service can use it."""
    backend = elbv2_backends[self.current_account][self.region]
    for arn in [entry["targetGroupArn"] for entry in load_balancers if "targetGroupArn" in entry]:
        if arn not in backend.target_groups:
            raise InvalidParameterException(f"The specified target group does not exist. (targetGroupArn: {arn})")
        if not backend._any_listener_using(arn):  # noqa: SLF001 (moto offers no other way to it)
            raise InvalidParameterException(
                f"The target group with targetGroupArn {arn} does not have an associated load balancer."
            )


def _keep(self: Any, service: Any) -> None:
    kept = service.__dict__.setdefault("kept", {})
    for parameter in KEPT:
        sent = self._get_param(parameter)
        if sent is None:
            continue
        # What is not sent of a structure stays as it is.
        kept[parameter] = {**kept.get(parameter, {}), **sent} if isinstance(sent, dict) else sent
        # moto sets the second when a service is updated, and looks for both when it answers.
        for name in (parameter, camelcase_to_underscores(parameter)):
            setattr(service, name, kept[parameter])


def _count(service: Any) -> None:
    """As many tasks as are wanted, at once."""
    backend, cluster = service._backend, service._backend._get_cluster(service.cluster_name)  # noqa: SLF001
    for state, count in (("RUNNING", -service.running_count), ("PENDING", -service.pending_count)):
        backend.update_cluster_resources(cluster, count, task_state=state)
    service.running_count, service.pending_count = service.desired_count, 0
    backend.update_cluster_resources(cluster, service.running_count, task_state="RUNNING")
    for deployment in service.deployments[:1]:
        deployment["desiredCount"] = deployment["runningCount"] = service.desired_count
        deployment["pendingCount"] = 0
        deployment["taskDefinition"] = service.task_definition
        deployment["rolloutState"] = "COMPLETED"
        deployment["rolloutStateReason"] = f"ECS deployment {deployment['id']} completed."
    for tasks in task_sets(service):
        deregister_targets(tasks)
        _resize(tasks, service.desired_count)
        register_targets(tasks)


def _resize(tasks: Any, count: int) -> None:
    tasks.computed_desired_count = tasks.running_count = count
    tasks.pending_count = 0
    if tasks.network_configuration:
        missing = range(count - len(tasks.addresses))
        tasks.addresses = [*tasks.addresses[:count], *(_address(tasks) for _ in missing)]


def _address(tasks: Any) -> str:
    """An address that no other task has, in one of the subnets in turn."""
    subnet_ids = tasks.network_configuration["awsvpcConfiguration"]["subnets"]
    number = next(_numbers)
    subnets = ec2_backends[tasks.account_id][tasks.region_name].describe_subnets(subnet_ids=subnet_ids)
    network = ipaddress.ip_network(subnets[number % len(subnets)].cidr_block)
    usable = network.num_addresses - _FIRST_ADDRESS - 1
    return str(network[_FIRST_ADDRESS + number % usable])
