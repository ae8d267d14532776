"""CodeDeploy: deployment groups as they were sent, and blue/green releases of ECS services.

The course of a release is in :mod:`emulator.runtime.releases`; here are the operations that start and describe one.
"""

from __future__ import annotations

from typing import Any

from moto.codedeploy.models import CodeDeployBackend
from moto.codedeploy.responses import CodeDeployResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.ecs.models import ecs_backends
from moto.s3.models import s3_backends

from emulator.moto.codedeploy_configurations import ECS, ECS_DEFAULT, config_named, error
from emulator.moto.extend import Method, add, override
from emulator.runtime.releases.appspec import AppSpec, InvalidAppSpecError, parse
from emulator.runtime.releases.deployment import EcsDeployment, Status
from emulator.runtime.releases.lifecycle import READY_WAIT, TERMINATION_WAIT, lifecycle_events, start
from emulator.runtime.task_sets import is_released_by_codedeploy

PAIR = 2

GROUP_ATTRIBUTES = {
    "deploymentConfigName": "deployment_config_name",
    "serviceRoleArn": "service_role_arn",
    "triggerConfigurations": "trigger_configurations",
    "alarmConfiguration": "alarm_configuration",
    "autoRollbackConfiguration": "auto_rollback_configuration",
    "outdatedInstancesStrategy": "outdated_instances_strategy",
    "deploymentStyle": "deployment_style",
    "blueGreenDeploymentConfiguration": "blue_green_deployment_configuration",
    "loadBalancerInfo": "load_balancer_info",
    "ecsServices": "ecs_services",
}
"""Parameters of UpdateDeploymentGroup, and moto's attributes for them."""


@add(CodeDeployResponse)
def delete_application(self: Any) -> EmptyResult:
    """Delete an application with its groups; a missing one is no error."""
    name = self._get_param("applicationName")
    self.codedeploy_backend.applications.pop(name, None)
    self.codedeploy_backend.deployment_groups.pop(name, None)
    return EmptyResult()


@override(CodeDeployResponse)
def create_deployment_group(original: Method, self: Any) -> ActionResult:
    """Refuse attributes that a deployment of ECS does not support."""
    backend = self.codedeploy_backend
    application = backend.get_application(self._get_param("applicationName"))
    if application.compute_platform == ECS:
        config_named(backend, self._get_param("deploymentConfigName") or ECS_DEFAULT)
        _refuse_services(self)
        _refuse_incomplete(self)
    answer: ActionResult = original(self)
    if application.compute_platform == ECS and not self._get_param("deploymentConfigName"):
        _group(self, self._get_param("deploymentGroupName")).deployment_config_name = ECS_DEFAULT
    return answer


@override(CodeDeployResponse)
def get_deployment_group(original: Method, self: Any) -> ActionResult:
    """Answer the alarms as they were sent, and the deployments that there were."""
    answer = original(self)
    group = _group(self, self._get_param("deploymentGroupName"))
    info = answer.result["deploymentGroupInfo"]
    info["deploymentConfigName"] = group.deployment_config_name
    info["alarmConfiguration"] = group.alarm_configuration
    for member in ("lastSuccessfulDeployment", "lastAttemptedDeployment", "targetRevision"):
        info[member] = getattr(group, member, None)
    answer.result["deploymentGroupInfo"] = {member: value for member, value in info.items() if value is not None}
    return answer


@add(CodeDeployResponse)
def update_deployment_group(self: Any) -> ActionResult:
    """Store the attributes of the group that are sent."""
    current = self._get_param("currentDeploymentGroupName")
    group = _group(self, current)
    if self._get_param("deploymentConfigName"):
        config_named(self.codedeploy_backend, self._get_param("deploymentConfigName"))
    _refuse_services(self)
    for parameter, attribute in GROUP_ATTRIBUTES.items():
        sent = self._get_param(parameter)
        if sent is not None:
            setattr(group, attribute, sent)
    renamed = self._get_param("newDeploymentGroupName")
    if renamed:
        groups = self.codedeploy_backend.deployment_groups[self._get_param("applicationName")]
        group.deployment_group_name = renamed
        groups[renamed] = groups.pop(current)
    return ActionResult({"hooksNotCleanedUp": []})


@add(CodeDeployResponse)
def delete_deployment_group(self: Any) -> ActionResult:
    """Delete a group; a missing one is no error."""
    groups = self.codedeploy_backend.deployment_groups.get(self._get_param("applicationName"), {})
    groups.pop(self._get_param("deploymentGroupName"), None)
    return ActionResult({"hooksNotCleanedUp": []})


