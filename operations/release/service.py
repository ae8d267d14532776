"""A blue/green service in AWS, as far as a release reads and changes it: ECS, CodeDeploy, and the alarms."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from operations.outcome import Refused
from operations.release.progress import Alarm, Event, Look, Plan
from operations.release.revision import Running, app_spec, differences, next_revision
from operations.release.scaling import Scaling
from operations.waking import wake
from operations.watching import RUNNING_DEPLOYMENT
from settings.naming import MADE_BY, RELEASE, SETTINGS

# Standard mode retries throttled and unanswered calls with exponential backoff.
CONFIG = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
SERVICE_EVENTS_SHOWN = 4
ALARMS_PER_CALL = 100  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
LONGEST_DESCRIPTION = 256  # characters
NOT_STARTED = ("DeploymentNotStartedException", "DeploymentTargetDoesNotExistException")
DOES_NOT_EXIST = (
    "ClusterNotFoundException",
    "ServiceNotFoundException",
    "ApplicationDoesNotExistException",
    "DeploymentGroupDoesNotExistException",
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a service runs, and the one name of its ECS service, CodeDeploy application and deployment group."""

    service: str
    name: str
    cluster: str
    region: str
    hook_arn: str
    alarms_of: Mapping[str, str] = field(default_factory=dict)
    """By target group, the prefix of the names of its colour's alarms."""


