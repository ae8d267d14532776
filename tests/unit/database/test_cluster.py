"""The database cluster (W3.1): encryption, logs, backups, capacity and deletion."""

from __future__ import annotations

import pytest

from settings import load
from tests.synthesized import Synthesized, path_of, synthesize
from tests.unit.database.support import REGIONS, cluster, instances, with_database


@pytest.mark.requirement("W3.1")
@pytest.mark.parametrize("region", REGIONS)
def test_cluster_is_encrypted_restorable_and_logged(platform: Synthesized, region: str) -> None:
    own = cluster(platform, region)
    assert own["storage_encrypted"] is True
    assert path_of(platform.by_id(own["kms_key_id"])).endswith(f"{region}/keys/database")
    assert own["iam_database_authentication_enabled"] is True
    assert own["backup_retention_period"] == 35
    assert own["copy_tags_to_snapshot"] is True
    (dependency,) = [one for one in own["depends_on"] if one.startswith("aws_cloudwatch_log_group.")]
    group = platform.by_id("${" + dependency + ".name}")
    (log,) = own["enabled_cloudwatch_logs_exports"]
    assert group["name"] == f"/aws/rds/cluster/{own['cluster_identifier']}/{log}"
    assert group["retention_in_days"] == 30
    assert path_of(platform.by_id(group["kms_key_id"])).endswith(f"{region}/keys/logs")


@pytest.mark.requirement("W3.1")
def test_serverless_has_a_range_of_capacity_and_a_class_has_none(platform: Synthesized) -> None:
    assert "serverlessv2_scaling_configuration" not in cluster(platform)
    serverless = with_database(instance_class="db.serverless", min_serverless_units=8.0)
    for region in REGIONS:
        capacity = cluster(serverless, region)["serverlessv2_scaling_configuration"]
        assert capacity == {"min_capacity": 8, "max_capacity": 16}
    assert {one["instance_class"] for one in instances(serverless)} == {"db.serverless"}


@pytest.mark.requirement("W3.1")
@pytest.mark.requirement("W7.2")
def test_only_a_protected_database_refuses_to_go_and_leaves_a_snapshot(platform: Synthesized) -> None:
    protected = synthesize(load("local").model_copy(update={"protected": True}))
    for region in REGIONS:
        kept, own = cluster(protected, region), cluster(platform, region)
        assert kept["deletion_protection"] is kept["lifecycle"]["prevent_destroy"] is True
        assert kept["skip_final_snapshot"] is False
        assert kept["final_snapshot_identifier"].endswith("-final-local")
        assert kept["delete_automated_backups"] is False
        assert own["deletion_protection"] is own["lifecycle"]["prevent_destroy"] is False
        assert own["skip_final_snapshot"] is True
        assert own["delete_automated_backups"] is True
    assert {one["recovery_window_in_days"] for one in protected.resources("aws_secretsmanager_secret").values()} == {30}
    assert {one["recovery_window_in_days"] for one in platform.resources("aws_secretsmanager_secret").values()} == {0}


@pytest.mark.requirement("W1.3")
@pytest.mark.requirement("W3.1")
@pytest.mark.parametrize("region", REGIONS)
def test_readers_that_scaling_adds_are_watched_as_the_others(platform: Synthesized, region: str) -> None:
    """Terraform does not make them: they take from the cluster what Database Insights wants alike in all instances."""
    own = cluster(platform, region)
    assert own["database_insights_mode"] == "standard"
    for one in instances(platform, region):
        for name in (
            "monitoring_interval",
            "monitoring_role_arn",
            "performance_insights_enabled",
            "performance_insights_kms_key_id",
            "performance_insights_retention_period",
        ):
            assert own[name] == one[name], name