def _group(self: Any, name: str) -> Any:
    return self.codedeploy_backend.get_deployment_group(self._get_param("applicationName"), name)


def _refuse_incomplete(self: Any) -> None:
    """As CodeDeploy does: a group for ECS names the service, the target groups and the deployment style."""
    if not self._get_param("ecsServices"):
        raise error("InvalidECSServiceException", "A deployment group for ECS needs an Amazon ECS service.")
    pairs = (self._get_param("loadBalancerInfo") or {}).get("targetGroupPairInfoList") or [{}]
    if len(pairs[0].get("targetGroups", [])) != PAIR or "prodTrafficRoute" not in pairs[0]:
        raise error("InvalidLoadBalancerInfoException", "A deployment group for ECS needs a pair of target groups.")
    if (self._get_param("deploymentStyle") or {}).get("deploymentType") != "BLUE_GREEN":
        raise error("InvalidDeploymentStyleException", "A deployment group for ECS needs the type BLUE_GREEN.")
    if not self._get_param("blueGreenDeploymentConfiguration"):
        raise error(
            "InvalidBlueGreenDeploymentConfigurationException",
            "A deployment group for ECS needs a blue/green deployment configuration.",
        )


def _refuse_services(self: Any) -> None:
    """As CodeDeploy does: a service that exists must be one that it may release."""
    for named in self._get_param("ecsServices") or []:
        services = ecs_backends[self.current_account][self.region].services
        service = services.get(f"{named['clusterName']}:{named['serviceName']}")
        if service is None or service.status == "INACTIVE":
            raise error("InvalidECSServiceException", f"The Amazon ECS service {named['serviceName']} does not exist.")
        if not is_released_by_codedeploy(service):
            raise error(
                "InvalidECSServiceException",
                "Deployment group's ECS service must be configured for a CODE_DEPLOY deployment controller.",
            )


@override(CodeDeployResponse)
def create_deployment(original: Method, self: Any) -> ActionResult:
    """Begin a release, unless one of the group is going on."""
    application = self.codedeploy_backend.get_application(self._get_param("applicationName"))
    if application.compute_platform != ECS:
        return original(self)
    group_name = self._get_param("deploymentGroupName")
    if not group_name:
        raise error("DeploymentGroupNameRequiredException", "Deployment group name is required.")
    group = _group(self, group_name)
    _refuse_second(self.codedeploy_backend, group)
    config_name = self._get_param("deploymentConfigName") or group.deployment_config_name
    config_named(self.codedeploy_backend, config_name)
    revision = self._get_param("revision")
    deployment = EcsDeployment(
        account_id=self.current_account,
        region=self.region,
        application=application,
        deployment_group=group,
        revision=revision,
        appspec=_appspec(self, revision),
        deployment_config_name=config_name,
        events=lifecycle_events(group),
        auto_rollback=self._get_param("autoRollbackConfiguration") or group.auto_rollback_configuration or {},
        alarms=self._get_param("overrideAlarmConfiguration") or group.alarm_configuration or {},
        override_alarms=self._get_param("overrideAlarmConfiguration"),
        description=self._get_param("description") or "",
    )
    self.codedeploy_backend.deployments[deployment.deployment_id] = deployment
    start(deployment)
    return ActionResult({"deploymentId": deployment.deployment_id})


@override(CodeDeployResponse)
def get_deployment(original: Method, self: Any) -> ActionResult:
    """Answer how far a release is."""
    deployment = self.codedeploy_backend.get_deployment(self._get_param("deploymentId"))
    if isinstance(deployment, EcsDeployment):
        return ActionResult({"deploymentInfo": deployment.info()})
    return original(self)


@override(CodeDeployResponse)
def batch_get_deployments(original: Method, self: Any) -> ActionResult:
    """Answer how far releases are; ids of none are left out."""
    deployments = self.codedeploy_backend.batch_get_deployments(self._get_param("deploymentIds"))
    if all(isinstance(deployment, EcsDeployment) for deployment in deployments):
        return ActionResult({"deploymentsInfo": [deployment.info() for deployment in deployments]})
    return original(self)


@override(CodeDeployBackend)
def list_deployments(original: Method, self: Any, **parameters: Any) -> list[str]:
    """The newest first."""
    return list(reversed(original(self, **parameters)))


@add(CodeDeployResponse)
def stop_deployment(self: Any) -> ActionResult:
    """Stop a release; it ends a moment later."""
    deployment = _running_release(self)
    deployment.stop_rolls_back = self._get_param("autoRollbackEnabled")
    deployment.stop_requested = True
    return ActionResult({"status": "Pending", "statusMessage": "The deployment is being stopped."})


