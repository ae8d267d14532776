"""Keys that settings had under another name: a file that still holds one gets a line that names the new one."""

FORMER_KEYS = {
    "early_percent": "first_alert_percent",
    "largest_body_kib": "max_body_kib",
    "longest_retention_days": "max_retention_days",
    "lowest_success_percent": "min_success_percent",
    "maximum_readers": "max_readers",
    "maximum_tasks": "max_tasks",
    "minimum_tasks": "min_tasks",
    "most_server_errors_percent": "max_5xx_percent",
    "oldest_message_seconds": "max_message_age_seconds",
    "oldest_unsettled_seconds": "max_unsettled_age_seconds",
    "serverless_maximum_units": "max_serverless_units",
    "serverless_minimum_units": "min_serverless_units",
    "shortest_retention_days": "min_retention_days",
    "slowest_p99_seconds": "max_p99_seconds",
    "slowest_processing_p99_seconds": "max_processing_p99_seconds",
}
"""Former key: key of today. Meaning, unit and bounds are the same."""
