"""The whole life of the payment API on the local AWS, with the real CDK CLI. Takes a minute or two."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.outcome import console
from operations.payment_api.local import LocalPaymentApi

pytestmark = pytest.mark.lifecycle

DIGEST = "0" * 63 + "2"
# One of each kind that a running API needs.
CHANGES = f"""
alarm_email_addresses = ["on-call@example.com"]
[service]
image = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/payments@sha256:{DIGEST}"
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
# What holds data, or what others hold on to: a new one would lose it, or be an outage.
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
# New ones of these are what a change makes: a deployment of the API is a version of it, a rule stands for itself.
VERSIONS = ("Deployment", "log-write", "Policy")


@pytest.mark.requirement("P6.1", "P6.3", "P6.4", "P2.1", "P2.2", "P3.1", "P4.1", "P4.3", "P5.1", "P5.2")
def test_deploy_verify_update_and_destroy(tmp_path: Path) -> None:
    api = LocalPaymentApi(console(), directory=tmp_path / "local-api", outputs=tmp_path / "cfn-outputs")
    try:
        before = api.deploy(None)
        api.verify()
        after = api.update(CHANGES)
        replaced = {name for name in before if after.get(name) != before[name]}
        stateful = [
            name
            for name in replaced
            if name.rpartition("/")[2].startswith(STATEFUL) and not any(part in name for part in VERSIONS)
        ]
        assert not stateful
        assert len(replaced) < len(before) / 10
        api.verify()
        api.destroy()
    finally:
        api.abandon()