@add(CodeDeployResponse)
def continue_deployment(self: Any) -> EmptyResult:
    """End a wait of a release: for its continuation, or for the termination of the original tasks."""
    deployment = _running_release(self)
    wait = self._get_param("deploymentWaitType") or READY_WAIT
    is_waiting = deployment.is_terminating if wait == TERMINATION_WAIT else deployment.status == Status.READY
    if not is_waiting:
        raise error(
            "DeploymentIsNotInReadyStateException", f"The deployment {deployment.deployment_id} does not wait for that."
        )
    deployment.continued.add(wait)
    return EmptyResult()


@add(CodeDeployResponse)
def put_lifecycle_event_hook_execution_status(self: Any) -> ActionResult:
    """Take the answer of a function that was called for a lifecycle event."""
    deployment = _release(self)
    execution_id = self._get_param("lifecycleEventHookExecutionId")
    event = next((event for event in deployment.events if execution_id and event.execution_id == execution_id), None)
    if event is None:
        raise error("InvalidLifecycleEventHookExecutionIdException", f"{execution_id} is the id of no execution.")
    if self._get_param("status") not in (Status.SUCCEEDED, Status.FAILED):
        raise error("InvalidLifecycleEventHookExecutionStatusException", "The status is Succeeded or Failed.")
    if event.end_time is not None or deployment.is_over:
        raise error("LifecycleEventAlreadyCompletedException", f"The lifecycle event {event.name} has ended.")
    event.end(Status(self._get_param("status")))
    return ActionResult({"lifecycleEventHookExecutionId": execution_id})


@add(CodeDeployResponse)
def list_deployment_targets(self: Any) -> ActionResult:
    """Answer the id of the one target of a release of ECS."""
    return ActionResult({"targetIds": [_started_release(self).target_id]})


@add(CodeDeployResponse)
def get_deployment_target(self: Any) -> ActionResult:
    """Answer how far the target is."""
    return ActionResult({"deploymentTarget": _targets(self, [self._get_param("targetId")])[0]})


@add(CodeDeployResponse)
def batch_get_deployment_targets(self: Any) -> ActionResult:
    """Answer how far the targets are."""
    return ActionResult({"deploymentTargets": _targets(self, self._get_param("targetIds") or [])})


def _targets(self: Any, target_ids: list[str]) -> list[dict[str, Any]]:
    deployment = _started_release(self)
    for target_id in target_ids:
        if target_id != deployment.target_id:
            raise error("DeploymentTargetDoesNotExistException", f"{target_id} is the id of no target.")
    return [deployment.target() for _ in target_ids]


def _refuse_second(backend: Any, group: Any) -> None:
    for deployment in backend.deployments.values():
        if deployment.deployment_group is group and not deployment.is_over:
            raise error(
                "DeploymentLimitExceededException",
                f"The Deployment Group '{group.deployment_group_name}' already has an active Deployment "
                f"'{deployment.deployment_id}'",
            )


def _appspec(self: Any, revision: dict[str, Any] | None) -> AppSpec:
    if not revision:
        raise error("RevisionRequiredException", "A revision is required.")
    content = revision.get("appSpecContent", {}).get("content")
    if revision.get("revisionType") == "S3":
        location = revision["s3Location"]
        bucket = s3_backends[self.current_account][self.partition]
        content = bucket.get_object(location["bucket"], location["key"]).value.decode()
    if not content:
        raise error("InvalidRevisionException", "A release of ECS has an AppSpec, as such or in S3.")
    try:
        return parse(content)
    except InvalidAppSpecError as flaw:
        raise error("InvalidRevisionException", str(flaw)) from None


def _release(self: Any) -> EcsDeployment:
    deployment = self.codedeploy_backend.get_deployment(self._get_param("deploymentId"))
    if not isinstance(deployment, EcsDeployment):
        raise error("UnsupportedActionForDeploymentTypeException", "Only releases of ECS are played here.")
    return deployment


def _started_release(self: Any) -> EcsDeployment:
    deployment = _release(self)
    if deployment.status == Status.CREATED:
        raise error("DeploymentNotStartedException", f"The deployment {deployment.deployment_id} has not started.")
    return deployment


def _running_release(self: Any) -> EcsDeployment:
    deployment = _release(self)
    if deployment.is_over:
        raise error(
            "DeploymentAlreadyCompletedException", f"The deployment {deployment.deployment_id} has already completed."
        )
    return deployment
