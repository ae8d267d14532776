"""ECS clusters (W1.1)."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized, path_of
from tests.unit.services.support import REGIONS


@pytest.mark.requirement("W1.1")
@pytest.mark.parametrize("region", REGIONS)
def test_cluster_has_insights_sessions_and_both_capacity_providers(platform: Synthesized, region: str) -> None:
    cluster = platform.resource("aws_ecs_cluster", f"{region}/services/cluster/cluster")
    assert cluster["setting"] == [{"name": "containerInsights", "value": "enabled"}]
    sessions = cluster["configuration"]["execute_command_configuration"]
    assert sessions["logging"] == "OVERRIDE"
    assert path_of(platform.by_id(sessions["kms_key_id"])).endswith(f"{region}/keys/logs")
    assert sessions["log_configuration"]["cloud_watch_encryption_enabled"] is True
    log_group = platform.by_id(sessions["log_configuration"]["cloud_watch_log_group_name"])
    assert log_group["retention_in_days"] == 30
    providers = platform.resource("aws_ecs_cluster_capacity_providers", f"{region}/services/cluster/capacity-providers")
    assert sorted(providers["capacity_providers"]) == ["FARGATE", "FARGATE_SPOT"]
