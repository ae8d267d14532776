"""Which metrics AWS's services publish, and with which dimensions, as their documentation has it.

A table of data: of each namespace the page, and of each metric the sets of dimensions under which it is published. A
metric in another set of dimensions has no data, for ever: an alarm on it would say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from alarms.metrics import Metric

Dimensions = tuple[frozenset[str], ...]


def _sets(*sets: str) -> Dimensions:
    return tuple(frozenset(one.split()) for one in sets)


@dataclass(frozen=True, kw_only=True)
class Namespace:
    """The metrics of a namespace, with the sets of dimensions of each; ``page`` is where AWS has them."""

    page: str
    metrics: Mapping[str, Dimensions]
    home: str = ""
    """The region in which they are published, where it is one for all."""


_BALANCER = _sets("LoadBalancer", "AvailabilityZone LoadBalancer")
_GROUP = _sets("LoadBalancer TargetGroup", "AvailabilityZone LoadBalancer TargetGroup")
_QUEUE = _sets("QueueName")
_FUNCTION = _sets("FunctionName", "FunctionName Resource", "FunctionName Resource ExecutedVersion", "")
_SERVICE = _sets("ClusterName", "ClusterName ServiceName")
_DISTRIBUTION = _sets("DistributionId Region")
_FIREWALL = _sets(
    # Of a web ACL for CloudFront there is no Region; Rule=ALL are all requests, and a rule's own name those of a rule.
    "WebACL Rule",
    "WebACL Rule Region",
)
_CLUSTER = _sets("DBClusterIdentifier", "DBClusterIdentifier Role", "DBInstanceIdentifier", "DatabaseClass", "")
_MACHINE = _sets("StateMachineArn")
_REPLICATION = _sets("SourceBucket DestinationBucket RuleId")
_VAULT = _sets("BackupVaultName", "ResourceType", "BackupVaultName ResourceType", "")

DOCUMENTED: Mapping[str, Namespace] = {
    "AWS/ApplicationELB": Namespace(
        page="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html",
        metrics={
            "RequestCount": _BALANCER + _GROUP,
            "HTTPCode_ELB_3XX_Count": _BALANCER,
            "HTTPCode_ELB_4XX_Count": _BALANCER,
            "HTTPCode_ELB_5XX_Count": _BALANCER,
            "HTTPCode_ELB_502_Count": _BALANCER,
            "HTTPCode_ELB_503_Count": _BALANCER,
            "HTTPCode_ELB_504_Count": _BALANCER,
            "HTTPCode_Target_2XX_Count": _BALANCER + _GROUP,
            "HTTPCode_Target_3XX_Count": _BALANCER + _GROUP,
            "HTTPCode_Target_4XX_Count": _BALANCER + _GROUP,
            "HTTPCode_Target_5XX_Count": _BALANCER + _GROUP,
            "HealthyHostCount": _GROUP,
            "UnHealthyHostCount": _GROUP,
            "RequestCountPerTarget": _sets("TargetGroup", "AvailabilityZone TargetGroup") + _GROUP,
            "TargetConnectionErrorCount": _BALANCER + _GROUP,
            "TargetResponseTime": _BALANCER + _GROUP,
            "TargetTLSNegotiationErrorCount": _BALANCER + _GROUP,
        },
    ),
    "AWS/SQS": Namespace(
        page="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html",
        metrics={
            "ApproximateAgeOfOldestMessage": _QUEUE,
            "ApproximateNumberOfMessagesNotVisible": _QUEUE,
            "ApproximateNumberOfMessagesVisible": _QUEUE,
        },
    ),
    "AWS/Lambda": Namespace(
        page="https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html",
        metrics={
            "ConcurrentExecutions": _FUNCTION,
            "Duration": _FUNCTION,
            "Errors": _FUNCTION,
            "Invocations": _FUNCTION,
            "Throttles": _FUNCTION,
        },
    ),
    "ECS/ContainerInsights": Namespace(
        page="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-ECS.html",
        metrics={
            "DesiredTaskCount": _sets("ClusterName ServiceName"),
            "PendingTaskCount": _sets("ClusterName ServiceName"),
            "RunningTaskCount": _sets("ClusterName ServiceName"),
        },
    ),
    "AWS/ECS": Namespace(
        page="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html",
        metrics={"CPUUtilization": _SERVICE, "MemoryUtilization": _SERVICE},
    ),
    "AWS/CloudFront": Namespace(
        page="https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/programming-cloudwatch-metrics.html",
        metrics={
            "4xxErrorRate": _DISTRIBUTION,
            "5xxErrorRate": _DISTRIBUTION,
            "Requests": _DISTRIBUTION,
            "TotalErrorRate": _DISTRIBUTION,
        },
        home="us-east-1",
    ),
    "AWS/WAFV2": Namespace(
        page="https://docs.aws.amazon.com/waf/latest/developerguide/waf-metrics.html",
        metrics={"AllowedRequests": _FIREWALL, "BlockedRequests": _FIREWALL, "CountedRequests": _FIREWALL},
    ),
    "AWS/Route53": Namespace(
        page="https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-health-checks.html",
        metrics={"HealthCheckStatus": _sets("HealthCheckId")},
        home="us-east-1",
    ),
    "AWS/RDS": Namespace(
        page="https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html",
        metrics={
            "AuroraGlobalDBReplicationLag": _sets("DBClusterIdentifier", "DBClusterIdentifier SourceRegion"),
            "AuroraReplicaLagMaximum": _CLUSTER,
            "CPUUtilization": _CLUSTER,
            "DatabaseConnections": _CLUSTER,
            "Deadlocks": _CLUSTER,
            "FreeableMemory": _CLUSTER,
        },
    ),
    "AWS/States": Namespace(
        page="https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html",
        metrics={
            "ExecutionsAborted": _MACHINE,
            "ExecutionsFailed": _MACHINE,
            "ExecutionsStarted": _MACHINE,
            "ExecutionsSucceeded": _MACHINE,
            "ExecutionsTimedOut": _MACHINE,
        },
    ),
    "AWS/S3": Namespace(
        page="https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html",
        metrics={"OperationsFailedReplication": _REPLICATION, "ReplicationLatency": _REPLICATION},
    ),
    "AWS/Backup": Namespace(
        page="https://docs.aws.amazon.com/aws-backup/latest/devguide/cloudwatch.html",
        metrics={"NumberOfBackupJobsCompleted": _VAULT, "NumberOfCopyJobsCompleted": _VAULT},
    ),
    "AWS/CertificateManager": Namespace(
        page="https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html",
        metrics={"DaysToExpiry": _sets("CertificateArn")},
    ),
    "AWS/NATGateway": Namespace(
        page="https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway-cloudwatch.html",
        metrics={"ErrorPortAllocation": _sets("NatGatewayId"), "PacketsDropCount": _sets("NatGatewayId")},
    ),
}
"""The namespaces of AWS whose metrics an alarm, a scaling policy or the local AWS has."""


def flaws(metric: Metric) -> Iterator[str]:
    """Why no service publishes a metric; nothing where one does, or where its namespace is the account's own."""
    if not metric.namespace.startswith(("AWS/", "ECS/")):
        return
    namespace = DOCUMENTED.get(metric.namespace)
    if namespace is None:
        yield f"{metric.namespace} is in no table of documented metrics"
        return
    sets = namespace.metrics.get(metric.name)
    if sets is None:
        yield f"{metric.namespace} has no {metric.name}: {namespace.page}"
        return
    names = frozenset(name for name, _ in metric.dimensions)
    if names not in sets:
        known = "; ".join(", ".join(sorted(one)) or "none" for one in sets)
        yield f"{metric.name} is not published by {', '.join(sorted(names)) or 'no dimension'}, but by: {known}"
