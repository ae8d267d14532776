"""What AWS's services measure, as the metrics that they publish of it.

Each function takes what was observed at one moment and gives the data; the pages are those of
:data:`alarms.documented.DOCUMENTED`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alarms.metrics import Data, Metric

GLOBAL = "Global"
ALL_RULES = "ALL"
DEFAULT_ACTION = "Default_Action"
"""The name of a web ACL's default action in metrics, where no rule has decided."""
FIRST_CLIENT_ERROR, FIRST_SERVER_ERROR = 400, 500
_LOAD_BALANCING, _FIREWALL, _LAMBDA, _SQS = "AWS/ApplicationELB", "AWS/WAFV2", "AWS/Lambda", "AWS/SQS"
_API_GATEWAY = "AWS/ApiGateway"
_INSIGHTS, _STATES, _RDS = "ECS/ContainerInsights", "AWS/States", "AWS/RDS"


@dataclass(frozen=True, kw_only=True)
class Balanced:
    """A request to a load balancer, with the ends of the ARNs of the load balancer and of the target group."""

    load_balancer: str
    status: int
    target_group: str = ""
    """That of the chosen target; empty where none was chosen."""
    answered_by_target: bool = False
    failure: str = ""
    """``connection`` or ``tls`` where the load balancer could not reach the target."""
    seconds: float = 0.0
    """From the request to the target until its response."""
    targets: int = 1
    """The number of targets of the group."""


def of_balanced(request: Balanced) -> Data:
    """Counts are published of what happened, requests of those for which a target was chosen."""
    balancer = {"LoadBalancer": request.load_balancer}
    group = {**balancer, "TargetGroup": request.target_group}
    places = [balancer, group] if request.target_group else [balancer]
    for dimensions in places if request.target_group else []:
        yield Metric.of(_LOAD_BALANCING, "RequestCount", dimensions), 1
    if request.target_group:
        for dimensions in ({"TargetGroup": request.target_group}, group):
            yield Metric.of(_LOAD_BALANCING, "RequestCountPerTarget", dimensions), 1 / max(request.targets, 1)
    if request.answered_by_target:
        for dimensions in places:
            yield Metric.of(_LOAD_BALANCING, f"HTTPCode_Target_{request.status // 100}XX_Count", dimensions), 1
            yield Metric.of(_LOAD_BALANCING, "TargetResponseTime", dimensions), request.seconds
    else:
        yield from _of_the_load_balancer(request, balancer)
    name = {"connection": "TargetConnectionErrorCount", "tls": "TargetTLSNegotiationErrorCount"}.get(request.failure)
    if name:
        yield from ((Metric.of(_LOAD_BALANCING, name, dimensions), 1) for dimensions in places)


def _of_the_load_balancer(request: Balanced, balancer: dict[str, str]) -> Data:
    hundreds = request.status // 100
    if hundreds in (3, 4, 5):
        yield Metric.of(_LOAD_BALANCING, f"HTTPCode_ELB_{hundreds}XX_Count", balancer), 1
    if request.status in (502, 503, 504):
        yield Metric.of(_LOAD_BALANCING, f"HTTPCode_ELB_{request.status}_Count", balancer), 1


def of_target_group(load_balancer: str, target_group: str, *, healthy: int, unhealthy: int) -> Data:
    """Each minute, where a group has targets: how many are healthy, and that requests are counted."""
    if not healthy + unhealthy:
        return
    balancer = {"LoadBalancer": load_balancer}
    group = {**balancer, "TargetGroup": target_group}
    yield Metric.of(_LOAD_BALANCING, "HealthyHostCount", group), healthy
    yield Metric.of(_LOAD_BALANCING, "UnHealthyHostCount", group), unhealthy
    for dimensions in (balancer, group):
        yield Metric.of(_LOAD_BALANCING, "RequestCount", dimensions), 0
    for dimensions in ({"TargetGroup": target_group}, group):
        yield Metric.of(_LOAD_BALANCING, "RequestCountPerTarget", dimensions), 0


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """A request that a web ACL has decided about.

    ``rule`` is the metric name of the rule that did; ``region`` is empty at CloudFront.
    """

    web_acl: str
    allowed: bool
    rule: str = ""
    region: str = ""


def of_inspected(request: Inspected) -> Data:
    """Of the web ACL and of the rule, or its default action."""
    name = "AllowedRequests" if request.allowed else "BlockedRequests"
    place = {"Region": request.region} if request.region else {}
    for rule in (ALL_RULES, request.rule or DEFAULT_ACTION):
        yield Metric.of(_FIREWALL, name, {"WebACL": request.web_acl, "Rule": rule, **place}), 1


def of_viewed(distribution: str, status: int) -> Data:
    """A viewer's request. The average of the rates over a period is the share of its requests in percent."""
    dimensions = {"DistributionId": distribution, "Region": GLOBAL}
    yield Metric.of("AWS/CloudFront", "Requests", dimensions), 1
    for name, first, last in (
        ("4xxErrorRate", FIRST_CLIENT_ERROR, FIRST_SERVER_ERROR - 1),
        ("5xxErrorRate", FIRST_SERVER_ERROR, 599),
        ("TotalErrorRate", FIRST_CLIENT_ERROR, 599),
    ):
        yield Metric.of("AWS/CloudFront", name, dimensions), 100.0 if first <= status <= last else 0.0


