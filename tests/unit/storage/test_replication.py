"""Replication of buckets (W4.5): destinations, keys, the role, and alarms on its lag."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized, path_of, region_of
from tests.unit.storage.support import PURPOSES, with_storage


@pytest.mark.requirement("W4.5")
@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_bucket_replicates_to_its_namesake_in_the_other_region(platform: Synthesized, purpose: str) -> None:
    replication = platform.resource(
        "aws_s3_bucket_replication_configuration", f"primary/{purpose}-replication/configuration"
    )
    (rule,) = replication["rule"]
    assert path_of(platform.by_id(replication["bucket"])).endswith(f"primary/buckets/{purpose}/bucket")
    assert path_of(platform.by_id(rule["destination"]["bucket"])).endswith(f"recovery/buckets/{purpose}/bucket")
    assert rule["status"] == "Enabled"
    assert rule["filter"] == {"prefix": ""}
    assert rule["delete_marker_replication"] == {"status": "Enabled"}
    waits_for = [dependency.split(".")[0] for dependency in replication["depends_on"]]
    assert waits_for == ["aws_s3_bucket_versioning", "aws_s3_bucket_versioning", "aws_iam_role_policy"]


@pytest.mark.requirement("W4.5")
@pytest.mark.parametrize("purpose", ["static-assets", "backups"])
def test_encrypted_objects_replicate_under_the_other_regions_key(platform: Synthesized, purpose: str) -> None:
    (rule,) = platform.resource(
        "aws_s3_bucket_replication_configuration", f"primary/{purpose}-replication/configuration"
    )["rule"]
    assert rule["source_selection_criteria"] == {"sse_kms_encrypted_objects": {"status": "Enabled"}}
    key = platform.by_id(rule["destination"]["encryption_configuration"]["replica_kms_key_id"])
    assert path_of(key).endswith("recovery/keys/objects")


@pytest.mark.requirement("W4.5")
def test_logs_replicate_without_a_key(platform: Synthesized) -> None:
    (rule,) = platform.resource("aws_s3_bucket_replication_configuration", "primary/logs-replication/configuration")[
        "rule"
    ]
    assert "source_selection_criteria" not in rule
    assert "encryption_configuration" not in rule["destination"]


@pytest.mark.requirement("W4.5")
@pytest.mark.parametrize("time_control", [True, False])
@pytest.mark.parametrize("delete_markers", [True, False])
def test_replication_time_control_and_delete_markers_are_settings(time_control: bool, delete_markers: bool) -> None:
    platform = with_storage(replication_time_control=time_control, replicate_delete_markers=delete_markers)
    for replication in platform.resources("aws_s3_bucket_replication_configuration").values():
        (rule,) = replication["rule"]
        assert rule["delete_marker_replication"] == {"status": "Enabled" if delete_markers else "Disabled"}
        assert rule["destination"]["metrics"]["status"] == "Enabled"  # the alarms read them
        assert ("replication_time" in rule["destination"]) == time_control
        if time_control:
            assert rule["destination"]["replication_time"] == {"status": "Enabled", "time": {"minutes": 15}}
            assert rule["destination"]["metrics"]["event_threshold"] == {"minutes": 15}


@pytest.mark.requirement("W4.5")
@pytest.mark.parametrize("purpose", PURPOSES)
def test_replication_role_touches_these_two_buckets_and_keys_only(platform: Synthesized, purpose: str) -> None:
    role = platform.resource("aws_iam_role", f"primary/{purpose}-replication/role")
    policy = platform.resource("aws_iam_role_policy", f"primary/{purpose}-replication/policy")
    (trusted,) = platform.statements(role["assume_role_policy"]).values()
    assert trusted["principals"] == [{"type": "Service", "identifiers": ["s3.amazonaws.com"]}]
    statements = platform.statements(policy["policy"])
    expected = {
        "ReadTheRule": ("primary", "bucket"),
        "ReadObjects": ("primary", "bucket"),
        "WriteReplicas": ("recovery", "bucket"),
    }
    if purpose != "logs":
        expected |= {"DecryptObjects": ("primary", "objects"), "EncryptReplicas": ("recovery", "objects")}
    assert set(statements) == set(expected)
    for sid, (region, last) in expected.items():
        (resource,) = statements[sid]["resources"]
        target = platform.by_id(resource.removesuffix("/*"))
        assert region_of(target) == region
        assert path_of(target).endswith(f"/{last}")
        assert not any("*" in action for action in statements[sid]["actions"])
        if last == "objects":
            conditions = {one["variable"]: one["values"] for one in statements[sid]["condition"]}
            name = {"primary": "us-east-2", "recovery": "us-west-2"}[region]
            assert conditions["kms:ViaService"] == [f"s3.{name}.amazonaws.com"]
            assert "kms:EncryptionContext:aws:s3:arn" in conditions


@pytest.mark.requirement("W4.5")
@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize(
    ("metric", "region"), [("ReplicationLatency", "recovery"), ("OperationsFailedReplication", "primary")]
)
def test_replication_alarms_stand_where_their_metric_is_published(
    platform: Synthesized, purpose: str, metric: str, region: str
) -> None:
    (alarm,) = [
        alarm
        for alarm in platform.resources("aws_cloudwatch_metric_alarm").values()
        if alarm.get("metric_name") == metric and purpose in alarm["alarm_name"]
    ]
    assert region_of(alarm) == region
    replication = platform.resource(
        "aws_s3_bucket_replication_configuration", f"primary/{purpose}-replication/configuration"
    )
    assert alarm["dimensions"]["RuleId"] == replication["rule"][0]["id"]
    assert alarm["dimensions"]["SourceBucket"] == replication["bucket"]
    assert "recovery" in alarm["dimensions"]["DestinationBucket"]
    for topic in (*alarm["alarm_actions"], *alarm["ok_actions"]):
        assert region_of(platform.by_id(topic)) == region  # CloudWatch publishes to topics of its own region only


@pytest.mark.requirement("W4.5")
def test_lag_alarm_threshold_is_a_setting() -> None:
    platform = with_storage(replication_lag_alarm_seconds=1234)
    thresholds = {
        alarm["metric_name"]: alarm["threshold"]
        for alarm in platform.resources("aws_cloudwatch_metric_alarm").values()
        if alarm.get("namespace") == "AWS/S3"
    }
    assert thresholds == {"ReplicationLatency": 1234, "OperationsFailedReplication": 0}