class BlueGreenService:
    """A service and its releases."""

    def __init__(self, place: Place, session: boto3.Session) -> None:
        self.place = place
        # Any: the types of these clients are not among the locked packages.
        make: Any = session.client
        self._ecs = make("ecs", region_name=place.region, config=CONFIG)
        self._codedeploy = make("codedeploy", region_name=place.region, config=CONFIG)
        self._cloudwatch = make("cloudwatch", region_name=place.region, config=CONFIG)
        self._lambda = make("lambda", region_name=place.region, config=CONFIG)
        self._scaling = Scaling(
            client=make("application-autoscaling", region_name=place.region, config=CONFIG),
            resource_id=f"service/{place.cluster}/{place.name}",
        )
        self._group = {"applicationName": place.name, "deploymentGroupName": place.name}

    def running(self) -> Running:
        """The running version: that of the primary task set.

        Raises:
            Refused: there is no such service, or CodeDeploy does not deploy it.
        """
        with self._must_exist():
            service = self._described()
        primary = next((one for one in service.get("taskSets", []) if one["status"] == "PRIMARY"), service)
        answer = self._ecs.describe_task_definition(taskDefinition=primary["taskDefinition"], include=["TAGS"])
        balancers = primary.get("loadBalancers") or service["loadBalancers"]
        strategy = primary.get("capacityProviderStrategy") or service.get("capacityProviderStrategy", [])
        return Running(
            task_definition=answer["taskDefinition"],
            tags=answer.get("tags", []),
            container=balancers[0]["containerName"],
            container_port=balancers[0]["containerPort"],
            target_group=balancers[0]["targetGroupArn"].split("/")[-2],
            platform_version=primary.get("platformVersion") or service.get("platformVersion"),
            capacity_provider_strategy=strategy,
        )

    def as_settings_say(self, running: Running) -> Running:
        """The running version with the task definition that `make deploy` registered last from settings.

        Where no revision has the tag, it is the running version.

        Raises:
            Refused: its port differs from the one to which the load balancer forwards.
        """
        for described in self._revisions(str(running.task_definition["family"]), SETTINGS):
            found = replace(running, task_definition=described["taskDefinition"], tags=described["tags"])
            if running.container_port not in found.ports:
                raise Refused(
                    f"port: {found.ports[0]} is not allowed; {self.place.name} serves customers on "
                    f"{running.container_port}, and with another port it must be a new service"
                )
            return found
        return running

    def differences(self, running: Running, wanted: Running) -> list[str]:
        """Differences of another task definition other than the image, a line each."""
        return differences(running, wanted, self._parameters)

    def forget_older(self, running: Running) -> None:
        """Deregister the revisions of earlier releases, which run nowhere. Failures are left for the next release."""
        with contextlib.suppress(ClientError, BotoCoreError):
            own = str(running.task_definition["taskDefinitionArn"])
            for described in self._revisions(str(running.task_definition["family"]), RELEASE):
                if (arn := described["taskDefinition"]["taskDefinitionArn"]) != own:
                    self._ecs.deregister_task_definition(taskDefinition=arn)

    def _revisions(self, family: str, made_by: str) -> Iterator[dict[str, Any]]:
        """Active revisions of a family, registered by Terraform or by releases, latest first."""
        pages = self._ecs.get_paginator("list_task_definitions").paginate(
            familyPrefix=family, status="ACTIVE", sort="DESC"
        )
        for arn in [arn for page in pages for arn in page["taskDefinitionArns"]]:
            described = self._ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
            if {"key": MADE_BY, "value": made_by} in described.get("tags", []):
                yield described

    @property
    def _parameters(self) -> frozenset[str]:
        """Parameters of RegisterTaskDefinition."""
        return frozenset(self._ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members)

    def in_progress(self) -> str | None:
        """The id of the deployment that is in progress, if one is."""
        with self._must_exist():
            pages = self._codedeploy.get_paginator("list_deployments").paginate(
                **self._group, includeOnlyStatuses=list(RUNNING_DEPLOYMENT)
            )
            return next((identity for page in pages for identity in page["deployments"]), None)

    def last(self) -> str | None:
        """The id of the last deployment, if any."""
        with self._must_exist():
            group = self._codedeploy.get_deployment_group(**self._group)["deploymentGroupInfo"]
        return group.get("lastAttemptedDeployment", {}).get("deploymentId")  # type: ignore[no-any-return]

    def triggering(self, deployment_id: str) -> str:
        """The deployment that a rollback undoes, if ``deployment_id`` is one; else ``deployment_id`` itself."""
        found = self._codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        return found.get("rollbackInfo", {}).get("rollbackTriggeringDeploymentId") or deployment_id

    def plan(self, deployment_id: str | None = None) -> Plan:
        """Parameters from the deployment group and its configuration, overridden by those of a deployment."""
        with self._must_exist():
            group = self._codedeploy.get_deployment_group(**self._group)["deploymentGroupInfo"]
        name = group["deploymentConfigName"]
        config = self._codedeploy.get_deployment_config(deploymentConfigName=name)["deploymentConfigInfo"]
        blue = group.get("blueGreenDeploymentConfiguration", {}).get("terminateBlueInstancesOnDeploymentSuccess", {})
        alarms = group.get("alarmConfiguration", {})
        if deployment_id:
            deployment = self._codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
            alarms = deployment.get("overrideAlarmConfiguration") or alarms
        return Plan(
            shift=timedelta(minutes=_shift_minutes(config.get("trafficRoutingConfig", {}))),
            bake=timedelta(minutes=blue.get("terminationWaitTimeInMinutes", 0)),
            alarms=tuple(one["name"] for one in alarms.get("alarms", [])) if alarms.get("enabled") else (),
            rolls_back=group.get("autoRollbackConfiguration", {}).get("enabled", False),
        )

    def alarms(self, names: Sequence[str]) -> tuple[Alarm, ...]:
        """The alarms of these names as they are now."""
        return tuple(self._alarms(tuple(names)))

    def start(self, wanted: Running, image: str, alarms: Sequence[str] | None = None) -> str:
        """Register a revision with an image, start its deployment, and return the deployment's id.

        The smoke test is woken before: CodeDeploy would take the refusal of an idle function for a failed test.
        Scale-in and scheduled scaling are suspended until its end. If it cannot be started, nothing of this is left.

        Args:
            wanted: the version to copy.
            image: of the new revision.
            alarms: names of the alarms of this deployment, if not those of the group.

        Raises:
            Refused: another release was started first, or the smoke test's function does not become active.
        """
        wake(self._lambda, self.place.hook_arn)
        parameters = next_revision(wanted, image, self._parameters)
        registered = self._ecs.register_task_definition(**parameters)["taskDefinition"]
        arn = registered["taskDefinitionArn"]
        suspends, has_suspended = "", False
        try:
            suspends, has_suspended = self._scaling.suspend(self._last_description())
            described = f"{registered['family']}:{registered['revision']} runs {image}"
            description = f"{described[: LONGEST_DESCRIPTION - len(suspends)]}{suspends}"
            return self._deploy(app_spec(wanted, arn, self.place.hook_arn), description, alarms)
        except BaseException:
            with contextlib.suppress(ClientError, BotoCoreError):  # the original error is raised
                self._ecs.deregister_task_definition(taskDefinition=arn)
                if has_suspended:
                    self._scaling.resume(suspends)
            raise

    def resume_scaling(self, deployment_id: str) -> None:
        """Resume the scaling that a deployment, which has ended, had suspended."""
        self._scaling.resume(self._description(deployment_id) or "")

    def _last_description(self) -> str:
        last = self.last()
        return (self._description(self.triggering(last)) or "") if last else ""

    def _deploy(self, content: str, description: str, alarms: Sequence[str] | None) -> str:
        digest = hashlib.sha256(content.encode()).hexdigest()
        revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": content, "sha256": digest}}
        # https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_CreateDeployment.html
        override = {"enabled": bool(alarms), "alarms": [{"name": name} for name in alarms or ()]}
        asked = {"overrideAlarmConfiguration": override} if alarms is not None else {}
        try:
            made = self._codedeploy.create_deployment(
                **self._group, revision=revision, description=description, **asked
            )
        except self._codedeploy.exceptions.DeploymentLimitExceededException:
            other = self.in_progress()
            if other and self._description(other) == description:
                return other  # ours: the answer to the first attempt was lost, and botocore sent another
            raise Refused(already_in_progress(self.place.service, other or "another")) from None
        return str(made["deploymentId"])

    def _description(self, deployment_id: str) -> str | None:
        found = self._codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        return found.get("description")  # type: ignore[no-any-return]

    def stop(self, deployment_id: str) -> None:
        """Stop a deployment and roll it back."""
        self._codedeploy.stop_deployment(deploymentId=deployment_id, autoRollbackEnabled=True)

    def look(self, deployment_id: str, plan: Plan) -> Look:
        """The deployment, its rollback if any, the alarms, and the last event of the service."""
        found = self._codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        target = self._target(deployment_id)
        rollback = found.get("rollbackInfo", {})
        rollback_id = rollback.get("rollbackDeploymentId", "")
        return Look(
            deployment_id=deployment_id,
            status=found["status"],
            began=found["createTime"],
            ended=found.get("completeTime"),
            green_percent=_green_percent(target),
            events=tuple(_event(one) for one in target.get("lifecycleEvents", [])),
            alarms=tuple(self._alarms(plan.alarms)),
            service_events=self._service_events(found["createTime"]),
            error_code=found.get("errorInformation", {}).get("code", ""),
            error_message=found.get("errorInformation", {}).get("message", ""),
            rollback_id=rollback_id,
            rollback_status=self._status(rollback_id) if rollback_id else "",
            rollback_message=rollback.get("rollbackMessage", ""),
        )

    def _described(self) -> dict[str, Any]:
        answer = self._ecs.describe_services(cluster=self.place.cluster, services=[self.place.name])
        service: dict[str, Any] | None = next((one for one in answer["services"] if one["status"] == "ACTIVE"), None)
        if service is None:
            raise Refused(self._missing())
        controller = service.get("deploymentController", {}).get("type", "ECS")
        if controller != "CODE_DEPLOY":
            raise Refused(
                f"service: {self.place.service!r} is not allowed; {self.place.name} is deployed by {controller}, and "
                f"only services of CODE_DEPLOY are released so"
            )
        return service

    def _missing(self) -> str:
        return (
            f"service: {self.place.service!r} is not allowed; {self.place.name} does not exist yet in "
            f"{self.place.cluster} in {self.place.region}, and only services that `make deploy` has made are released"
        )

    @contextmanager
    def _must_exist(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if error.response["Error"].get("Code") in DOES_NOT_EXIST:
                raise Refused(self._missing()) from error
            raise

    def _status(self, deployment_id: str) -> str:
        return str(self._codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]["status"])

    def _target(self, deployment_id: str) -> dict[str, Any]:
        """The deployment's one target: nothing until it has begun."""
        # "pairs of Amazon ECS clusters and services": BatchGetDeploymentTargets in CodeDeploy's API reference
        target_id = f"{self.place.cluster}:{self.place.name}"
        try:
            answer = self._codedeploy.get_deployment_target(deploymentId=deployment_id, targetId=target_id)
        except ClientError as error:
            if error.response["Error"].get("Code") in NOT_STARTED:
                return {}
            raise
        found: dict[str, Any] = answer["deploymentTarget"]["ecsTarget"]
        return found

    def _alarms(self, names: tuple[str, ...]) -> Iterator[Alarm]:
        for first in range(0, len(names), ALARMS_PER_CALL):
            answer = self._cloudwatch.describe_alarms(
                AlarmNames=list(names[first : first + ALARMS_PER_CALL]), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
            found = {one["AlarmName"]: one for kind in ("MetricAlarms", "CompositeAlarms") for one in answer[kind]}
            for name in names[first : first + ALARMS_PER_CALL]:
                alarm = found.get(name)
                yield (
                    Alarm(name, alarm["StateValue"], alarm.get("StateReason", "")) if alarm else Alarm(name, "missing")
                )

    def _service_events(self, since: datetime) -> tuple[str, ...]:
        answer = self._ecs.describe_services(cluster=self.place.cluster, services=[self.place.name])
        events = [event for one in answer["services"] for event in one.get("events", []) if event["createdAt"] >= since]
        events.sort(key=lambda event: event["createdAt"])
        return tuple(
            f"{event['createdAt'].astimezone(UTC):%H:%M:%S} {event['message']}"
            for event in events[-SERVICE_EVENTS_SHOWN:]
        )


def already_in_progress(service: str, deployment_id: str) -> str:
    """The line that refuses a second release while one is in progress."""
    return (
        f"service: {service!r} is not allowed; its deployment {deployment_id} is in progress, and one at a time is: "
        f"--resume watches it, --stop rolls it back"
    )


def _shift_minutes(routing: dict[str, Any]) -> float:
    """How long a traffic routing takes from its first step to its last."""
    if canary := routing.get("timeBasedCanary"):
        return float(canary["canaryInterval"])
    if linear := routing.get("timeBasedLinear"):
        steps = -(-100 // linear["linearPercentage"]) - 1
        return float(linear["linearInterval"] * steps)
    return 0.0


def _green_percent(target: dict[str, Any]) -> float | None:
    for task_set in target.get("taskSetsInfo", []):
        if task_set.get("taskSetLabel") == "Green":
            return float(task_set.get("trafficWeight", 0.0))
    return None


def _event(event: dict[str, Any]) -> Event:
    return Event(
        name=event["lifecycleEventName"],
        status=event["status"],
        message=event.get("diagnostics", {}).get("message", ""),
        began=event.get("startTime"),
        ended=event.get("endTime"),
    )
