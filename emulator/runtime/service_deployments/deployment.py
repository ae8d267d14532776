"""One deployment of an ECS service: its progress, and its representation in ECS's API."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from moto.core.utils import utcnow


class Status(StrEnum):
    """The status of a service deployment."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCESSFUL = "SUCCESSFUL"
    ROLLBACK_REQUESTED = "ROLLBACK_REQUESTED"
    ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
    ROLLBACK_SUCCESSFUL = "ROLLBACK_SUCCESSFUL"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"


class Stage(StrEnum):
    """The lifecycle stages, in their order.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-lifecycle-hooks.html
    """

    RECONCILE_SERVICE = "RECONCILE_SERVICE"
    PRE_SCALE_UP = "PRE_SCALE_UP"
    SCALE_UP = "SCALE_UP"
    POST_SCALE_UP = "POST_SCALE_UP"
    TEST_TRAFFIC_SHIFT = "TEST_TRAFFIC_SHIFT"
    POST_TEST_TRAFFIC_SHIFT = "POST_TEST_TRAFFIC_SHIFT"
    PRODUCTION_TRAFFIC_SHIFT = "PRODUCTION_TRAFFIC_SHIFT"
    POST_PRODUCTION_TRAFFIC_SHIFT = "POST_PRODUCTION_TRAFFIC_SHIFT"
    BAKE_TIME = "BAKE_TIME"
    CLEAN_UP = "CLEAN_UP"


OVER = (Status.SUCCESSFUL, Status.ROLLBACK_SUCCESSFUL, Status.ROLLBACK_FAILED)


@dataclass(kw_only=True)
class Revision:
    """A version of a service: its tasks (a task set of moto's), and the shares of traffic that it gets, in percent."""

    arn: str
    tasks: Any = None
    test_weight: float = 0.0
    production_weight: float = 0.0

    def described(self) -> dict[str, Any]:
        """The revision in ECS's form."""
        tasks = self.tasks
        return {
            "arn": self.arn,
            "requestedTaskCount": tasks.computed_desired_count if tasks else 0,
            "runningTaskCount": tasks.running_count if tasks else 0,
            "pendingTaskCount": tasks.pending_count if tasks else 0,
            "requestedTestTrafficWeight": self.test_weight,
            "requestedProductionTrafficWeight": self.production_weight,
        }


@dataclass(eq=False, kw_only=True)
class ServiceDeployment:
    """A deployment from the revision ``blue`` to ``green`` of a service (one of moto's)."""

    service: Any
    configuration: dict[str, Any]
    blue: Revision
    green: Revision
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:21])
    status: Status = Status.PENDING
    reason: str = ""
    stage: Stage | None = None
    created: datetime = field(default_factory=utcnow)
    started: datetime | None = None
    finished: datetime | None = None
    rolled_back: datetime | None = None
    triggered: list[str] = field(default_factory=list)
    """The alarms that have ended it."""
    stop_requested: bool = False
    watches_alarms: bool = True
    """Not where one is in ALARM when it starts, so that a failure can be mended by a deployment.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html"""

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"{self.service.arn.replace(':service/', ':service-deployment/')}/{self.id}"

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status in OVER

    @property
    def alarm_names(self) -> list[str]:
        """The alarms by which it fails."""
        alarms = self.configuration.get("alarms") or {}
        return list(alarms.get("alarmNames") or ()) if alarms.get("enable") else []

    def finish(self, status: Status, reason: str = "") -> None:
        """End it."""
        self.status, self.finished, self.reason = status, utcnow(), reason or self.reason

    def brief(self) -> dict[str, Any]:
        """The deployment in the form of ListServiceDeployments."""
        return _there(
            {
                "serviceDeploymentArn": self.arn,
                "serviceArn": self.service.arn,
                "clusterArn": self.service.cluster_arn,
                "createdAt": self.created,
                "startedAt": self.started,
                "finishedAt": self.finished,
                "targetServiceRevisionArn": self.green.arn,
                "status": self.status,
                "statusReason": self.reason,
            }
        )

    def described(self) -> dict[str, Any]:
        """The deployment in the form of DescribeServiceDeployments."""
        own = self.brief()
        del own["targetServiceRevisionArn"]
        return _there(
            {
                **own,
                "updatedAt": self.finished or self.rolled_back or self.started,
                "sourceServiceRevisions": [self.blue.described()],
                "targetServiceRevision": self.green.described(),
                "lifecycleStage": None if self.is_over else self.stage,
                "deploymentConfiguration": self.configuration,
                "rollback": {
                    "reason": self.reason,
                    "startedAt": self.rolled_back,
                    "serviceRevisionArn": self.blue.arn,
                }
                if self.rolled_back
                else None,
                "alarms": {
                    "status": self._alarm_status(),
                    "alarmNames": self.alarm_names,
                    "triggeredAlarmNames": self.triggered,
                },
            }
        )

    def _alarm_status(self) -> str:
        if self.triggered:
            return "TRIGGERED"
        if not self.alarm_names or not self.watches_alarms:
            return "DISABLED"
        return "MONITORING_COMPLETE" if self.is_over else "MONITORING"

    def details(self) -> dict[str, Any]:
        """What a hook is told of it."""
        revisions = (self.blue, self.green)
        return {
            "serviceArn": self.service.arn,
            "targetServiceRevisionArn": self.green.arn,
            "testTrafficWeights": {one.arn: one.test_weight for one in revisions},
            "productionTrafficWeights": {one.arn: one.production_weight for one in revisions},
        }


def _there(described: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in described.items() if value not in (None, "")}