def of_gateway(api: str, stage: str, status: int, *, seconds: float, integration_seconds: float | None = None) -> Data:
    """A request to a REST API; each counts for the rates of errors, whose average is the share that failed.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
    """
    for dimensions in ({"ApiName": api}, {"ApiName": api, "Stage": stage}):
        yield Metric.of(_API_GATEWAY, "Count", dimensions), 1
        yield Metric.of(_API_GATEWAY, "4XXError", dimensions), float(FIRST_CLIENT_ERROR <= status < FIRST_SERVER_ERROR)
        yield Metric.of(_API_GATEWAY, "5XXError", dimensions), float(status >= FIRST_SERVER_ERROR)
        yield Metric.of(_API_GATEWAY, "Latency", dimensions), seconds * 1000
        if integration_seconds is not None:
            yield Metric.of(_API_GATEWAY, "IntegrationLatency", dimensions), integration_seconds * 1000


def of_invocation(function: str, *, failed: bool, seconds: float, concurrent: int = 1) -> Data:
    """An invocation that ran. ``concurrent`` are those of the function that ran at its begin, itself too."""
    dimensions = {"FunctionName": function}
    values = {
        "Invocations": 1,
        "Errors": float(failed),
        "Throttles": 0,
        "Duration": seconds * 1000,
        "ConcurrentExecutions": concurrent,
    }
    yield from ((Metric.of(_LAMBDA, name, dimensions), value) for name, value in values.items())


def of_throttle(function: str) -> Data:
    """An invocation that was refused; it is counted neither as an invocation nor as an error."""
    yield Metric.of(_LAMBDA, "Throttles", {"FunctionName": function}), 1


def of_queue(queue: str, *, visible: int, hidden: int, oldest_seconds: float) -> Data:
    """Each minute. Seconds are those of the oldest message that is not deleted."""
    dimensions = {"QueueName": queue}
    yield Metric.of(_SQS, "ApproximateNumberOfMessagesVisible", dimensions), visible
    yield Metric.of(_SQS, "ApproximateNumberOfMessagesNotVisible", dimensions), hidden
    yield Metric.of(_SQS, "ApproximateAgeOfOldestMessage", dimensions), oldest_seconds


def of_service(cluster: str, service: str, *, desired: int, running: int, pending: int = 0) -> Data:
    """Each minute, of a cluster with Container Insights."""
    dimensions = {"ClusterName": cluster, "ServiceName": service}
    yield Metric.of(_INSIGHTS, "DesiredTaskCount", dimensions), desired
    yield Metric.of(_INSIGHTS, "RunningTaskCount", dimensions), running
    yield Metric.of(_INSIGHTS, "PendingTaskCount", dimensions), pending


def of_health_check(identifier: str, *, healthy: bool) -> Data:
    """Each minute."""
    yield Metric.of("AWS/Route53", "HealthCheckStatus", {"HealthCheckId": identifier}), float(healthy)


_ENDS = {
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}


def of_execution(state_machine_arn: str, status: str) -> Data:
    """An execution that has ended with a status of Step Functions' API."""
    if status in _ENDS:
        yield Metric.of(_STATES, _ENDS[status], {"StateMachineArn": state_machine_arn}), 1


def of_cluster(cluster: str, *, writer: bool, connections: int) -> Data:
    """Each minute, of an instance of a database cluster: it counts for its role, and for the cluster."""
    for dimensions in (
        {"DBClusterIdentifier": cluster, "Role": "WRITER" if writer else "READER"},
        {"DBClusterIdentifier": cluster},
    ):
        yield Metric.of(_RDS, "DatabaseConnections", dimensions), connections


def published() -> Iterator[tuple[str, str]]:
    """Namespace and name of each metric that a function here can give."""
    observed: tuple[Data, ...] = (
        *(
            of_balanced(Balanced(load_balancer="a", target_group="g", status=status, answered_by_target=True))
            for status in (200, 300, 400, 500)
        ),
        *(of_balanced(Balanced(load_balancer="a", status=status)) for status in (301, 403, 502, 503, 504)),
        *(of_balanced(Balanced(load_balancer="a", status=502, failure=one)) for one in ("connection", "tls")),
        of_target_group("a", "g", healthy=1, unhealthy=0),
        *(of_inspected(Inspected(web_acl="w", allowed=one)) for one in (True, False)),
        of_viewed("d", 200),
        of_gateway("a", "s", 200, seconds=0, integration_seconds=0),
        of_invocation("f", failed=False, seconds=0),
        of_queue("q", visible=0, hidden=0, oldest_seconds=0),
        of_service("c", "s", desired=0, running=0),
        of_health_check("h", healthy=True),
        *(of_execution("m", status) for status in _ENDS),
        of_cluster("c", writer=True, connections=0),
    )
    yield from {(metric.namespace, metric.name) for data in observed for metric, _ in data}
