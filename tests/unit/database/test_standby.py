"""The standby of the database in the recovery region (W3.5)."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized, path_of, region_of
from tests.unit.database.support import cluster, instances, with_database


@pytest.fixture(scope="module")
def snapshots() -> Synthesized:
    """The platform without a database in the recovery region."""
    return with_database(recovery="snapshots", recovery_instances=0)


@pytest.mark.requirement("W3.5")
def test_global_takes_in_the_primary_and_adds_a_secondary_under_its_own_key(platform: Synthesized) -> None:
    (group,) = platform.resources("aws_rds_global_cluster").values()
    assert platform.by_id(group["source_db_cluster_identifier"]) == cluster(platform)
    assert not {"engine", "engine_version", "database_name", "storage_encrypted"} & set(group)  # AWS takes none of them
    secondary = cluster(platform, "recovery")
    assert platform.by_id(secondary["global_cluster_identifier"]) == group
    assert secondary["source_region"] == "us-east-2"
    assert not {"master_username", "master_password_wo", "database_name"} & set(secondary)
    assert secondary["cluster_identifier"] != cluster(platform)["cluster_identifier"]
    for waiting in (secondary, group):
        writers = {one for one in waiting["depends_on"] if one.startswith("aws_rds_cluster_instance.")}
        assert len(writers) == 3
    assert len(instances(platform, "recovery")) == 1


@pytest.mark.requirement("W3.5")
def test_a_secondary_may_be_without_instances() -> None:
    headless = with_database(recovery_instances=0)
    assert instances(headless, "recovery") == []
    assert cluster(headless, "recovery")


@pytest.mark.requirement("W3.5")
@pytest.mark.requirement("W7.1")
def test_the_mode_of_recovery_leaves_the_primary_as_it_is(platform: Synthesized, snapshots: Synthesized) -> None:
    assert cluster(snapshots) == cluster(platform)
    assert set(cluster(platform)["lifecycle"]["ignore_changes"]) == {
        "global_cluster_identifier",
        "replication_source_identifier",
        "monitoring_interval",  # taken of a new cluster, and not in a change
        "monitoring_role_arn",
    }
    assert [path_of(one) for one in instances(snapshots)] == [path_of(one) for one in instances(platform)]


@pytest.mark.requirement("W3.5")
def test_snapshots_need_the_prerequisites_of_a_cluster_and_no_cluster(snapshots: Synthesized) -> None:
    assert not snapshots.resources("aws_rds_global_cluster", none_is_right=True)
    assert [region_of(one) for one in snapshots.resources("aws_rds_cluster").values()] == ["primary"]
    for type_ in ("aws_db_subnet_group", "aws_rds_cluster_parameter_group", "aws_db_parameter_group"):
        assert sorted(region_of(one) for one in snapshots.resources(type_).values()) == ["primary", "recovery"]
