"""AWS's metrics that alarms, dashboards and scaling name, as its documentation lists them.

A table of data: for each namespace the page, and for each metric its sets of dimensions and its meaningful statistics.
"""

from __future__ import annotations

from dataclasses import dataclass

COUNT = ("Sum",)
GAUGE = ("Average", "Maximum", "Minimum")
PERCENTILES = ("p50", "p95", "p99")


@dataclass(frozen=True, kw_only=True)
class Documented:
    """A metric: the sets of dimensions under which AWS publishes it, and the statistics that have a meaning."""

    dimensions: tuple[frozenset[str], ...]
    statistics: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Namespace:
    """The metrics of one namespace, by name."""

    page: str
    metrics: dict[str, Documented]


def _sets(*names: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(name.split()) for name in names)


def _documented(
    names: str, dimensions: tuple[frozenset[str], ...], statistics: tuple[str, ...]
) -> dict[str, Documented]:
    return {name: Documented(dimensions=dimensions, statistics=statistics) for name in names.split()}


DISTRIBUTION = _sets("DistributionId Region")
LOAD_BALANCER = _sets("LoadBalancer", "LoadBalancer TargetGroup")
CLUSTER_ROLE = _sets("DBClusterIdentifier Role", "DBClusterIdentifier", "DBInstanceIdentifier")
SERVICE = _sets("ClusterName ServiceName")

NAMESPACES = {
    "AWS/ApplicationELB": Namespace(
        page="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html",
        metrics={
            **_documented("RequestCount HTTPCode_Target_4XX_Count HTTPCode_Target_5XX_Count", LOAD_BALANCER, COUNT),
            **_documented(
                "RequestCountPerTarget TargetConnectionErrorCount TargetTLSNegotiationErrorCount", LOAD_BALANCER, COUNT
            ),
            **_documented("HTTPCode_ELB_5XX_Count", _sets("LoadBalancer"), COUNT),
            **_documented("TargetResponseTime", LOAD_BALANCER, ("Average", *PERCENTILES)),
            **_documented("HealthyHostCount UnHealthyHostCount", _sets("LoadBalancer TargetGroup"), GAUGE),
        },
    ),
    "AWS/Backup": Namespace(
        page="https://docs.aws.amazon.com/aws-backup/latest/devguide/cloudwatch.html",
        metrics=_documented(
            "NumberOfBackupJobsCompleted NumberOfCopyJobsCompleted", _sets("BackupVaultName", "ResourceType"), COUNT
        ),
    ),
    "AWS/CertificateManager": Namespace(
        page="https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html",
        metrics=_documented("DaysToExpiry", _sets("CertificateArn"), ("Minimum", "Average")),
    ),
    "AWS/CloudFront": Namespace(
        page="https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/programming-cloudwatch-metrics.html",
        metrics={
            **_documented("Requests", DISTRIBUTION, COUNT),
            **_documented("4xxErrorRate 5xxErrorRate", DISTRIBUTION, ("Average",)),
        },
    ),
    "AWS/ECS": Namespace(
        page="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html",
        metrics=_documented("CPUUtilization MemoryUtilization", SERVICE, GAUGE),
    ),
    "AWS/Lambda": Namespace(
        page="https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html",
        metrics={
            **_documented("Errors Throttles", _sets("FunctionName"), COUNT),
            **_documented("ConcurrentExecutions", _sets("FunctionName"), ("Maximum",)),
        },
    ),
    "AWS/NATGateway": Namespace(
        page="https://docs.aws.amazon.com/vpc/latest/userguide/metrics-dimensions-nat-gateway.html",
        metrics=_documented("ErrorPortAllocation PacketsDropCount", _sets("NatGatewayId"), COUNT),
    ),
    "AWS/RDS": Namespace(
        page="https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html",
        metrics={
            **_documented("CPUUtilization Deadlocks FreeableMemory", CLUSTER_ROLE, GAUGE),
            # One datapoint a minute and instance: their sum is the cluster's.
            **_documented("DatabaseConnections", CLUSTER_ROLE, (*GAUGE, "Sum")),
            **_documented("AuroraReplicaLagMaximum AuroraReplicaLag", _sets("DBClusterIdentifier"), GAUGE),
            **_documented(
                "AuroraGlobalDBReplicationLag AuroraGlobalDBRPOLag",
                _sets("DBClusterIdentifier", "DBClusterIdentifier SourceRegion"),
                GAUGE,
            ),
        },
    ),
    "AWS/Route53": Namespace(
        page="https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-health-checks.html",
        metrics={
            **_documented("HealthCheckStatus", _sets("HealthCheckId"), ("Minimum",)),
            **_documented("HealthCheckPercentageHealthy", _sets("HealthCheckId"), ("Average",)),
        },
    ),
    "AWS/S3": Namespace(
        page="https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html",
        metrics={
            **_documented("OperationsFailedReplication", _sets("SourceBucket DestinationBucket RuleId"), COUNT),
            **_documented("ReplicationLatency", _sets("SourceBucket DestinationBucket RuleId"), ("Maximum",)),
        },
    ),
    "AWS/SQS": Namespace(
        page="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html",
        metrics=_documented(
            "ApproximateAgeOfOldestMessage ApproximateNumberOfMessagesVisible ApproximateNumberOfMessagesNotVisible",
            _sets("QueueName"),
            (*GAUGE, "Sum"),  # one datapoint a minute: AWS's page on scaling by a queue has the sum
        ),
    ),
    "AWS/States": Namespace(
        page="https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html",
        metrics=_documented(
            "ExecutionsAborted ExecutionsFailed ExecutionsSucceeded ExecutionsTimedOut", _sets("StateMachineArn"), COUNT
        ),
    ),
    "AWS/WAFV2": Namespace(
        page="https://docs.aws.amazon.com/waf/latest/developerguide/waf-metrics.html",
        metrics=_documented("AllowedRequests BlockedRequests", _sets("WebACL Rule Region", "WebACL Rule"), COUNT),
    ),
    "ECS/ContainerInsights": Namespace(
        page="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-ECS.html",
        metrics=_documented("RunningTaskCount DesiredTaskCount", SERVICE, GAUGE),
    ),
}
