"""A platform that runs, as CloudWatch sees it: what each of its resources publishes in a minute.

What it is made of is read from the alarms: each resource that one of them watches. What a resource publishes is made by
the functions that the local AWS publishes with (alarms.sources), or, of metrics that it does not publish, put by their
documented names.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from alarms.definitions import (
    CompositeAlarm,
    MetricAlarm,
    State,
    composite_alarm_of_terraform,
    metric_alarm_of_terraform,
)
from alarms.documented import flaws
from alarms.embedded import data_of
from alarms.filter_patterns import matches
from alarms.metrics import MINUTE, Data, Metric, Metrics
from alarms.sources import (
    Balanced,
    Inspected,
    of_balanced,
    of_cluster,
    of_execution,
    of_health_check,
    of_inspected,
    of_invocation,
    of_queue,
    of_service,
    of_target_group,
    of_viewed,
)
from alarms.watch import Change, Ring, Watch, minute
from shared.payment_metrics import DIMENSION_SETS, ENVIRONMENT_DIMENSION, NAMESPACE, SERVICE_DIMENSION
from tests.platform.support import alarms as alarm_blocks
from tests.platform.support import composites as composite_blocks
from tests.synthesized import Synthesized, region_of

REQUESTS, TASKS = 60, 2
"""Requests of a load balancer in a minute, and tasks of a service."""
EXPECTED = 0.5, 2.0
"""The band that anomaly detection expects, as shares of what is published: AWS's model is not known."""
DAY_OF_MINUTES = 1440
MINUTES_BEFORE_A_DAY = 30

Publish = Callable[[int], Data]
"""What a resource publishes in a minute, which is numbered from 0: it differs by day and five minutes at most."""


@dataclass(frozen=True)
class Resource:
    """A resource that alarms watch, by one of the dimensions of their metrics, such as QueueName."""

    kind: str
    name: str


@dataclass(kw_only=True)
class Region:
    """The alarms of a region, and its resources with what each publishes on a quiet day."""

    name: str
    alarms: list[MetricAlarm]
    composites: list[CompositeAlarm]
    filters: list[Mapping[str, Any]]
    """The metric filters of its log groups."""
    sections: Mapping[str, str] = field(default_factory=dict)
    """The section of the runbook of each alarm, by its name."""
    quiet: dict[Resource, Publish] = field(default_factory=dict)

    def alarm(self, name: str) -> MetricAlarm:
        """The alarm whose name ends so."""
        (found,) = [one for one in self.alarms if one.name.rpartition("/")[2] == name]
        return found

    def audited(self, event: Mapping[str, Any]) -> Data:
        """The data of an event of CloudTrail in the log group of the trail, by the metric filters."""
        for one in self.filters:
            if matches(one["pattern"], json.dumps(event)):
                counted = one["metric_transformation"]
                yield Metric.of(counted["namespace"], counted["name"]), float(counted["value"])

    def begin(self) -> Course:
        """A course of minutes, with all alarms in OK."""
        return Course(region=self)


@dataclass(kw_only=True)
class Course:
    """Minutes of a region that pass."""

    region: Region
    metrics: Metrics = field(default_factory=Metrics)
    states: dict[str, State] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    rings: list[Ring] = field(default_factory=list)
    now: int = 0
    """Minutes that have passed."""

    def __post_init__(self) -> None:
        names = [one.name for one in self.region.alarms] + [one.name for one in self.region.composites]
        self.states |= dict.fromkeys(names, State.OK)
        self._watch = Watch(self.metrics, self.states, band=self._band)

    def _band(self, metric: Metric, _at: int) -> tuple[float, float]:
        name = metric.name
        usual = {"Requests": REQUESTS, "PaymentsStarted": PAYMENTS}[name] * 5  # its period has five minutes
        return EXPECTED[0] * usual, EXPECTED[1] * usual

    def go(self, minutes: int, fault: Mapping[Resource, Publish] | None = None, *, look: bool = True) -> None:
        """Let minutes pass.

        In a fault some resources publish something else; without ``look`` no alarm is evaluated.
        """
        publishing = {**self.region.quiet, **(fault or {})}
        for _ in range(minutes):
            for publish in publishing.values():
                for (metric, value), count in _counted(publish, _like(self.now)).items():
                    self.metrics.put(metric, value, self.now * MINUTE, count)
            self.now += 1
            if look:
                changes, rings = minute(self._watch, self.region.alarms, self.region.composites, self.now * MINUTE)
                self.changes += changes
                self.rings += rings

    def go_through_days(self, days: int) -> None:
        """Let so many days pass, of which only what is published once a day, and the last minutes, are played."""
        for _ in range(days):
            self.go(1, look=False)
            self.now += DAY_OF_MINUTES - 1
        self.now -= MINUTES_BEFORE_A_DAY
        self.go(MINUTES_BEFORE_A_DAY, look=False)

    def state(self, name: str) -> State:
        """The state of the alarm whose name ends so."""
        (found,) = [state for known, state in self.states.items() if known.rpartition("/")[2] == name]
        return found


