"""Auto scaling of a service while CodeDeploy releases it: it grows with its load, and does not shrink.

A deployment whose service scales while traffic shifts can fail, and both task sets count as the service's capacity, so
that a scheduled action or a scale-in between them sets a count that nobody meant. AWS's advice is to suspend scaling.
Scale-out stays, as customers need it through a long bake. The description of the deployment says what it has
suspended, so that whoever watches its end can resume it.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-bluegreen.html#deployment-type-bluegreen-considerations
https://docs.aws.amazon.com/codedeploy/latest/userguide/troubleshooting-auto-scaling.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SCALE_IN, SCALE_OUT, SCHEDULED = (
    "DynamicScalingInSuspended",
    "DynamicScalingOutSuspended",
    "ScheduledScalingSuspended",
)
NONE: frozenset[str] = frozenset()
BY_FAILOVER, BY_RELEASE = frozenset({SCALE_IN}), frozenset({SCALE_IN, SCHEDULED})
"""What `make failover` suspends where its tasks are to stay, and what a release does: it can be told from any other."""

SUSPENDS = "; suspends scaling"
SUSPENDS_SCHEDULED = "; suspends scheduled scaling"
"""At the end of a deployment's description; the latter where scale-in was suspended before, by a failover."""


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """The scalable target of a service; a service without one does not scale."""

    client: Any
    resource_id: str

    def suspend(self, last_description: str) -> tuple[str, bool]:
        """Suspend scale-in and scheduled scaling.

        Args:
            last_description: of the service's last deployment, whose end nobody may have watched.

        Returns:
            What the deployment's description shall end with, and whether anything was changed.
        """
        suspended = self._suspended()
        if suspended in {NONE, BY_FAILOVER}:
            self._suspend(BY_RELEASE)
            return SUSPENDS_SCHEDULED if suspended else SUSPENDS, True
        if suspended == BY_RELEASE:
            return _end_of(last_description) or SUSPENDS, False
        return "", False

    def resume(self, description: str) -> None:
        """Resume what the deployment of this description has suspended, unless that is done."""
        if self._suspended() == BY_RELEASE and (end := _end_of(description)):
            self._suspend(BY_FAILOVER if end == SUSPENDS_SCHEDULED else NONE)

    def _suspended(self) -> frozenset[str] | None:
        answer = self.client.describe_scalable_targets(
            ServiceNamespace="ecs", ResourceIds=[self.resource_id], ScalableDimension="ecs:service:DesiredCount"
        )
        for target in answer["ScalableTargets"]:
            state = target.get("SuspendedState", {})
            return frozenset(name for name in (SCALE_IN, SCALE_OUT, SCHEDULED) if state.get(name))
        return None

    def _suspend(self, wanted: frozenset[str]) -> None:
        self.client.register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=self.resource_id,
            ScalableDimension="ecs:service:DesiredCount",
            SuspendedState={name: name in wanted for name in (SCALE_IN, SCALE_OUT, SCHEDULED)},
        )


def _end_of(description: str) -> str:
    return next((end for end in (SUSPENDS, SUSPENDS_SCHEDULED) if description.endswith(end)), "")
