"""Database instances (W3.1): a writer and readers over the zones."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized, path_of
from tests.unit.database.support import REGIONS, cluster, instances, with_database


@pytest.mark.requirement("W3.1")
def test_a_writer_and_two_readers_run_in_three_zones_of_the_isolated_tier(platform: Synthesized) -> None:
    own = instances(platform)
    assert sorted(one["availability_zone"] for one in own) == ["us-east-2a", "us-east-2b", "us-east-2c"]
    assert all(platform.by_id(one["cluster_identifier"]) == cluster(platform) for one in own)
    assert not any(one["publicly_accessible"] for one in own)
    subnets = platform.by_id(cluster(platform)["db_subnet_group_name"])["subnet_ids"]
    tiers = [platform.by_id(subnet)["tags"]["tier"] for subnet in subnets]
    assert tiers == ["database"] * 3


@pytest.mark.requirement("W3.1")
def test_more_readers_go_over_the_zones_in_turn() -> None:
    own = instances(with_database(readers=4))
    assert [one["availability_zone"][-1] for one in own] == ["a", "b", "c", "a", "b"]


@pytest.mark.requirement("W3.1")
@pytest.mark.parametrize("region", REGIONS)
def test_instances_are_watched_and_change_when_settings_do(platform: Synthesized, region: str) -> None:
    assert instances(platform, region)
    for one in instances(platform, region):
        assert one["performance_insights_enabled"] is True
        assert path_of(platform.by_id(one["performance_insights_kms_key_id"])).endswith(f"{region}/keys/database")
        assert one["monitoring_interval"] == 60
        assert "monitoring-role" in path_of(platform.by_id(one["monitoring_role_arn"]))
        assert one["auto_minor_version_upgrade"] is False
        assert one["ca_cert_identifier"] == "rds-ca-rsa2048-g1"
