"""Flow logs (W6)."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized, path_of
from tests.unit.network.support import REGIONS, in_region


@pytest.mark.requirement("W6.1")
@pytest.mark.requirement("W5.3")
@pytest.mark.parametrize("region", REGIONS)
def test_flow_logs_are_kept_thirty_days_under_the_logs_key(platform: Synthesized, region: str) -> None:
    (flow_log,) = in_region(platform.resources("aws_flow_log"), region)
    log_group = platform.by_id(flow_log["log_destination"])
    assert flow_log["traffic_type"] == "ALL"
    assert log_group["retention_in_days"] == 30
    assert path_of(platform.by_id(log_group["kms_key_id"])).endswith(f"{region}/keys/logs")


@pytest.mark.requirement("W6.1")
def test_flow_log_role_writes_to_its_log_group_only(platform: Synthesized) -> None:
    for flow_log in platform.resources("aws_flow_log").values():
        role = platform.by_id(flow_log["iam_role_arn"])
        (policy,) = [p for p in platform.resources("aws_iam_role_policy").values() if platform.by_id(p["role"]) == role]
        write = platform.statements(policy["policy"])["WriteToTheLogGroup"]
        assert write["resources"] == [flow_log["log_destination"] + ":*"]
