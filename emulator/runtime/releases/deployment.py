"""One release of an ECS service: its request, progress and representation in CodeDeploy."""

from __future__ import annotations

import base64
import random
import string
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from moto.core.utils import utcnow

from emulator.runtime.releases.appspec import AppSpec


class Status(StrEnum):
    """The status of a deployment, a target or a lifecycle event."""

    CREATED = "Created"
    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    READY = "Ready"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"
    SKIPPED = "Skipped"


FINAL = (Status.SUCCEEDED, Status.FAILED, Status.STOPPED)

_ID_CHARACTERS = string.ascii_uppercase + string.digits
_ID_LENGTH = 9

# The counter in the deployment overview for each status of a target.
_OVERVIEW = ("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready")


@dataclass
class LifecycleEvent:
    """A step of a release. It has an ``execution_id`` while it waits for the result of its hook's function."""

    name: str
    status: Status = Status.PENDING
    start_time: datetime | None = None
    end_time: datetime | None = None
    message: str = ""
    execution_id: str = ""

    def begin(self) -> None:
        """Set it to begin now."""
        self.status, self.start_time = Status.IN_PROGRESS, utcnow()

    def end(self, status: Status, message: str = "") -> None:
        """Set it to end now."""
        self.status, self.end_time, self.message = status, utcnow(), message

    def await_function(self) -> str:
        """Wait for a function's result; returns the execution id that the function reports it with."""
        self.execution_id = base64.b64encode(f"{uuid.uuid4()}/{self.name}".encode()).decode()
        return self.execution_id

    def description(self) -> dict[str, Any]:
        """The event in CodeDeploy's form."""
        described: dict[str, Any] = {
            "lifecycleEventName": self.name,
            "status": self.status,
            "startTime": self.start_time,
            "endTime": self.end_time,
        }
        if self.status == Status.FAILED:
            described["diagnostics"] = {
                "errorCode": "ScriptFailed",
                "scriptName": "",
                "message": self.message,
                "logTail": "",
            }
        return {name: value for name, value in described.items() if value is not None}


