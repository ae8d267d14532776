"""IAM policy of the deploy role: `make failover`.

Grants only what the other policies do not grant already, such as scaling of services and reading of alarms.
"""

from __future__ import annotations

from modules.delivery.permissions.grants import FAILOVER, Grant

FAIL_OVER: tuple[Grant, ...] = (
    Grant(
        sid="MoveWriter",
        service="rds",
        on=("arn:aws:rds:*:{account}:cluster:{own}", "arn:aws:rds::{account}:global-cluster:{own}"),
        unrehearsed={FAILOVER: "FailoverGlobalCluster SwitchoverGlobalCluster"},
    ),
    Grant(sid="SeeTargets", service="elasticloadbalancing", unrehearsed={FAILOVER: "DescribeTargetHealth"}),
    Grant(sid="SeeMetrics", service="cloudwatch", unrehearsed={FAILOVER: "GetMetricStatistics"}),
    Grant(
        sid="SeeHealth",
        service="route53",
        on=("arn:aws:route53:::healthcheck/*",),
        unrehearsed={FAILOVER: "GetHealthCheckStatus"},
    ),
    Grant(
        sid="AskNames",
        service="route53",
        unrehearsed={FAILOVER: "ListHealthChecks ListHostedZonesByName TestDNSAnswer"},
    ),
    Grant(
        sid="LockAndRecord",  # in the backups bucket of either region
        service="s3",
        on=("arn:aws:s3:::{own}-{account}-*/failover/*",),
        unrehearsed={FAILOVER: "DeleteObject GetObject PutObject"},
    ),
)
