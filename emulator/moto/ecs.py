"""ECS: attributes of services that moto drops, the task sets of releases by CodeDeploy, and the targets of tasks.

A service has its desired count of tasks at once (:mod:`emulator.runtime.task_sets`). Where its tasks run as processes
(:mod:`emulator.runtime.tasks`), they are counted.
"""

from __future__ import annotations

from typing import Any

from moto.core.utils import camelcase_to_underscores
from moto.ecs.exceptions import ECSException, InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.models import elbv2_backends

from emulator.moto import ecs_deployments
from emulator.moto.extend import Method, override
from emulator.runtime.monitoring.scaling import resize_with
from emulator.runtime.task_sets import (
    deregister_targets,
    is_released_by_codedeploy,
    register_targets,
    resize,
    task_set,
    task_sets,
)
from emulator.runtime.tasks.keeper import KEEPER

KEPT = (
    "capacityProviderStrategy",
    "healthCheckGracePeriodSeconds",
    "enableExecuteCommand",
    "enableECSManagedTags",
    "availabilityZoneRebalancing",
    "deploymentConfiguration",
)
"""Parameters of a service that moto does not store, or not under the name that it returns."""

LEFT_TO_CODEDEPLOY = {
    "taskDefinition": "task definition",
    "loadBalancers": "load balancers",
    "networkConfiguration": "network parameters",
    "platformVersion": "platform version",
}
"""Parameters that UpdateService rejects for a service released by CodeDeploy, in the words of its error."""


@override(EC2ContainerServiceResponse)
def create_service(original: Method, self: Any) -> Any:
    """Store all parameters; a service released by CodeDeploy starts with a primary task set."""
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
    """Store all parameters; reject changes that only CodeDeploy may make."""
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
    before = ecs_deployments.version(service)
    ecs_deployments.refuse_another(service)
    answer = original(self)
    _keep(self, service)
    _count(service)
    if not is_released_by_codedeploy(service) and ecs_deployments.version(service) != before:
        ecs_deployments.begin(service)
    return answer


@override(EC2ContainerServiceBackend)
def describe_services(original: Method, self: Any, *arguments: Any, **keywords: Any) -> Any:
    """Count the tasks that run."""
    found, failures = original(self, *arguments, **keywords)
    for service in found:
        if service.status == "ACTIVE":
            _count_running(service)
    return found, failures


@override(EC2ContainerServiceBackend)
def delete_service(original: Method, self: Any, cluster_name: str, service_name: str, force: bool) -> Any:
    """End the tasks of the service, too."""
    service = original(self, cluster_name, service_name, force)
    for tasks in task_sets(service):
        deregister_targets(tasks)
    service.task_sets = []
    return service


@override(EC2ContainerServiceBackend)
def delete_cluster(original: Method, self: Any, cluster_str: str) -> Any:
    """Only one without services and tasks (DeleteCluster, API reference)."""
    cluster = self._get_cluster(cluster_str)
    services = (one for one in self.services.values() if one.cluster_arn == cluster.arn)
    if any(one.status != "INACTIVE" for one in services):
        raise ECSException(
            "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
        )
    tasks = self.tasks.get(cluster.name, {}).values()
    if any(one.last_status != "STOPPED" for one in tasks):
        raise ECSException("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
    return original(self, cluster_str)


@override(EC2ContainerServiceResponse)
def list_task_definitions(original: Method, self: Any) -> Any:
    """Return the latest first, where the request has that order."""
    answer = original(self)
    if self._get_param("sort") == "DESC":
        answer.result["taskDefinitionArns"].reverse()
    return answer


def _refuse_detached_target_groups(self: Any, load_balancers: list[dict[str, Any]]) -> None:
    """Reject target groups that do not exist or belong to no load balancer, as ECS does."""
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
        # Members of a structure that are not sent stay unchanged.
        kept[parameter] = {**kept.get(parameter, {}), **sent} if isinstance(sent, dict) else sent
        # moto sets the second when a service is updated, and reads both for its response.
        for name in (parameter, camelcase_to_underscores(parameter)):
            setattr(service, name, kept[parameter])


def _count_running(service: Any) -> None:
    for tasks in task_sets(service):
        away = len(tasks.addresses) - KEEPER.running(service.region_name, tasks.addresses)
        tasks.running_count, tasks.pending_count = tasks.computed_desired_count - away, away
    running = sum(tasks.running_count for tasks in task_sets(service) if tasks.status == "PRIMARY")
    _set_counts(service, running, service.desired_count - running)


def _set_counts(service: Any, running: int, pending: int) -> None:
    backend = service._backend  # noqa: SLF001 (moto offers no other way to it)
    cluster = backend._get_cluster(service.cluster_name)  # noqa: SLF001
    for state, count in (("RUNNING", running - service.running_count), ("PENDING", pending - service.pending_count)):
        backend.update_cluster_resources(cluster, count, task_state=state)
    service.running_count, service.pending_count = running, pending


def _count(service: Any) -> None:
    """Give the service its desired count of tasks at once."""
    _set_counts(service, service.desired_count, 0)
    for deployment in service.deployments[:1]:
        deployment["desiredCount"] = deployment["runningCount"] = service.desired_count
        deployment["pendingCount"] = 0
        deployment["taskDefinition"] = service.task_definition
        deployment["rolloutState"] = "COMPLETED"
        deployment["rolloutStateReason"] = f"ECS deployment {deployment['id']} completed."
    for tasks in task_sets(service):
        deregister_targets(tasks)
        resize(tasks, service.desired_count)
        register_targets(tasks)


def _resize(service: Any, count: int) -> None:
    service.desired_count = count
    _count(service)


resize_with(_resize)
