"""Alarms of a service (W5.2): fewer running tasks than desired, and no healthy target.

Creates the alarms of one service of one region. The alarms on the errors and latency of a colour are in
modules/services/release.py: they roll a deployment back, and notify between deployments as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from cdktf_cdktf_provider_aws.lb_target_group import LbTargetGroup
from constructs import Construct

from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import Alarm, Incident, Missing
from modules.monitoring.metrics import Metric
from modules.services.scaling import Scaling
from settings.services import ServiceSettings

# Longer than a task takes to start, so that scaling and an interruption of Spot are no news.
MINUTES_WITH_TOO_FEW = 10
MINUTES_WITHOUT_ANY = 2


class ServiceAlarms(Construct):
    """Alarms of a worker or, with ``target_groups``, of a service behind the load balancer."""

    requirements = ("W5.2",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        name: str,
        settings: ServiceSettings,
        scaling: Scaling,
        topic: AlarmTopic,
        target_groups: Mapping[str, LbTargetGroup] | None = None,
        load_balancer_suffix: str = "",
    ) -> None:
        """``target_groups`` are those of both colours of the load balancer whose ARN ends with the suffix."""
        super().__init__(scope, id_)
        running = scaling.running_tasks
        fewest = min((settings.min_tasks, *(one.min_tasks for one in settings.scheduled_scaling.values())))
        # Of a service that may have no task at all, nothing may be heard.
        missing = Missing.IS_BAD if fewest else Missing.IS_GOOD
        topic.watch(
            self,
            "tasks-missing",
            Alarm(
                name=f"{name}-tasks-missing",
                kind="tasks-missing",
                meaning=f"Fewer tasks of {name} run than it wants",
                metrics={
                    "running": running,
                    "desired": Metric(running.namespace, "DesiredTaskCount", running.statistic, running.dimensions),
                },
                expression="desired - running",
                bound=0,
                periods=MINUTES_WITH_TOO_FEW,
                missing=missing,
            ),
        )
        if target_groups:
            # A standby region pages for errors that customers get, if any.
            pages = Incident.CUSTOMERS_NOT_SERVED if topic.serves else None
            topic.watch(self, "down", _down(name, target_groups, load_balancer_suffix, missing, pages))


def _down(
    name: str, target_groups: Mapping[str, LbTargetGroup], suffix: str, missing: Missing, pages: Incident | None
) -> Alarm:
    """A target group without targets publishes nothing: the one of the colours that is without counts as 0."""
    return Alarm(
        name=f"{name}-down",
        kind="service-down",
        meaning=f"No task of {name} is healthy",
        metrics={
            colour: Metric(
                "AWS/ApplicationELB",
                "HealthyHostCount",
                "Maximum",
                {"LoadBalancer": suffix, "TargetGroup": group.arn_suffix},
            )
            for colour, group in target_groups.items()
        },
        expression=" + ".join(target_groups),
        bound=1,
        below=True,
        periods=MINUTES_WITHOUT_ANY,
        missing=missing,
        pages=pages,
    )
