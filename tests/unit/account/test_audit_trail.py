"""The audit trail (W5.6): its events, its log and its key."""

from __future__ import annotations

import re

import pytest

from iam.evaluation import Decision, Request, evaluate
from tests.synthesized import Synthesized
from tests.unit.account.support import ACCOUNT, BUCKET, TRAIL, document, only

pytestmark = pytest.mark.requirement("W5.6")


def test_the_trail_has_all_regions_and_validated_encrypted_files(platform: Synthesized) -> None:
    trail = only(platform, "aws_cloudtrail")
    assert trail["is_multi_region_trail"] is True
    assert trail["include_global_service_events"] is True
    assert trail["enable_log_file_validation"] is True
    assert "keys_logs" in trail["kms_key_id"]
    assert platform.by_id(trail["s3_bucket_name"])["bucket"] == BUCKET.rpartition(":")[2]
    log_group = platform.by_id(trail["cloud_watch_logs_group_arn"].removesuffix(":*"))
    assert log_group["name"] == "/payments/local/audit-trail"
    assert log_group["retention_in_days"] == 30


def test_the_trail_has_management_events_and_those_of_sensitive_objects(platform: Synthesized) -> None:
    selectors = only(platform, "aws_cloudtrail")["advanced_event_selector"]
    fields = [{one["field"]: one for one in selector["field_selector"]} for selector in selectors]
    assert fields[0].keys() == {"eventCategory"}
    assert fields[0]["eventCategory"]["equals"] == ["Management"]
    watched = {}
    for one in fields[1:]:
        assert one["eventCategory"]["equals"] == ["Data"]
        assert one["resources.type"]["equals"] == ["AWS::S3::Object"]
        which = one.keys() - {"eventCategory", "resources.type", "resources.ARN"}
        for bucket in one["resources.ARN"]["starts_with"]:
            assert bucket.endswith("/")  # or buckets whose names are longer would be meant as well
            watched[re.sub(r"^arn:aws:s3:::payments-(.+?)-(local-)?\d.*", r"\1", bucket)] = sorted(which)
    assert watched == {
        "terraform-state": [],
        "backups": [],
        "static-assets": ["readOnly"],
        "logs": ["eventName"],
        "audit": ["eventName"],
    }


def test_the_log_of_the_trail_is_written_by_cloudtrail_to_its_own_streams(platform: Synthesized) -> None:
    role = platform.by_id(only(platform, "aws_cloudtrail")["cloud_watch_logs_role_arn"])
    (policy,) = [
        one for one in platform.resources("aws_iam_role_policy").values() if platform.by_id(one["role"]) == role
    ]
    (statement,) = platform.statements(policy["policy"]).values()
    assert sorted(statement["actions"]) == ["logs:CreateLogStream", "logs:PutLogEvents"]
    (stream,) = statement["resources"]
    assert stream.endswith(f".arn}}:log-stream:{ACCOUNT}_CloudTrail_us-east-2*")


@pytest.mark.parametrize(
    ("principal", "context", "allowed"),
    [
        ("cloudtrail.amazonaws.com", {"aws:SourceArn": TRAIL}, True),
        ("cloudtrail.amazonaws.com", {"aws:SourceArn": TRAIL.replace("local", "other")}, False),
        ("config.amazonaws.com", {"aws:SourceAccount": ACCOUNT}, True),
        ("config.amazonaws.com", {"aws:SourceAccount": "999999999999"}, False),
        (
            "budgets.amazonaws.com",
            {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:budgets::{ACCOUNT}:b"},
            True,
        ),
        ("budgets.amazonaws.com", {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": "arn:aws:budgets::9:b"}, False),
    ],
)
def test_the_key_is_used_by_services_for_this_account_only(
    platform: Synthesized, principal: str, context: dict[str, str], allowed: bool
) -> None:
    policy = document(platform, "aws_kms_key.primary_keys_logs")
    request = Request(action="kms:GenerateDataKey", resource="*", principal=principal, context=context)
    assert (evaluate(policy, request) is Decision.ALLOW) is allowed


def test_only_the_primary_regions_key_has_to_do_with_the_trail(platform: Synthesized) -> None:
    sids = platform.statements(platform.resource("aws_kms_key", "recovery/keys/logs")["policy"])
    assert not {"UseByTheTrail", "UseByConfig", "UseThroughTheAuditBucket", "UseByBudgets"} & sids.keys()
