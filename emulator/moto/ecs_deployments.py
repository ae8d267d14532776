"""ECS: deployments of a service by ECS itself, which begin with a change of its version.

A canary shifts the traffic of its load balancers (:mod:`emulator.runtime.service_deployments`). With the strategy
ROLLING the tasks get the new version at once. The other strategies are refused.
"""

from __future__ import annotations

import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import ECSException, InvalidParameterException
from moto.ecs.responses import EC2ContainerServiceResponse

from emulator.moto.extend import add
from emulator.runtime.service_deployments import lifecycle
from emulator.runtime.service_deployments.deployment import Revision, ServiceDeployment

ROLLING = "ROLLING"
VERSION = ("task_definition", "load_balancers", "network_configuration", "platform_version")
"""Attributes of moto's services whose change makes another version.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html"""


def version(service: Any) -> tuple[Any, ...]:
    """What a deployment of a service (one of moto's) would change."""
    return tuple(getattr(service, name) for name in VERSION)


def strategy(service: Any) -> str:
    """The deployment strategy of a service."""
    kept = getattr(service, "kept", {}).get("deploymentConfiguration") or {}
    return str(kept.get("strategy") or ROLLING)


def refuse_another(service: Any) -> None:
    """Refuse an update while a deployment is in progress: what ECS makes of it is not played."""
    if any(not one.is_over for one in _deployments(service)):
        raise InvalidParameterException("the local AWS updates no service while a deployment of it is in progress")


def begin(service: Any) -> None:
    """Begin the deployment of a service whose version was changed."""
    chosen = strategy(service)
    if chosen == ROLLING:
        service.first_tasks.task_definition = service.task_definition
        service.first_tasks.network_configuration = service.network_configuration
    elif chosen == lifecycle.CANARY:
        old = getattr(service, "revision_arn", "") or _revision(service)
        deployment = ServiceDeployment(
            service=service,
            configuration=dict(service.kept["deploymentConfiguration"]),
            blue=Revision(arn=old, tasks=service.first_tasks, test_weight=100.0, production_weight=100.0),
            green=Revision(arn=_revision(service)),
        )
        _deployments(service).append(deployment)
        lifecycle.start(deployment)
    else:
        raise InvalidParameterException(f"the local AWS plays no deployment by the strategy {chosen}")


def _revision(service: Any) -> str:
    return f"{service.arn.replace(':service/', ':service-revision/')}/{uuid.uuid4().int % 10**19}"


def _deployments(service: Any) -> list[ServiceDeployment]:
    found: list[ServiceDeployment] = service.__dict__.setdefault("service_deployments", [])
    return found


def _found(self: Any, arn: str) -> ServiceDeployment:
    for service in self.ecs_backend.services.values():
        for one in _deployments(service):
            if one.arn == arn:
                return one
    raise _NotFoundError("The service deployment ARN that you specified doesn't exist.")


class _NotFoundError(ECSException):  # type: ignore[misc]
    code = "ServiceDeploymentNotFoundException"


@add(EC2ContainerServiceResponse)
def list_service_deployments(self: Any) -> ActionResult:
    """Those of a service, the latest first."""
    service = self.ecs_backend._get_service(  # noqa: SLF001 (moto offers no other way to it)
        self._get_param("cluster", "default"), self._get_param("service").split("/")[-1]
    )
    wanted = self._get_param("status") or []
    found = [one for one in reversed(_deployments(service)) if not wanted or one.status in wanted]
    return ActionResult({"serviceDeployments": [one.brief() for one in found]})


@add(EC2ContainerServiceResponse)
def describe_service_deployments(self: Any) -> ActionResult:
    """Those of these ARNs."""
    arns = self._get_param("serviceDeploymentArns")
    return ActionResult({"serviceDeployments": [_found(self, arn).described() for arn in arns], "failures": []})


@add(EC2ContainerServiceResponse)
def stop_service_deployment(self: Any) -> ActionResult:
    """Roll it back; to abort it is refused, as ECS does where traffic shifts."""
    deployment = _found(self, self._get_param("serviceDeploymentArn"))
    if (self._get_param("stopType") or "ROLLBACK") != "ROLLBACK":
        raise InvalidParameterException("the local AWS aborts no service deployment")
    deployment.stop_requested = True
    return ActionResult({"serviceDeploymentArn": deployment.arn})
