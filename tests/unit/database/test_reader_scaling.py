"""Scaling of readers (W1.3)."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized


@pytest.mark.requirement("W1.3")
def test_readers_follow_their_connections(platform: Synthesized) -> None:
    target = platform.resource("aws_appautoscaling_target", "reader-scaling/target")
    assert (target["min_capacity"], target["max_capacity"]) == (2, 4)
    assert target["scalable_dimension"] == "rds:cluster:ReadReplicaCount"
    policy = platform.resource("aws_appautoscaling_policy", "reader-scaling/connections")
    tracking = policy["target_tracking_scaling_policy_configuration"]
    assert tracking["target_value"] == 200
    assert tracking["predefined_metric_specification"] == {
        "predefined_metric_type": "RDSReaderAverageDatabaseConnections"
    }
    assert tracking["scale_in_cooldown"] > tracking["scale_out_cooldown"]
