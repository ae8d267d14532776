"""Log groups: each created by the stack, with a retention and a key, before anything can write to it (P5.2).

Includes those that AWS names and would create itself, without either: tests/payment_api/test_made_by_aws.py lists them.
"""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_logs import LogGroup, RetentionDays
from constructs import Construct

from settings.naming import Names

AUDIT_RETENTION = RetentionDays.SEVEN_YEARS
AUDIT_DAYS = 2557
"""Seven years with two leap days: CloudWatch Logs' value for seven years."""

RETENTIONS = {
    30: RetentionDays.ONE_MONTH,
    60: RetentionDays.TWO_MONTHS,
    90: RetentionDays.THREE_MONTHS,
    180: RetentionDays.SIX_MONTHS,
    365: RetentionDays.ONE_YEAR,
    400: RetentionDays.THIRTEEN_MONTHS,
}


ENHANCED_MONITORING_LOG = "RDSOSMetrics"
"""Where RDS writes enhanced monitoring of all databases of an account in a region; the name is RDS's.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Monitoring.OS.CloudWatchLogs.html"""


def container_insights_log(names: Names) -> str:
    """The log group of Container Insights for the cluster, whose name AWS fixes.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-reference-performance-logs-ECS.html
    """
    return f"/aws/ecs/containerinsights/{names.of('payments')}/performance"


def removal(*, protected: bool) -> RemovalPolicy:
    """Removal policy of a resource: it is retained only where the environment is protected (P6.4)."""
    return RemovalPolicy.RETAIN if protected else RemovalPolicy.DESTROY


class AuditLog(LogGroup):
    """A log group that is kept for exactly seven years, and outlives the stack where the environment is protected."""

    requirements = ("P5.2", "P4.4")

    def __init__(self, scope: Construct, id_: str, *, name: str, key: IKey, protected: bool) -> None:
        super().__init__(
            scope,
            id_,
            log_group_name=name,
            retention=AUDIT_RETENTION,
            encryption_key=key,
            removal_policy=removal(protected=protected),
        )


class ServiceLog(LogGroup):
    """A log group of a workload, not an audit log."""

    requirements = ("P4.4",)

    def __init__(self, scope: Construct, id_: str, *, name: str, key: IKey, days: int) -> None:
        super().__init__(
            scope,
            id_,
            log_group_name=name,
            retention=RETENTIONS[days],
            encryption_key=key,
            removal_policy=RemovalPolicy.DESTROY,
        )
