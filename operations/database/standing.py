"""A task that stands for the database: made for one operator, and over by itself.

It is one of its own, and none of those that serve customers: it has no role but that of its session, takes no memory
from them, and what goes through it ends with it. It runs the image that the payments service runs: no other is there.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from operations.database.place import Place
from operations.outcome import Failed
from settings.naming import DATABASE_OPERATORS

AGENT = "ExecuteCommandAgent"
SECONDS_TO_START = 300.0
SECONDS_BETWEEN_LOOKS = 3.0
CPU_UNITS, MEMORY_MIB = "256", "512"


@dataclass(frozen=True)
class Task:
    """A task that stands for the database."""

    client: Any
    place: Place
    arn: str

    @classmethod
    def start(cls, client: Any, place: Place, *, minutes: int) -> Task:
        """Start it; it ends by itself after so many minutes.

        Raises:
            Failed: ECS has started none; its reason is in the message.
            ClientError: AWS refused the call.
        """
        container = {"name": place.container, "command": ["hold", str(minutes * 60)]}
        said = client.run_task(
            cluster=place.cluster,
            taskDefinition=place.definition,
            count=1,
            launchType="FARGATE",
            enableExecuteCommand=True,
            startedBy=DATABASE_OPERATORS,
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": list(place.subnets),
                    "securityGroups": list(place.groups),
                    "assignPublicIp": "DISABLED",
                }
            },
            overrides={
                "taskRoleArn": place.role,
                "cpu": CPU_UNITS,
                "memory": MEMORY_MIB,
                "containerOverrides": [container],
            },
        )
        if not said["tasks"]:
            raise Failed(f"ECS started no task: {said['failures'][0].get('reason', 'it does not say why')}")
        return cls(client, place, said["tasks"][0]["taskArn"])

    def target(self, sleep: Callable[[float], None] = time.sleep) -> str:
        """What Session Manager calls the task, once its agent runs.

        https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-sessions-start.html

        Raises:
            Failed: the task has ended, or its agent does not run after SECONDS_TO_START.
            ClientError: AWS refused the call.
        """
        for _ in range(int(SECONDS_TO_START / SECONDS_BETWEEN_LOOKS)):
            described = self.client.describe_tasks(cluster=self.place.cluster, tasks=[self.arn])["tasks"][0]
            if described["lastStatus"] in {"DEPROVISIONING", "STOPPED"}:
                raise Failed(f"the task has ended: {_why(described)}")
            (container,) = (one for one in described["containers"] if one["name"] == self.place.container)
            agents = {one["name"]: one.get("lastStatus") for one in container.get("managedAgents", [])}
            if described["lastStatus"] == "RUNNING" and agents.get(AGENT) == "RUNNING":
                return f"ecs:{self.place.cluster}_{self.arn.rpartition('/')[2]}_{container['runtimeId']}"
            sleep(SECONDS_BETWEEN_LOOKS)
        raise Failed(f"the agent of {self.arn} does not run after {SECONDS_TO_START:.0f} s")

    def stop(self) -> None:
        """Stop it; where it has ended by itself, nothing is to be done. Raises ClientError."""
        self.client.stop_task(cluster=self.place.cluster, task=self.arn, reason="the operator's session is over")


def _why(described: dict[str, Any]) -> str:
    reasons = [one.get("reason") for one in described.get("containers", [])]
    said = [one for one in (described.get("stoppedReason"), *reasons) if one]
    return "; ".join(said) or "ECS does not say why"
