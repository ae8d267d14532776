"""Keys by class of data, and who may use them (W4.4)."""

from __future__ import annotations

import pytest

from modules.keys import ADMINISTRATION, ENCRYPTED_BUCKETS
from tests.synthesized import Block, Synthesized, path_of, region_of

pytestmark = pytest.mark.requirement("W4.4")

REGION_NAMES = {"primary": "us-east-2", "recovery": "us-west-2", "global": "us-east-1"}
# What turns a key into its data. https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html
USE = {"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", "kms:CreateGrant"}


def conditions(statement: Block) -> dict[str, tuple[str, list[str]]]:
    return {one["variable"]: (one["test"], one["values"]) for one in statement.get("condition", [])}


def keys_of(platform: Synthesized, purpose: str) -> list[Block]:
    return [key for key in platform.resources("aws_kms_key").values() if path_of(key).endswith(f"/keys/{purpose}")]


@pytest.mark.parametrize("region", ["primary", "recovery"])
def test_each_region_has_a_rotating_key_with_an_alias_for_each_class_of_data(
    platform: Synthesized, region: str
) -> None:
    keys = [key for key in platform.resources("aws_kms_key").values() if region_of(key) == region]
    assert sorted(path_of(key).split("/")[-1] for key in keys) == ["backups", "database", "logs", "objects", "secrets"]
    for key in keys:
        assert key["enable_key_rotation"] is True
        assert key["rotation_period_in_days"] == 365
        assert not key.get("multi_region")
    aliased = [
        path_of(platform.by_id(alias["target_key_id"]))
        for alias in platform.resources("aws_kms_alias").values()
        if region_of(alias) == region
    ]
    assert sorted(aliased) == sorted(path_of(key) for key in keys)


def test_every_use_of_a_key_has_a_condition(platform: Synthesized) -> None:
    for key in platform.resources("aws_kms_key").values():
        for sid, statement in platform.statements(key["policy"]).items():
            if set(statement["actions"]) & USE:
                assert statement.get("condition"), (path_of(key), sid)


def test_administration_includes_no_use_of_the_key(platform: Synthesized) -> None:
    for key in platform.resources("aws_kms_key").values():
        administration = platform.statements(key["policy"])["AdministrationByIamPolicy"]
        assert administration["actions"] == ADMINISTRATION
        assert not set(ADMINISTRATION) & USE
        assert not any("*" in action for action in ADMINISTRATION)
        # Without these a key could never be mended again, and KMS refuses the policy.
        assert {"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"} <= set(ADMINISTRATION)


def test_only_this_account_and_named_services_are_principals(platform: Synthesized) -> None:
    allowed = {
        "arn:aws:iam::123456789012:root",
        "logs.us-east-2.amazonaws.com",
        "logs.us-west-2.amazonaws.com",
        "logs.us-east-1.amazonaws.com",
        "cloudfront.amazonaws.com",
        "cloudwatch.amazonaws.com",
        "events.amazonaws.com",
        "s3.amazonaws.com",
        "budgets.amazonaws.com",
        "cloudtrail.amazonaws.com",
        "config.amazonaws.com",
    }
    for key in platform.resources("aws_kms_key").values():
        for statement in platform.statements(key["policy"]).values():
            assert {name for principal in statement["principals"] for name in principal["identifiers"]} <= allowed


def test_objects_key_is_used_through_s3_for_this_environments_buckets(platform: Synthesized) -> None:
    for key in keys_of(platform, "objects"):
        region = REGION_NAMES[region_of(key)]
        use = conditions(platform.statements(key["policy"])["UseThroughS3"])
        assert use["kms:ViaService"] == ("StringEquals", [f"s3.{region}.amazonaws.com"])
        buckets = [
            f"arn:aws:s3:::payments-{purpose}-local-123456789012-{region}" for purpose in ("static-assets", "backups")
        ]
        objects = [f"{bucket}/*" for bucket in buckets]
        assert use["kms:EncryptionContext:aws:s3:arn"] == ("ArnLike", buckets + objects)


def test_buckets_under_the_objects_key_are_those_that_it_serves(platform: Synthesized) -> None:
    encrypted = [
        path_of(platform.by_id(block["bucket"])).split("/")[3]
        for block in platform.resources("aws_s3_bucket_server_side_encryption_configuration").values()
        if "kms" in block["rule"][0]["apply_server_side_encryption_by_default"]["sse_algorithm"]
    ]
    assert set(encrypted) - {"bucket"} == set(ENCRYPTED_BUCKETS)  # that of the audit trail lies under the logs key


