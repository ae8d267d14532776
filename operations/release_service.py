"""A blue/green service in AWS, as far as a release reads and changes it: ECS, CodeDeploy, and the alarms."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from operations.outcome import Refused
from operations.release_progress import RUNNING, Alarm, Event, Look, Plan
from operations.release_revision import Running, app_spec, next_revision

# Standard mode repeats what was throttled or not answered, with pauses that grow.
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


class BlueGreenService:
    """A service and its releases."""

    def __init__(self, place: Place, session: boto3.Session) -> None:
        self.place = place
        # Any: the types of these clients are not among the locked packages.
        make: Any = session.client
        self._ecs = make("ecs", region_name=place.region, config=CONFIG)
        self._codedeploy = make("codedeploy", region_name=place.region, config=CONFIG)
        self._cloudwatch = make("cloudwatch", region_name=place.region, config=CONFIG)
        self._group = {"applicationName": place.name, "deploymentGroupName": place.name}

    def running(self) -> Running:
        """What the primary task set runs.

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
            platform_version=primary.get("platformVersion") or service.get("platformVersion"),
            capacity_provider_strategy=strategy,
        )

    def in_progress(self) -> str | None:
        """The id of the deployment that is in progress, if one is."""
        with self._must_exist():
            pages = self._codedeploy.get_paginator("list_deployments").paginate(
                **self._group, includeOnlyStatuses=list(RUNNING)
            )
            return next((identity for page in pages for identity in page["deployments"]), None)

    def last(self) -> str | None:
        """The id of the deployment that was made last, if there was one."""
        with self._must_exist():
            group = self._codedeploy.get_deployment_group(**self._group)["deploymentGroupInfo"]
        return group.get("lastAttemptedDeployment", {}).get("deploymentId")  # type: ignore[no-any-return]

    def triggering(self, deployment_id: str) -> str:
        """The deployment that a rollback undoes, if ``deployment_id`` is one; else ``deployment_id`` itself."""
        found = self._codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        return found.get("rollbackInfo", {}).get("rollbackTriggeringDeploymentId") or deployment_id

    def plan(self) -> Plan:
        """What the deployment group and its configuration say."""
        with self._must_exist():
            group = self._codedeploy.get_deployment_group(**self._group)["deploymentGroupInfo"]
        name = group["deploymentConfigName"]
        config = self._codedeploy.get_deployment_config(deploymentConfigName=name)["deploymentConfigInfo"]
        blue = group.get("blueGreenDeploymentConfiguration", {}).get("terminateBlueInstancesOnDeploymentSuccess", {})
        alarms = group.get("alarmConfiguration", {})
        return Plan(
            shift=timedelta(minutes=_shift_minutes(config.get("trafficRoutingConfig", {}))),
            bake=timedelta(minutes=blue.get("terminationWaitTimeInMinutes", 0)),
            alarms=tuple(one["name"] for one in alarms.get("alarms", [])) if alarms.get("enabled") else (),
            rolls_back=group.get("autoRollbackConfiguration", {}).get("enabled", False),
        )

    def start(self, running: Running, image: str) -> str:
        """Register what runs with another image, start its deployment, and return the deployment's id.

        If the deployment cannot be started, the revision is taken back: nothing is left.

        Raises:
            Refused: another release was quicker.
        """
        accepted = self._ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members
        registered = self._ecs.register_task_definition(**next_revision(running, image, accepted))["taskDefinition"]
        arn = registered["taskDefinitionArn"]
        description = f"{registered['family']}:{registered['revision']} runs {image}"[:LONGEST_DESCRIPTION]
        try:
            return self._deploy(app_spec(running, arn, self.place.hook_arn), description)
        except BaseException:
            with contextlib.suppress(ClientError, BotoCoreError):  # what is raised is why it could not be started
                self._ecs.deregister_task_definition(taskDefinition=arn)
            raise

    def _deploy(self, content: str, description: str) -> str:
        digest = hashlib.sha256(content.encode()).hexdigest()
        revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": content, "sha256": digest}}
        try:
            made = self._codedeploy.create_deployment(**self._group, revision=revision, description=description)
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
        """The deployment, its rollback if there is one, the alarms, and what the service said last."""
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
    """The line that refuses a second release beside one that goes on."""
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
