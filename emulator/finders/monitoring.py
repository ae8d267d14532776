"""Logs, alarms, topics, events and budgets."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.finders.listing import Clients, Finder, by, pages


def _budgets(clients: Clients) -> Iterator[str]:
    account = clients("sts").get_caller_identity()["Account"]
    return (one["BudgetName"] for one in pages(clients, "budgets", "describe_budgets", "Budgets", AccountId=account))


REGIONAL: dict[str, Finder] = {
    "log group": by("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "topic": by("sns", "list_topics", "Topics", "TopicArn"),
    "subscription": by("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
    "alarm": by("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", AlarmTypes=["MetricAlarm"]),
    "composite alarm": by(
        "cloudwatch", "describe_alarms", "CompositeAlarms", "AlarmName", AlarmTypes=["CompositeAlarm"]
    ),
    "event rule": by("events", "list_rules", "Rules", "Name"),
    "log delivery": by("logs", "describe_deliveries", "deliveries", "id"),
    "log delivery source": by("logs", "describe_delivery_sources", "deliverySources", "name"),
    "log delivery destination": by("logs", "describe_delivery_destinations", "deliveryDestinations", "name"),
}

GLOBAL: dict[str, Finder] = {
    "dashboard": by("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    "budget": _budgets,
}
