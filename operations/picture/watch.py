"""Monitoring and audit of a region in a picture, and resources that an account has once."""

from __future__ import annotations

from collections.abc import Iterator

from operations.picture.model import Box, Icon, View, box, counted, listed, some


def alarms(view: View) -> Iterator[Box]:
    """Alarms, their topics, and dashboards."""
    metrics, composites = view.of("aws_cloudwatch_metric_alarm"), view.of("aws_cloudwatch_composite_alarm")
    dashboards, topics = view.of("aws_cloudwatch_dashboard"), view.of("aws_sns_topic")
    lines = [
        some(metrics, "alarm"),
        some(composites, "composite alarm"),
        listed(some(topics, "topic"), view.names(topics)),
        listed(some(dashboards, "dashboard"), view.names(dashboards, "dashboard_name")),
    ]
    of = [*metrics, *composites, *topics, *view.of("aws_sns_topic_subscription"), *dashboards]
    yield from box(Icon.MONITORING, "Alarms and dashboards" if dashboards else "Alarms", lines, of)


def logs(view: View) -> Iterator[Box]:
    """Log groups with their retention, metric filters and log deliveries."""
    groups, deliveries = view.of("aws_cloudwatch_log_group"), view.of("aws_cloudwatch_log_delivery")
    filters = view.of("aws_cloudwatch_log_metric_filter")
    kept = sorted({days for one in groups if (days := one.number("retention_in_days"))})
    lines = [
        some(groups, "log group"),
        f"kept {' or '.join(map(str, kept))} days" if kept else "",
        some(filters, "metric filter"),
        some(deliveries, "delivery", "deliveries"),
    ]
    yield from box(Icon.MONITORING, "Logs", lines, [*groups, *deliveries, *filters])


AUDIT = {
    "aws_cloudtrail": "CloudTrail",
    "aws_guardduty_detector": "GuardDuty",
    "aws_config_configuration_recorder": "Config",
    "aws_securityhub_account": "Security Hub",
    "aws_accessanalyzer_analyzer": "Access Analyzer",
}


def audit(view: View) -> Iterator[Box]:
    """The audit services: those that record and assess the activity in the account."""
    found = view.of(*AUDIT)
    rules, standards = view.of("aws_config_config_rule"), view.of("aws_securityhub_standards_subscription")
    more = {
        "aws_config_configuration_recorder": some(rules, "rule"),
        "aws_securityhub_account": some(standards, "standard"),
        "aws_cloudtrail": "all regions" if any(one.values.get("is_multi_region_trail") for one in found) else "",
    }
    types = list(dict.fromkeys(one.type for one in found))
    lines = [AUDIT[type_] + (f", {more[type_]}" if more.get(type_) else "") for type_ in types]
    yield from box(Icon.TRAIL, "Audit", lines, [*found, *(rules + standards if found else [])])


def account(view: View) -> Iterator[Box]:
    """Roles, deployment from CI, budgets, and the account's other single resources."""
    roles, policies = view.of("aws_iam_role"), view.of("aws_iam_role_policy", "aws_iam_policy")
    lines = [some(roles, "role"), some(policies, "policy", "policies")]
    yield from box(Icon.IDENTITY, "IAM", lines, [*roles, *policies])
    providers = view.of("aws_iam_openid_connect_provider")
    hosts = {one.text("url").removeprefix("https://").partition("/")[0] for one in providers}
    issuers = sorted(".".join(host.split(".")[-2:]) for host in hosts)
    yield from box(Icon.IDENTITY, "Deployment from CI", ["OIDC: " + ", ".join(issuers)], providers)
    budgets = view.of("aws_budgets_budget")
    limits = [f"{one.text('limit_amount')} {one.text('limit_unit')} {one.text('time_unit').lower()}" for one in budgets]
    yield from box(Icon.BUDGET, counted(len(budgets), "budget"), limits, budgets)
    yield from box(Icon.STORAGE, "S3", ["public access blocked"], view.of("aws_s3_account_public_access_block"))
