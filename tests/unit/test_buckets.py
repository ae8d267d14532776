"""Buckets, what they refuse, how their objects age, and their replicas (W4.3-W4.5)."""

from __future__ import annotations

from typing import Any

import pytest

from settings import load
from tests.synthesized import Block, Synthesized, path_of, region_of, synthesize

PURPOSES = ("backups", "logs", "static-assets")
REGIONS = ("primary", "recovery")


def part(platform: Synthesized, type_: str, region: str, purpose: str) -> Block:
    """The one resource of a type that belongs to a bucket."""
    return platform.resource(
        type_,
        {
            "aws_s3_bucket": f"{region}/buckets/{purpose}/bucket",
            "aws_s3_bucket_versioning": f"{region}/buckets/{purpose}/versioning",
            "aws_s3_bucket_ownership_controls": f"{region}/buckets/{purpose}/ownership",
            "aws_s3_bucket_public_access_block": f"{region}/buckets/{purpose}/public-access-block",
            "aws_s3_bucket_server_side_encryption_configuration": f"{region}/buckets/{purpose}/encryption",
            "aws_s3_bucket_lifecycle_configuration": f"{region}/buckets/{purpose}/lifecycle",
            "aws_s3_bucket_policy": f"{region}/buckets/{purpose}/policy",
            "aws_s3_bucket_logging": f"{region}/buckets/{purpose}/logging",
        }[type_],
    )


def with_storage(environment: str = "local", **changes: Any) -> Synthesized:
    settings = load(environment)
    return synthesize(settings.model_copy(update={"storage": settings.storage.model_copy(update=changes)}))


@pytest.mark.requirement("W4.3")
@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("region", REGIONS)
def test_bucket_is_versioned_owned_and_closed(platform: Synthesized, region: str, purpose: str) -> None:
    assert part(platform, "aws_s3_bucket_versioning", region, purpose)["versioning_configuration"] == {
        "status": "Enabled"
    }
    ownership = part(platform, "aws_s3_bucket_ownership_controls", region, purpose)
    assert ownership["rule"] == {"object_ownership": "BucketOwnerEnforced"}
    block = part(platform, "aws_s3_bucket_public_access_block", region, purpose)
    switches = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    assert all(block[switch] is True for switch in switches)


@pytest.mark.requirement("W4.3")
def test_every_bucket_of_the_stack_is_one_of_these(platform: Synthesized) -> None:
    assert sorted(
        path_of(bucket).split("/", 1)[1] for bucket in platform.resources("aws_s3_bucket").values()
    ) == sorted(
        ["primary/audit-bucket/bucket/bucket"]
        + [f"{region}/buckets/{purpose}/bucket" for region in REGIONS for purpose in PURPOSES]
    )


@pytest.mark.requirement("W4.3")
@pytest.mark.requirement("W5.5")
@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("region", REGIONS)
def test_bucket_refuses_plain_http_and_old_tls(platform: Synthesized, region: str, purpose: str) -> None:
    policy = part(platform, "aws_s3_bucket_policy", region, purpose)
    arn = "${aws_s3_bucket." + policy["bucket"].split(".")[1] + ".arn}"
    statements = platform.statements(policy["policy"])
    for sid, test, variable, value in (
        ("NothingWithoutTls", "Bool", "aws:SecureTransport", "false"),
        ("NothingBelowTls12", "NumericLessThan", "s3:TlsVersion", "1.2"),
    ):
        assert statements[sid] == {
            "sid": sid,
            "effect": "Deny",
            "actions": ["s3:*"],
            "resources": [arn, f"{arn}/*"],
            "principals": [{"type": "*", "identifiers": ["*"]}],
            "condition": [{"test": test, "variable": variable, "values": [value]}],
        }


@pytest.mark.requirement("W4.4")
@pytest.mark.parametrize("purpose", ["static-assets", "backups"])
@pytest.mark.parametrize("region", REGIONS)
def test_objects_are_encrypted_under_the_regions_own_key_and_no_other(
    platform: Synthesized, region: str, purpose: str
) -> None:
    encryption = part(platform, "aws_s3_bucket_server_side_encryption_configuration", region, purpose)
    (rule,) = encryption["rule"]
    default = rule["apply_server_side_encryption_by_default"]
    assert default["sse_algorithm"] == "aws:kms"
    assert path_of(platform.by_id(default["kms_master_key_id"])).endswith(f"{region}/keys/objects")
    assert rule["bucket_key_enabled"] is True
    statements = platform.statements(part(platform, "aws_s3_bucket_policy", region, purpose)["policy"])
    for sid, variable, value in (
        ("NoOtherEncryption", "s3:x-amz-server-side-encryption", "aws:kms"),
        ("NoOtherKey", "s3:x-amz-server-side-encryption-aws-kms-key-id", default["kms_master_key_id"]),
    ):
        assert statements[sid]["effect"] == "Deny"
        assert statements[sid]["actions"] == ["s3:PutObject"]
        assert statements[sid]["condition"] == [
            {"test": "Null", "variable": variable, "values": ["false"]},
            {"test": "StringNotEquals", "variable": variable, "values": [value]},
        ]


