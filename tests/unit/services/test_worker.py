"""Workers on Spot (W1.4): their queue and what they may decrypt."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized
from tests.unit.services.support import REGIONS, service, with_service


@pytest.mark.requirement("W1.4")
@pytest.mark.parametrize("region", REGIONS)
def test_worker_runs_on_spot_and_rolls_back_a_failed_deployment(platform: Synthesized, region: str) -> None:
    worker = service(platform, region, "reports")
    assert worker["capacity_provider_strategy"] == [{"capacity_provider": "FARGATE_SPOT", "weight": 100}]
    assert worker["deployment_circuit_breaker"] == {"enable": True, "rollback": True}
    assert "launch_type" not in worker
    assert "deployment_controller" not in worker
    assert worker["lifecycle"]["ignore_changes"] == ["desired_count"]


@pytest.mark.requirement("W1.4")
def test_on_demand_base_and_share_are_settings() -> None:
    worker = service(with_service("reports", on_demand_base=1, spot_weight=70), "primary", "reports")
    assert worker["capacity_provider_strategy"] == [
        {"capacity_provider": "FARGATE_SPOT", "weight": 70},
        {"capacity_provider": "FARGATE", "weight": 30, "base": 1},
    ]


@pytest.mark.requirement("W1.4")
@pytest.mark.requirement("W4.4")
@pytest.mark.parametrize(("region", "name"), [("primary", "us-east-2"), ("recovery", "us-west-2")])
def test_worker_may_decrypt_its_messages(platform: Synthesized, region: str, name: str) -> None:
    """A queue under a key of ours gives its messages only to who may use the key through SQS."""
    policy = platform.resource("aws_iam_role_policy", f"{region}/services/reports-task/queue-policy")
    decrypt = platform.statements(policy["policy"])["DecryptMessages"]
    queue = platform.resource("aws_sqs_queue", f"{region}/services/reports-queue/queue")
    assert decrypt["actions"] == ["kms:Decrypt"]
    assert decrypt["resources"] == [queue["kms_master_key_id"]]
    assert decrypt["condition"][0]["values"] == [f"sqs.{name}.amazonaws.com"]
