"""For each kind of alarm, which is its section of a runbook, a fault that must fire it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from alarms.definitions import MetricAlarm, Query
from alarms.metrics import Data
from alarms.sources import (
    Balanced,
    of_balanced,
    of_cluster,
    of_execution,
    of_health_check,
    of_invocation,
    of_queue,
    of_service,
    of_throttle,
    of_viewed,
)
from tests.alarms.world import (
    PAYMENTS,
    REQUESTS,
    Publish,
    Region,
    Resource,
    group,
    inspected,
    payments,
    put,
    resource_of,
    times,
    usual,
)

Fault = Callable[[Region, MetricAlarm], Publish]


@dataclass(frozen=True)
class Kind:
    """What happens, in words, and what the resource of the alarm publishes then."""

    meaning: str
    fault: Fault


def fault_of(region: Region, alarm: MetricAlarm) -> tuple[str, Mapping[Resource, Publish]]:
    """The fault that must fire an alarm: its meaning, and what each resource that the alarm watches publishes in it."""
    kind = OF_ONE.get(alarm.name.rpartition("/")[2]) or KINDS[region.sections[alarm.name]]
    parts: dict[Resource, list[Query]] = {}
    for query in alarm.queries:
        if query.metric:
            parts.setdefault(resource_of(query.metric), []).append(query)
    return kind.meaning, {
        resource: kind.fault(region, replace(alarm, queries=tuple(queries))) for resource, queries in parts.items()
    }


def dimensions(alarm: MetricAlarm) -> dict[str, str]:
    """The dimensions of the metrics of an alarm."""
    return dict(alarm.metrics[-1].dimensions)


def name_of(alarm: MetricAlarm) -> str:
    """The name of the resource of an alarm."""
    return resource_of(alarm.metrics[-1]).name


def _named(**values: float) -> Fault:
    """Values of metrics that the local AWS does not publish."""
    return lambda _region, alarm: lambda _now: put(alarm.metrics, values, 0)


def _silence(_region: Region, _alarm: MetricAlarm) -> Publish:
    return lambda _now: ()


def _answered(statuses: list[int], *, seconds: float = 0.05, healthy: int = 2, unhealthy: int = 0) -> Fault:
    """What targets answer; of an alarm on a load balancer, those of one of its groups."""

    def fault(_region: Region, alarm: MetricAlarm) -> Publish:
        place = {"TargetGroup": "targetgroup/any/0", **dimensions(alarm)}
        return lambda _now: group(place, healthy=healthy, unhealthy=unhealthy, requests=statuses, seconds=seconds)

    return fault


def _unreachable(_region: Region, alarm: MetricAlarm) -> Publish:
    """Requests that the load balancer answers with 502, as the task refuses the connection."""
    place = dimensions(alarm)

    def publish(_now: int) -> Data:
        for failed in (True, False):
            request = Balanced(
                load_balancer=place["LoadBalancer"],
                target_group=place.get("TargetGroup", "targetgroup/any/0"),
                status=502 if failed else 200,
                failure="connection" if failed else "",
                answered_by_target=not failed,
            )
            yield from times(REQUESTS // 2, of_balanced(request))

    return publish


def _payments(**values: float | list[float]) -> Fault:
    def fault(_region: Region, alarm: MetricAlarm) -> Publish:
        environment = dimensions(alarm)["Environment"]
        return lambda now: payments(environment, **usual(now) | values)

    return fault


def _audit(**event: object) -> Kind:
    return Kind(f"the trail has {event}", lambda region, _alarm: lambda _now: times(20, region.audited(event)))


def _queue(*, visible: int, oldest_seconds: float = 0.0) -> Fault:
    return lambda _region, alarm: (
        lambda _now: of_queue(name_of(alarm), visible=visible, hidden=0, oldest_seconds=oldest_seconds)
    )


def _database(**values: float) -> Fault:
    def fault(_region: Region, alarm: MetricAlarm) -> Publish:
        return lambda _now: (
            *of_cluster(name_of(alarm), writer=True, connections=int(values.get("connections", 20))),
            *put(alarm.metrics, values, 0),
        )

    return fault


ONE_IN_TEN_FAILS = [500] * (REQUESTS // 10) + [200] * (REQUESTS - REQUESTS // 10)
LETTER = Kind("a message lies in the queue, for which there is no consumer", _queue(visible=1))

KINDS: Mapping[str, Kind] = {
    "audit-trail": Kind("see the events", _silence),
    "backup-failures": LETTER,
    "backup-missing": Kind("no backup is completed", _silence),
    "certificate-ends": Kind("the certificate ends in 20 days", _named(DaysToExpiry=20)),
    "copy-missing": Kind("no copy is completed", _silence),
    "database-connections": Kind("logins are not closed", _database(connections=5000)),
    "database-cpu": Kind("the writer is busy", _database(CPUUtilization=95)),
    "database-deadlocks": Kind("transactions lock each other out", _database(Deadlocks=0.2)),
    "database-global-lag": Kind("the other region is behind", _database(AuroraGlobalDBReplicationLag=9000)),
    "database-memory": Kind("memory is used up", _database(FreeableMemory=2**26)),
    "database-replica-lag": Kind("a reader is behind", _database(AuroraReplicaLagMaximum=5000)),
    "edge-errors": Kind(
        "one viewer in ten gets a 5xx",
        lambda _region, alarm: (
            lambda _now: (data for status in ONE_IN_TEN_FAILS for data in of_viewed(name_of(alarm), status))
        ),
    ),
    "edge-requests-unusual": Kind(
        "ten times as many requests as ever",
        lambda _region, alarm: lambda _now: times(REQUESTS * 10, of_viewed(name_of(alarm), 200)),
    ),
    "function-failing": Kind(
        "invocations fail",
        lambda _region, alarm: lambda _now: of_invocation(name_of(alarm), failed=True, seconds=0.2),
    ),
    "load-balancer-errors": Kind("one request in ten is answered with 500", _answered(ONE_IN_TEN_FAILS)),
    "load-balancer-slow": Kind("answers take ten seconds", _answered([200] * REQUESTS, seconds=10)),
    "nat-gateways": Kind("no port is left", _named(ErrorPortAllocation=5)),
    "payments-contradicted": Kind("a decision contradicts the stored one", _payments(AcquirerContradictions=1)),
    "payments-credential-rejected": Kind("the acquirer answers 401", _payments(AcquirerCredentialRejected=1)),
    "payments-not-in-database": Kind("a message names no operation", _payments(OperationsNotInDatabase=1)),
    "payments-settlement-differs": Kind("the acquirer has another amount", _payments(SettlementDifferences=1)),
    "payments-settlement-overdue": Kind("no file came for three days", _payments(SettlementOverdue=3 * 86_400)),
    "payments-slow": Kind("the acquirer needs minutes", _payments(PaymentProcessingTime=[120_000] * PAYMENTS)),
    "payments-success-rate": Kind(
        "half of the payments are declined",
        _payments(PaymentsSucceeded=[1] * (PAYMENTS // 2), PaymentsFailed=[1] * (PAYMENTS // 2)),
    ),
    "payments-unsettled": Kind("an operation has been pending for hours", _payments(OldestPendingAge=9000)),
    "payments-unusual": Kind("nobody starts a payment", _payments(PaymentsStarted=1)),
    "publisher-silent": Kind("no task looks into the outbox", _silence),
    "queue-age": Kind("nobody consumes the queue", _queue(visible=9, oldest_seconds=5000)),
    "queue-dead-letters": LETTER,
    "reconciler-silent": Kind("the reconciler's schedule is gone, or its log", _silence),
    "region-unhealthy": Kind(
        "Route 53's checkers get no answer",
        lambda _region, alarm: lambda _now: of_health_check(name_of(alarm), healthy=False),
    ),
    "release-server-errors": Kind("tasks refuse connections", _unreachable),
    "release-slow": Kind("answers of one colour take ten seconds", _answered([200] * REQUESTS, seconds=10)),
    "release-unhealthy": Kind("a task fails its health check", _answered([200] * REQUESTS, healthy=1, unhealthy=1)),
    "replication-failures": Kind("an object is not replicated", _named(OperationsFailedReplication=1)),
    "replication-lag": Kind("replication is behind", _named(ReplicationLatency=90_000)),
    "requests-blocked": Kind(
        "half of the requests are blocked",
        lambda _region, alarm: lambda _now: inspected(dimensions(alarm), allowed=30, blocked=30),
    ),
    "restore-failures": LETTER,
    "service-down": Kind("no task is healthy", _answered([], healthy=0, unhealthy=2)),
    "snapshot-export-ended-badly": Kind("see the ends of executions", _silence),
    "snapshot-export-missing": Kind("no export is completed", _silence),
    "snapshot-export-undelivered": LETTER,
    "tasks-missing": Kind(
        "one task of two runs",
        lambda _region, alarm: (
            lambda _now: of_service(dimensions(alarm)["ClusterName"], name_of(alarm), desired=2, running=1)
        ),
    ),
    "threat-findings": LETTER,
}


def _ended(status: str) -> Kind:
    return Kind(
        f"an execution ends as {status}",
        lambda _region, alarm: lambda _now: of_execution(name_of(alarm), status),
    )


OF_ONE: Mapping[str, Kind] = {
    "audit-audit-changes": _audit(readOnly=False, eventName="StopLogging"),
    "audit-denied-calls": _audit(errorCode="AccessDenied", eventName="GetObject", readOnly=True),
    "audit-key-deletion": _audit(
        readOnly=False,
        eventSource="kms.amazonaws.com",
        eventName="ScheduleKeyDeletion",
        userIdentity={"type": "IAMUser"},
    ),
    "audit-policy-changes": _audit(
        readOnly=False, eventSource="iam.amazonaws.com", eventName="PutRolePolicy", userIdentity={"type": "IAMUser"}
    ),
    "audit-resource-policy-changes": _audit(
        readOnly=False, eventSource="s3.amazonaws.com", eventName="PutBucketPolicy", userIdentity={"type": "IAMUser"}
    ),
    "audit-root-use": _audit(userIdentity={"type": "Root"}, eventType="AwsApiCall", eventName="ListBuckets"),
    "audit-sign-in-without-mfa": _audit(
        eventName="ConsoleLogin",
        userIdentity={"type": "IAMUser"},
        responseElements={"ConsoleLogin": "Success"},
        additionalEventData={"MFAUsed": "No"},
    ),
    "load-balancer-server-errors": Kind("the load balancer answers 502", _unreachable),
    "snapshot-export-aborted": _ended("ABORTED"),
    "snapshot-export-failed": _ended("FAILED"),
    "snapshot-export-timed-out": _ended("TIMED_OUT"),
    "rotate-origin-secret-failing": Kind(
        "the account's concurrency is used up",
        lambda _region, alarm: lambda _now: of_throttle(name_of(alarm)),
    ),
}
"""Alarms whose fault is another one than that of their section."""
