"""The dashboard of the platform (W5.2): alarm states, the edge, and the same rows for each region.

Creates one dashboard of the environment. Its graphs of services, database, queues and functions show the metrics of the
region's alarms, so that every metric with an alarm is on the dashboard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from constructs import Construct

from modules.dashboards.dashboard import (
    BLUE,
    ORANGE,
    RED,
    Dashboard,
    Graph,
    Section,
    Series,
    Shown,
    States,
    Text,
    graph_of,
    line,
)
from modules.ingress.distribution import Distribution
from modules.ingress.load_balancer import LoadBalancer
from modules.ingress.origin_record import OriginRecord
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import RUNBOOK, Alarm
from modules.monitoring.metrics import Metric
from modules.monitoring.paging import Paging
from modules.region import Region
from settings.naming import Names
from settings.observability import ObservabilitySettings

# Rows of graphs of the metrics of alarms of a kind, if any: kind, title, unit, divisor, maximum of the axis.
DATA = (
    ("database-cpu", "Database: processor of the writer", "%", 1, 100),
    ("database-connections", "Database: connections to the writer", "connections", 1, None),
    ("database-replica-lag", "Database: how far readers are behind", "seconds", 1000, None),
    ("recovery-database-global-lag", "Database: how far this region is behind", "seconds", 1000, None),
    ("replication-failures", "Buckets: objects not replicated", "objects a minute", 1, None),
    ("replication-lag", "Buckets: how far replicas are behind", "minutes", 60, None),
)
WORK = (
    ("queue-age", "Queues: oldest message", "minutes", 60, None),
    ("queue-dead-letters", "Queues: messages given up", "messages", 1, None),
    ("function-failing", "Functions: calls that failed or were throttled", "calls", 1, None),
    ("nat-gateways", "NAT gateways: no port, or dropped", "in five minutes", 1, None),
)


@dataclass(frozen=True, kw_only=True)
class RegionPanels:
    """The parts of one region that the dashboard shows."""

    topic: AlarmTopic
    paging: Paging
    load_balancer: LoadBalancer
    origin_record: OriginRecord


class PlatformDashboard(Construct):
    """The platform dashboard. In the primary region."""

    requirements = ("W5.2",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: ObservabilitySettings,
        distribution: Distribution,
        regions: Mapping[str, RegionPanels],
        edge_topic: AlarmTopic,
        edge_paging: Paging,
    ) -> None:
        """``regions`` has the parts of each region, by its id; ``edge_topic`` the alarms of us-east-1."""
        super().__init__(scope, id_)
        self._names = names
        self._regions = regions
        self._distribution = {"DistributionId": distribution.distribution.id, "Region": "Global"}
        head = Text(
            markdown=f"# Platform of {names.suffix}\nMade by Terraform: what is changed here is lost. What each alarm "
            f"means, and what to do: {settings.runbooks}/{RUNBOOK}",
            height=2,
        )
        states = [
            *(self._states(region_id, one.topic, one.paging) for region_id, one in regions.items()),
            self._states("edge", edge_topic, edge_paging),
        ]
        self.dashboard = Dashboard(
            self,
            "board",
            name=names.of("platform"),
            sections=[
                Section(region=Region.of(edge_topic).name, rows=[[head], states, *self._edge(edge_topic)]),
                *(
                    Section(region=Region.of(one.topic).name, rows=list(self._region(region_id, one)))
                    for region_id, one in regions.items()
                ),
            ],
        )

    def _states(self, region_id: str, topic: AlarmTopic, paging: Paging) -> States:
        """The composite alarms that page, and their symptoms."""
        names = [self._names.alarm(incident.value) for incident in paging.composites]
        names += [self._names.alarm(alarm.name) for alarm, _ in topic.alarms if alarm.pages]
        prefix = f"arn:aws:cloudwatch:{Region.of(topic).name}:{self._names.account_id}:alarm:"
        return States(title=f"What pages: {region_id}", arns=[f"{prefix}{name}" for name in names])

    def _edge(self, topic: AlarmTopic) -> Iterator[list[Shown]]:
        def of(name: str, statistic: str) -> Metric:
            return Metric("AWS/CloudFront", name, statistic, self._distribution)

        health = [
            line(region_id, Metric("AWS/Route53", "HealthCheckPercentageHealthy", "Average", _check(one.origin_record)))
            for region_id, one in self._regions.items()
        ]
        (errors,) = _of_kind(topic, "edge-errors")
        yield [Text(markdown="## At the edge")]
        yield [
            Graph(title="Requests", unit="a minute", series=[line("requests", of("Requests", "Sum"), BLUE)]),
            Graph(
                title="Answers that are errors",
                unit="% of requests",
                series=[
                    line("4xx", of("4xxErrorRate", "Average"), ORANGE),
                    line("5xx", of("5xxErrorRate", "Average"), RED),
                ],
                bound=errors.bound,
            ),
            Graph(title="Checkers that call a region healthy", unit="% of checkers", series=health, most=100),
        ]

    def _region(self, region_id: str, one: RegionPanels) -> Iterator[list[Shown]]:
        topic = one.topic
        yield [Text(markdown=f"## {region_id[0].upper()}{region_id[1:]} region, {Region.of(topic).name}")]
        yield list(_load_balancer(one.load_balancer, topic))
        services = _of_kind(topic, "tasks-missing")
        if services:
            yield [*_tasks(services)]
        for kinds in (DATA, WORK):
            graphs = [
                graph_of(alarms, title=title, unit=unit, scale=scale, most=most)
                for kind, title, unit, scale, most in kinds
                if (alarms := _of_kind(topic, kind))
            ]
            if graphs:
                yield [*graphs]


def _check(record: OriginRecord) -> dict[str, str]:
    return {"HealthCheckId": record.health_check.id}


def _of_kind(topic: AlarmTopic, kind: str) -> list[Alarm]:
    return sorted((alarm for alarm, _ in topic.alarms if alarm.section == kind), key=lambda one: one.name)


def _load_balancer(load_balancer: LoadBalancer, topic: AlarmTopic) -> Iterator[Graph]:
    own = {"LoadBalancer": load_balancer.load_balancer.arn_suffix}

    def of(name: str, statistic: str = "Sum") -> Metric:
        return Metric("AWS/ApplicationELB", name, statistic, own)

    (slow,) = _of_kind(topic, "load-balancer-slow")
    yield Graph(title="Load balancer: requests", unit="a minute", series=[line("requests", of("RequestCount"), BLUE)])
    yield Graph(
        title="Load balancer: answers that are errors",
        unit="a minute",
        series=[
            line("4xx of services", of("HTTPCode_Target_4XX_Count"), ORANGE),
            line("5xx of services", of("HTTPCode_Target_5XX_Count"), RED),
            line("5xx of the load balancer", of("HTTPCode_ELB_5XX_Count")),
        ],
    )
    yield Graph(
        title="Load balancer: response time",
        unit="seconds",
        series=[
            line(name, of("TargetResponseTime", name), colour)
            for name, colour in (("p50", BLUE), ("p95", ORANGE), ("p99", RED))
        ],
        bound=slow.bound,
    )


def _tasks(services: list[Alarm]) -> Iterator[Graph]:
    """Running and missing tasks, and their utilization."""
    names = {alarm.subject: alarm for alarm in services}
    running = [line(name, alarm.metrics["running"]) for name, alarm in names.items()]
    missing = [
        Series(
            f"{name} missing",
            {f"running_{name}": alarm.metrics["running"], f"desired_{name}": alarm.metrics["desired"]},
            f"desired_{name} - running_{name}",
            RED,
        )
        for name, alarm in names.items()
    ]
    yield Graph(title="Services: tasks that run, and that are missing", unit="tasks", series=[*running, *missing])
    for title, metric in (("processor", "CPUUtilization"), ("memory", "MemoryUtilization")):
        busy = [
            line(name, Metric("AWS/ECS", metric, "Average", alarm.metrics["running"].dimensions))
            for name, alarm in names.items()
        ]
        yield Graph(title=f"Services: {title} in use", unit="% of what they have", series=busy, most=100)