def test_logs_key_is_used_for_this_environments_log_groups(platform: Synthesized) -> None:
    for key in keys_of(platform, "logs"):
        region = REGION_NAMES[region_of(key)]
        use = conditions(platform.statements(key["policy"])["UseByCloudWatchLogs"])
        paths = ["/payments/local/", "aws-waf-logs-payments/local/", "/aws/rds/cluster/payments-database-local/"]
        paths += ["/aws/rds/cluster/payments-recovery-database-local/"]
        paths += ["/aws/ecs/containerinsights/payments-cluster-local/", "/aws/vendedlogs/states/payments/local/"]
        patterns = [f"arn:aws:logs:{region}:123456789012:log-group:{path}*" for path in paths]
        assert use["kms:EncryptionContext:aws:logs:arn"] == ("ArnLike", patterns)
        groups = [g for g in platform.resources("aws_cloudwatch_log_group").values() if region_of(g) == region_of(key)]
        assert groups
        assert all(group["name"].startswith((*paths, "RDSOSMetrics")) for group in groups)


def test_global_region_has_a_logs_key_only(platform: Synthesized) -> None:
    keys = [path_of(key) for key in platform.resources("aws_kms_key").values() if region_of(key) == "global"]
    assert keys == ["payment-platform/global/keys/logs"]


def test_alarms_may_publish_under_the_logs_key(platform: Synthesized) -> None:
    """An alarm whose name the key's condition does not match would publish to nobody, without an error."""
    for key in keys_of(platform, "logs"):
        use = conditions(platform.statements(key["policy"])["UseByCloudWatchAlarms"])
        region = REGION_NAMES[region_of(key)]
        assert use["aws:SourceArn"] == ("ArnLike", [f"arn:aws:cloudwatch:{region}:123456789012:alarm:payments/local/*"])
        assert use["aws:SourceAccount"] == ("StringEquals", ["123456789012"])
    alarms = platform.resources("aws_cloudwatch_metric_alarm").values()
    assert alarms
    assert all(alarm["alarm_name"].startswith("payments/local/") for alarm in alarms)


@pytest.mark.parametrize(
    ("purpose", "sid", "service"),
    [("database", "UseThroughRds", "rds"), ("secrets", "UseThroughSecretsManager", "secretsmanager")],
)
def test_key_is_used_through_its_service(platform: Synthesized, purpose: str, sid: str, service: str) -> None:
    for key in keys_of(platform, purpose):
        use = conditions(platform.statements(key["policy"])[sid])
        assert use["kms:ViaService"] == ("StringEquals", [f"{service}.{REGION_NAMES[region_of(key)]}.amazonaws.com"])


def test_grants_are_created_through_services_for_them_only(platform: Synthesized) -> None:
    through = {
        "GrantToEcr": ["ecr"],  # made by whoever makes a repository; ECR documents no condition on the grantee
        "GrantToRds": ["rds"],
        "GrantToBackup": ["backup", "rds"],
    }
    found = set()
    for key in platform.resources("aws_kms_key").values():
        region = REGION_NAMES[region_of(key)]
        for sid, statement in platform.statements(key["policy"]).items():
            if "kms:CreateGrant" in statement["actions"]:
                found.add(sid)
                services = [f"{service}.{region}.amazonaws.com" for service in through[sid]]
                assert conditions(statement)["kms:ViaService"] == ("StringEquals", services)
                assert sid == "GrantToEcr" or conditions(statement)["kms:GrantIsForAWSResource"] == ("Bool", ["true"])
    assert found == set(through)


def test_event_rules_that_write_to_queues_are_named_one_by_one(platform: Synthesized) -> None:
    """A pattern would take in the rules of another environment."""
    for key in keys_of(platform, "objects"):
        use = conditions(platform.statements(key["policy"])["UseByEventRules"])
        place = f"arn:aws:events:{REGION_NAMES[region_of(key)]}:123456789012:rule"
        purposes = ("snapshot-export", "backup-failures", "restore-failures", "threat-findings")
        rules = [f"{place}/payments-{one}-local" for one in purposes]
        assert use["aws:SourceArn"] == ("ArnLikeIfExists", rules)
        assert use["aws:SourceAccount"] == ("StringEqualsIfExists", ["123456789012"])


def test_rds_makes_grants_for_itself_only(platform: Synthesized) -> None:
    for key in keys_of(platform, "database"):
        grant = platform.statements(key["policy"])["GrantToRds"]
        assert grant["actions"] == ["kms:CreateGrant"]
        assert conditions(grant)["kms:GrantIsForAWSResource"] == ("Bool", ["true"])
        assert "kms:ViaService" in conditions(grant)
