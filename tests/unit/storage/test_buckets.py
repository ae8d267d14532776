"""Buckets, what they refuse, and how their objects age (W4.3, W4.4)."""

from __future__ import annotations

import pytest

from tests.synthesized import Block, Synthesized, path_of
from tests.unit.storage.support import PURPOSES, REGIONS, with_storage


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
def test_lifecycle_of_objects_is_a_setting() -> None:
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