def _like(now: int) -> int:
    """A minute in which the same is published as in ``now``: once a day, every five minutes, or always."""
    return 0 if now % DAY_OF_MINUTES == 0 else 5 if now % 5 == 0 else 1


@functools.cache
def _counted(publish: Publish, now: int) -> Counter[tuple[Metric, float]]:
    """What is published in a minute of a day, equal values together."""
    return Counter(documented(publish(now)))


def documented(data: Data) -> Data:
    """The data, each of which is one that its service publishes, by AWS's documentation."""
    for metric, value in data:
        assert not list(flaws(metric)), list(flaws(metric))
        yield metric, value


def regions(platform: Synthesized) -> list[Region]:
    """The regions of a platform."""
    blocks, composites = alarm_blocks(platform), composite_blocks(platform)
    filters = list(platform.resources("aws_cloudwatch_log_metric_filter").values())
    made = [
        Region(
            name=name,
            alarms=[metric_alarm_of_terraform(one) for one in blocks if region_of(one) == name],
            composites=[composite_alarm_of_terraform(one) for one in composites if region_of(one) == name],
            filters=[one for one in filters if region_of(one) == name],
            sections={
                one["alarm_name"]: one["alarm_description"].rpartition("#")[2]
                for one in blocks
                if region_of(one) == name
            },
        )
        for name in sorted({region_of(one) for one in blocks})
    ]
    for region in made:
        region.quiet = dict(_quiet(region))
    return made


# --- a quiet day ---

PAYMENTS = 12
"""Payments in a minute."""
KINDS = (
    "TargetGroup",
    "LoadBalancer",
    "QueueName",
    "FunctionName",
    "ServiceName",
    "DistributionId",
    "WebACL",
    "HealthCheckId",
    "DBClusterIdentifier",
    "StateMachineArn",
    "NatGatewayId",
    "BackupVaultName",
    "CertificateArn",
    "RuleId",
)
PAYMENTS_RESOURCE, TRAIL = Resource("payments", ""), Resource("trail", "")


def resource_of(metric: Metric) -> Resource:
    """The resource that a metric is of: the smallest, where it is of one in another."""
    dimensions = dict(metric.dimensions)
    if metric.namespace == NAMESPACE:
        return PAYMENTS_RESOURCE
    if metric.namespace.endswith("/audit"):
        return TRAIL
    kind = next(kind for kind in KINDS if kind in dimensions)
    name = dimensions["SourceBucket"] if kind == "RuleId" else dimensions[kind]
    return Resource(kind, name)


def _quiet(region: Region) -> Iterator[tuple[Resource, Publish]]:
    watched: dict[Resource, dict[Metric, MetricAlarm]] = {}
    for alarm in region.alarms:
        for metric in alarm.metrics:
            watched.setdefault(resource_of(metric), {})[metric] = alarm
    for resource, metrics in watched.items():
        yield resource, _quiet_of(resource, metrics)


def _quiet_of(resource: Resource, metrics: Mapping[Metric, MetricAlarm]) -> Publish:
    first = dict(next(iter(metrics)).dimensions)
    names = {metric.name for metric in metrics}
    made: dict[str, Publish] = {
        "TargetGroup": lambda _: (
            group(first, healthy=TASKS, requests=[200] * REQUESTS) if "green" not in resource.name else ()
        ),
        "QueueName": lambda _: of_queue(
            resource.name, visible=0 if _is_for_nobody(metrics) else 3, hidden=0, oldest_seconds=0
        ),
        "FunctionName": lambda _: of_invocation(resource.name, failed=False, seconds=0.2),
        "ServiceName": lambda _: of_service(first["ClusterName"], resource.name, desired=TASKS, running=TASKS),
        "DistributionId": lambda _: times(REQUESTS, of_viewed(resource.name, 200)),
        "WebACL": lambda _: inspected(first, allowed=REQUESTS, blocked=1),
        "HealthCheckId": lambda _: of_health_check(resource.name, healthy=True),
        "StateMachineArn": lambda now: of_execution(resource.name, "SUCCEEDED") if now % DAY_OF_MINUTES == 0 else (),
        "payments": lambda now: payments(first[ENVIRONMENT_DIMENSION], **usual(now)),
    }
    # What the local AWS does not publish is put by name, as far as it is usual.
    values = {name: value for name, value in USUAL.items() if name in names}
    if resource.kind == "DBClusterIdentifier":
        return lambda now: (*of_cluster(resource.name, writer=True, connections=20), *put(metrics, values, now))
    return made.get(resource.kind, lambda now: put(metrics, values, now))


