"""What operators see (W5.2): how alarms stand, the edge, and of each region the same rows from the load balancer down.

Creates one dashboard of the environment. What its graphs of services, database, queues and functions show is what the
region's alarms look at, so that whatever is watched is also seen.
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

# Rows of graphs of what alarms of a kind look at, as far as there are any: kind, title, unit, what it is divided by,
# and where the axis ends.
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
class Place:
    """A region that serves."""

    topic: AlarmTopic
    paging: Paging
    load_balancer: LoadBalancer
    origin_record: OriginRecord


class PlatformDashboard(Construct):
    """The board of the operators. Stands in the primary region."""

    requirements = ("W5.2",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: ObservabilitySettings,
        distribution: Distribution,
        places: Mapping[str, Place],
        edge: AlarmTopic,
        edge_paging: Paging,
    ) -> None:
        """``places`` has the regions by what they are called; ``edge`` what is watched where only what is global is."""
        super().__init__(scope, id_)
        self._names = names
        self._places = places
        self._distribution = {"DistributionId": distribution.distribution.id, "Region": "Global"}
        head = Text(
            markdown=f"# Platform of {names.suffix}\nMade by Terraform: what is changed here is lost. What each alarm "
            f"means, and what to do: {settings.runbooks}/{RUNBOOK}",
            height=2,
        )
        states = [
            *(self._states(place, one.topic, one.paging) for place, one in places.items()),
            self._states("edge", edge, edge_paging),
        ]
        self.dashboard = Dashboard(
            self,
            "board",
            name=names.of("platform"),
            sections=[
                Section(region=Region.of(edge).name, rows=[[head], states, *self._edge(edge)]),
                *(
                    Section(region=Region.of(one.topic).name, rows=list(self._region(p, one)))
                    for p, one in places.items()
                ),
            ],
        )

    def _states(self, place: str, topic: AlarmTopic, paging: Paging) -> States:
        """Of what pages, and of its signs."""
        names = [self._names.alarm(incident.value) for incident in paging.composites]
        names += [self._names.alarm(alarm.name) for alarm, _ in topic.alarms if alarm.pages]
        prefix = f"arn:aws:cloudwatch:{Region.of(topic).name}:{self._names.account_id}:alarm:"
        return States(title=f"What pages: {place}", arns=[f"{prefix}{name}" for name in names])

    def _edge(self, topic: AlarmTopic) -> Iterator[list[Shown]]:
        def of(name: str, statistic: str) -> Metric:
            return Metric("AWS/CloudFront", name, statistic, self._distribution)

        health = [
            line(place, Metric("AWS/Route53", "HealthCheckPercentageHealthy", "Average", _check(one.origin_record)))
            for place, one in self._places.items()
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

    def _region(self, place: str, one: Place) -> Iterator[list[Shown]]:
        topic = one.topic
        yield [Text(markdown=f"## {place[0].upper()}{place[1:]} region, {Region.of(topic).name}")]
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
            line("nobody answered", of("HTTPCode_ELB_5XX_Count")),
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
    """How many run beside how many should, and how busy they are."""
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