@pytest.mark.requirement("W4.4")
@pytest.mark.parametrize("region", REGIONS)
def test_logs_bucket_is_the_one_exception_and_takes_access_logs_of_its_neighbours_only(
    platform: Synthesized, region: str
) -> None:
    (rule,) = part(platform, "aws_s3_bucket_server_side_encryption_configuration", region, "logs")["rule"]
    assert rule["apply_server_side_encryption_by_default"] == {"sse_algorithm": "AES256"}
    statements = platform.statements(part(platform, "aws_s3_bucket_policy", region, "logs")["policy"])
    allowed = {sid for sid, statement in statements.items() if statement.get("effect") != "Deny"}
    assert allowed == {"DeliveryOfS3AccessLogs", "DeliveryOfLoadBalancerLogs"}
    delivery = statements["DeliveryOfS3AccessLogs"]
    assert delivery["principals"] == [{"type": "Service", "identifiers": ["logging.s3.amazonaws.com"]}]
    assert {condition["variable"] for condition in delivery["condition"]} == {"aws:SourceAccount", "aws:SourceArn"}
    for purpose in ("static-assets", "backups"):
        logging = part(platform, "aws_s3_bucket_logging", region, purpose)
        assert path_of(platform.by_id("${" + logging["target_bucket"].strip("${}") + "}")).endswith("/logs/bucket")
        name = {"primary": "us-east-2", "recovery": "us-west-2"}[region]
        assert delivery["resources"][0].endswith(f"/s3-access/{name}/*")
        assert logging["target_prefix"] == f"s3-access/{name}/{purpose}/"
        assert any("policy" in dependency for dependency in logging["depends_on"])


@pytest.mark.requirement("W4.3")
@pytest.mark.requirement("W9.1")
def test_objects_age_as_settings_say() -> None:
    platform = with_storage(
        unfinished_upload_days=3,
        noncurrent_version_days=11,
        backup_infrequent_access_days=41,
        backup_expiration_days=99,
        log_expiration_days=77,
    )
    for region in REGIONS:
        rules = {
            purpose: {
                rule["id"]: rule
                for rule in part(platform, "aws_s3_bucket_lifecycle_configuration", region, purpose)["rule"]
            }
            for purpose in PURPOSES
        }
        for purpose in PURPOSES:
            assert all(rule["status"] == "Enabled" for rule in rules[purpose].values())
            assert all(rule["filter"] == [{"prefix": ""}] for rule in rules[purpose].values())
            uploads = rules[purpose]["end-unfinished-uploads"]["abort_incomplete_multipart_upload"]
            assert uploads == [{"days_after_initiation": 3}]
            versions = rules[purpose]["expire-noncurrent-versions"]["noncurrent_version_expiration"]
            assert versions == [{"noncurrent_days": 11}]
            markers = rules[purpose]["remove-lone-delete-markers"]["expiration"]
            assert markers == [{"expired_object_delete_marker": True}]
        moved = rules["backups"]["move-to-infrequent-access"]["transition"]
        assert moved == [{"days": 41, "storage_class": "STANDARD_IA"}]
        assert rules["backups"]["expire"]["expiration"] == [{"days": 99}]
        assert rules["logs"]["expire"]["expiration"] == [{"days": 77}]
        assert "expire" not in rules["static-assets"]


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
    assert waits_for == ["aws_s3_bucket_versioning", "aws_s3_bucket_versioning"]


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
def test_time_control_and_delete_markers_are_as_settings_say(time_control: bool, delete_markers: bool) -> None:
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
def test_lag_alarm_threshold_is_as_settings_say() -> None:
    platform = with_storage(replication_lag_alarm_seconds=1234)
    thresholds = {
        alarm["metric_name"]: alarm["threshold"]
        for alarm in platform.resources("aws_cloudwatch_metric_alarm").values()
        if alarm.get("namespace") == "AWS/S3"
    }
    assert thresholds == {"ReplicationLatency": 1234, "OperationsFailedReplication": 0}


@pytest.mark.requirement("W5.2")
@pytest.mark.parametrize("region", REGIONS)
def test_alarm_topic_is_encrypted_and_takes_own_alarms_only(platform: Synthesized, region: str) -> None:
    topic = platform.resource("aws_sns_topic", f"{region}/alarms/topic")
    policy = platform.resource("aws_sns_topic_policy", f"{region}/alarms/policy")
    assert path_of(platform.by_id(topic["kms_master_key_id"])).endswith(f"{region}/keys/logs")
    statements = platform.statements(policy["policy"])
    publish = statements["PublishByOwnAlarms"]
    assert publish["principals"] == [{"type": "Service", "identifiers": ["cloudwatch.amazonaws.com"]}]
    assert {condition["variable"] for condition in publish["condition"]} == {"aws:SourceAccount", "aws:SourceArn"}
    assert statements["NothingWithoutTls"]["effect"] == "Deny"


@pytest.mark.requirement("W5.2")
def test_alarms_are_sent_to_the_addresses_that_settings_list() -> None:
    platform = synthesize(load("local").model_copy(update={"alarm_email_addresses": ("on-call@example.com",)}))
    subscriptions = platform.resources("aws_sns_topic_subscription").values()
    assert sorted(region_of(subscription) for subscription in subscriptions) == ["global", "primary", "recovery"]
    assert {subscription["endpoint"] for subscription in subscriptions} == {"on-call@example.com"}
