"""Alarms of the database (W5.2)."""

from __future__ import annotations

import pytest

from settings import Settings
from tests.synthesized import Synthesized, path_of, region_of


@pytest.mark.requirement("W5.2")
def test_database_alarms_fire_before_the_application_is_affected(
    platform: Synthesized, local_settings: Settings
) -> None:
    alarms = {
        alarm["alarm_name"].rpartition("/")[2]: alarm
        for alarm in platform.resources("aws_cloudwatch_metric_alarm").values()
        if "/database" in path_of(alarm)
    }
    own = ("cpu", "memory", "connections", "replica-lag", "deadlocks", "global-lag")
    expected = {f"{cluster}-{name}" for cluster in ("database", "recovery-database") for name in own}
    assert set(alarms) == {*expected, "rotate-database-secret-failing"}
    most = local_settings.database.max_connections
    assert 0.8 * most < alarms["database-connections"]["threshold"] < most
    assert alarms["recovery-database-global-lag"]["dimensions"]["SourceRegion"] == "us-east-2"
    assert alarms["database-global-lag"]["dimensions"]["SourceRegion"] == "us-west-2"
    for alarm in alarms.values():
        (topic,) = alarm["alarm_actions"]
        assert region_of(platform.by_id(topic)) == region_of(alarm)
