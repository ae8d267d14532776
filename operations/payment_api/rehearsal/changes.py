"""Changes of a running payment API, one of each kind, and what none of them may replace."""

from __future__ import annotations

from collections.abc import Mapping

CHANGES = """
alarm_email_addresses = ["on-call@example.com"]
[service]
image = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/payments@sha256:{digest}"
cpu_units = 2048
memory_mib = 4096
max_tasks = 44
[gateway]
burst_requests = 1500
[processing]
concurrency = 55
tries = 6
[database]
max_connections = 2100
[network]
acquirer_networks = ["203.0.113.0/28", "198.51.100.0/28"]
[documents]
noncurrent_version_days = 60
[observability]
log_retention_days = 180
max_p99_seconds = 8.0
"""
"""One of each kind that a running API needs; ``digest`` is that of the service's image."""

STATEFUL = (
    "documentsbucket",
    "access",
    "auditbucket",
    "encryption",
    "databasecluster",
    "networkvpc",
    "queues",
    "loadbalancerloadbalancer",
    "loadbalancertargets",
    "gatewayapi",
    "gatewaydomain",
    "log",
    "servicecluster",
    "serviceservice",
)
"""Beginnings of logical ids of what holds data, or what others hold on to: a new one would lose it, or be an outage."""
VERSIONS = ("Deployment", "log-write", "Policy")
"""New ones of these are what a change makes: a deployment of the API is a version of it, a rule stands for itself."""


def image(digest: str) -> str:
    """The change of the service's image alone."""
    first, last = CHANGES.index("[service]"), CHANGES.index("cpu_units")
    return CHANGES[first:last].format(digest=digest)


def replaced(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """The resources that an update has replaced, by stack and logical id."""
    return {name for name in before if after.get(name) != before[name]}


def lost(names: set[str]) -> list[str]:
    """Those among them that may not be replaced."""
    return sorted(
        name
        for name in names
        if name.rpartition("/")[2].startswith(STATEFUL) and not any(part in name for part in VERSIONS)
    )
