"""Metrics, alarms, alarm topics, paging and the budget."""