@dataclass(eq=False)
class EcsDeployment:
    """A release. Attributes read by moto have moto's names."""

    account_id: str
    region: str
    application: Any
    deployment_group: Any
    revision: dict[str, Any]
    appspec: AppSpec
    deployment_config_name: str
    events: list[LifecycleEvent]
    auto_rollback: dict[str, Any]
    alarms: dict[str, Any]
    override_alarms: dict[str, Any] | None = None
    description: str = ""
    creator: str = "user"
    deployment_id: str = field(default_factory=lambda: "d-" + "".join(random.choices(_ID_CHARACTERS, k=_ID_LENGTH)))  # noqa: S311
    status: Status = Status.CREATED
    create_time: datetime = field(default_factory=utcnow)
    start_time: datetime | None = None
    complete_time: datetime | None = None
    error: dict[str, str] | None = None
    rollback: dict[str, str] = field(default_factory=dict)
    blue: Any = None
    green: Any = None
    green_share: int = 0
    is_terminating: bool = False
    stop_requested: bool = False
    stop_rolls_back: bool | None = None
    continued: set[str] = field(default_factory=set)

    @property
    def application_name(self) -> str:
        """The name of the application."""
        return str(self.application.application_name)

    @property
    def deployment_group_name(self) -> str:
        """The name of the deployment group."""
        return str(self.deployment_group.deployment_group_name)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status in FINAL

    @property
    def service(self) -> dict[str, str]:
        """The names of cluster and service."""
        return self.deployment_group.ecs_services[0]  # type: ignore[no-any-return]

    @property
    def target_id(self) -> str:
        """The id of its only target, the service."""
        return f"{self.service['clusterName']}:{self.service['serviceName']}"

    def event(self, name: str) -> LifecycleEvent | None:
        """The lifecycle event of that name, if it has one."""
        return next((event for event in self.events if event.name == name), None)

    def rolls_back_on(self, cause: str) -> bool:
        """Whether ``cause`` (DEPLOYMENT_FAILURE ...) makes CodeDeploy roll it back."""
        return bool(self.auto_rollback.get("enabled")) and cause in self.auto_rollback.get("events", [])

    def finish(self, status: Status) -> None:
        """End it; lifecycle events that have not started are skipped."""
        self.status, self.complete_time = status, utcnow()
        for event in self.events:
            if event.status == Status.IN_PROGRESS:
                event.end(Status.FAILED if status != Status.SUCCEEDED else Status.SUCCEEDED)
            if event.status == Status.PENDING:
                event.status = Status.SKIPPED

    def last_deployment_info(self) -> dict[str, Any]:
        """The deployment in the form of a deployment group's last deployment."""
        return {
            "deploymentId": self.deployment_id,
            "status": self.status,
            "createTime": self.create_time,
            "endTime": self.complete_time,
        }

    def info(self) -> dict[str, Any]:
        """The deployment in GetDeployment's form."""
        group = self.deployment_group
        info = {
            "applicationName": self.application_name,
            "deploymentGroupName": self.deployment_group_name,
            "deploymentConfigName": self.deployment_config_name,
            "deploymentId": self.deployment_id,
            "revision": self.revision,
            "status": self.status,
            "errorInformation": self.error,
            "createTime": self.create_time,
            "startTime": self.start_time,
            "completeTime": self.complete_time,
            "deploymentOverview": {name: int(name == self._target_status()) for name in _OVERVIEW},
            "description": self.description or None,
            "creator": self.creator,
            "ignoreApplicationStopFailures": False,
            "autoRollbackConfiguration": self.auto_rollback or None,
            "overrideAlarmConfiguration": self.override_alarms,
            "updateOutdatedInstancesOnly": False,
            "rollbackInfo": self.rollback or None,
            "deploymentStyle": group.deployment_style,
            "instanceTerminationWaitTimeStarted": self.is_terminating,
            "blueGreenDeploymentConfiguration": group.blue_green_deployment_configuration,
            "loadBalancerInfo": group.load_balancer_info,
            "fileExistsBehavior": "DISALLOW",
            "computePlatform": self.application.compute_platform,
        }
        return {name: value for name, value in info.items() if value is not None}

    def target(self) -> dict[str, Any]:
        """Its only target in GetDeploymentTarget's form."""
        arn = f"arn:aws:codedeploy:{self.region}:{self.account_id}"
        target = {
            "deploymentId": self.deployment_id,
            "targetId": self.target_id,
            "targetArn": f"{arn}:target/{self.deployment_id}/{self.target_id}",
            "lastUpdatedAt": utcnow(),
            "lifecycleEvents": [event.description() for event in self.events],
            "status": self._target_status(),
            "taskSetsInfo": self._task_sets(),
        }
        return {"deploymentTargetType": "ECSTarget", "ecsTarget": target}

    def _target_status(self) -> str:
        if self.status == Status.CREATED:
            return "Pending"
        return "Failed" if self.status == Status.STOPPED else str(self.status)

    def _task_sets(self) -> list[dict[str, Any]]:
        labelled = [("Blue", self.blue, 100 - self.green_share), ("Green", self.green, self.green_share)]
        return [_task_set_info(label, tasks, weight) for label, tasks, weight in labelled if tasks]


def _task_set_info(label: str, tasks: Any, weight: int) -> dict[str, Any]:
    return {
        # The spelling of AWS's own model.
        "identifer": tasks.id,
        "desiredCount": tasks.computed_desired_count,
        "pendingCount": tasks.pending_count,
        "runningCount": tasks.running_count,
        "status": tasks.status,
        "trafficWeight": float(weight),
        "targetGroup": {"name": tasks.load_balancers[0]["targetGroupArn"].split("/")[-2]},
        "taskSetLabel": label,
    }
