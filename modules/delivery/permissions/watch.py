"""IAM policy of the deploy role: services that audit the account, and AWS Budgets.

The audit covers the deploy role as well, so the role reads its services, and an administrator changes them.
"""

from __future__ import annotations

from modules.delivery.permissions.grants import AUDIT_MADE, AUDIT_READ, BUDGET, Grant

READING = ("Describe", "Get", "List")

WATCH: tuple[Grant, ...] = (
    Grant(
        sid="SeeAnalyzers",
        service="access-analyzer",
        on=("arn:aws:access-analyzer:*:{account}:analyzer/{own}",),
        unrehearsed={AUDIT_READ: "GetAnalyzer ListTagsForResource"},
    ),
    Grant(
        sid="SeeTrails",
        service="cloudtrail",
        on=("arn:aws:cloudtrail:*:{account}:trail/{own}",),
        unrehearsed={AUDIT_READ: "GetEventSelectors GetInsightSelectors GetTrailStatus ListTags"},
    ),
    Grant(sid="ListTrails", service="cloudtrail", unrehearsed={AUDIT_READ: "DescribeTrails"}),
    Grant(
        sid="SeeConfiguration",
        service="config",
        on=("arn:aws:config:*:{account}:config-rule/*", "arn:aws:config:*:{account}:configuration-recorder/*"),
        unrehearsed={AUDIT_READ: "ListTagsForResource"},
    ),
    Grant(
        sid="ListConfiguration",
        service="config",
        unrehearsed={AUDIT_READ: "DescribeConfigRules DescribeDeliveryChannels"},
    ),
    Grant(
        sid="ListRecorders",
        service="config",
        on=("arn:aws:config:*:{account}:configuration-recorder/*",),
        unrehearsed={AUDIT_READ: "DescribeConfigurationRecorderStatus DescribeConfigurationRecorders"},
    ),
    Grant(
        sid="SeeDetectors",
        service="guardduty",
        on=("arn:aws:guardduty:*:{account}:detector/*",),
        unrehearsed={AUDIT_READ: "GetDetector"},
    ),
    Grant(
        sid="SeeHub",
        service="securityhub",
        on=("arn:aws:securityhub:*:{account}:hub/default", "arn:aws:securityhub:*:{account}:finding-aggregator/*"),
        unrehearsed={AUDIT_READ: "DescribeHub GetEnabledStandards GetFindingAggregator"},
    ),
    Grant(sid="SeeAccount", service="s3", unrehearsed={AUDIT_READ: "GetAccountPublicAccessBlock"}),
    Grant(
        sid="CountInLogs",
        service="logs",
        on=("arn:aws:logs:*:{account}:log-group:/{path}*",),
        unrehearsed={AUDIT_MADE: "DeleteMetricFilter DescribeMetricFilters PutMetricFilter"},
    ),
    Grant(
        sid="Budgets",
        service="budgets",
        on=("arn:aws:budgets::{account}:budget/{own}",),
        unrehearsed={BUDGET: "ListTagsForResource ModifyBudget TagResource UntagResource ViewBudget"},
    ),
)
# Services whose settings only an administrator changes: the boundary allows reading them.
WATCHERS = ("access-analyzer", "cloudtrail", "config", "guardduty", "securityhub")
READING = ("Describe", "Get", "List")