USUAL = {
    "AuroraGlobalDBReplicationLag": 200,
    "AuroraReplicaLagMaximum": 20,
    "CPUUtilization": 30,
    "DaysToExpiry": 300,
    "Deadlocks": 0,
    "ErrorPortAllocation": 0,
    "FreeableMemory": 20 * 2**30,
    "NumberOfBackupJobsCompleted": 1,
    "NumberOfCopyJobsCompleted": 1,
    "OperationsFailedReplication": 0,
    "PacketsDropCount": 0,
    "ReplicationLatency": 20,
}
"""The values of a quiet day, of what the local AWS does not publish."""
DAILY = {"DaysToExpiry", "NumberOfBackupJobsCompleted", "NumberOfCopyJobsCompleted"}


def put(metrics: Iterable[Metric], values: Mapping[str, float], now: int) -> Data:
    """The values of metrics by their names; of the daily ones once a day."""
    for metric in metrics:
        if metric.name in values and (metric.name not in DAILY or now % DAY_OF_MINUTES == 0):
            yield metric, values[metric.name]


def times(number: int, data: Data) -> Data:
    """The same observation so many times."""
    observed = list(data)
    for _ in range(number):
        yield from observed


def _is_for_nobody(metrics: Iterable[Metric]) -> bool:
    """Whether a queue is one that has no consumer: each message in it is a fault."""
    return "ApproximateNumberOfMessagesVisible" in {metric.name for metric in metrics}


def group(
    dimensions: Mapping[str, str], *, healthy: int, requests: Iterable[int], unhealthy: int = 0, seconds: float = 0.05
) -> Data:
    """A target group that answers requests with these statuses."""
    balancer, name = dimensions["LoadBalancer"], dimensions["TargetGroup"]
    yield from of_target_group(balancer, name, healthy=healthy, unhealthy=unhealthy)
    for status in requests:
        yield from of_balanced(
            Balanced(
                load_balancer=balancer,
                target_group=name,
                status=status,
                answered_by_target=True,
                seconds=seconds,
                targets=healthy,
            )
        )


def inspected(dimensions: Mapping[str, str], *, allowed: int, blocked: int) -> Data:
    """Requests that a web ACL has decided about."""
    acl, region = dimensions["WebACL"], dimensions.get("Region", "")
    yield from times(allowed, of_inspected(Inspected(web_acl=acl, region=region, allowed=True)))
    yield from times(blocked, of_inspected(Inspected(web_acl=acl, region=region, allowed=False, rule="reputation")))


def usual(now: int) -> dict[str, list[float]]:
    """What the service writes in a minute of a quiet day."""
    ones = [1.0] * PAYMENTS
    found = {"PaymentsStarted": ones, "PaymentsSucceeded": ones, "PaymentProcessingTime": [900.0] * PAYMENTS}
    of_a_run = {"OldestPendingAge": [5.0], "SettlementDifferences": [0.0], "SettlementOverdue": [40_000.0]}
    of_a_run["ReconcilerRuns"] = [1.0]  # also in a region that stands by
    return found | {"PublisherRounds": [1.0] * TASKS} | (of_a_run if now % 5 == 0 else {})


def payments(environment: str, **values: float | list[float]) -> Data:
    """What log lines of the payments service say, in the embedded metric format."""
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(names) for names in DIMENSION_SETS],
        "Metrics": [{"Name": name} for name in values],
    }
    line = {"_aws": {"Timestamp": 0, "CloudWatchMetrics": [directive]}, **values}
    return data_of(json.dumps(line | {ENVIRONMENT_DIMENSION: environment, SERVICE_DIMENSION: "payments"}))
