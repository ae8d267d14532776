"""The audit bucket (W5.6): who writes to it, and how long it keeps what was written."""

from __future__ import annotations

import pytest

from iam.evaluation import Decision, Request, evaluate
from settings import load
from tests.synthesized import Synthesized, synthesize
from tests.unit.account.support import ACCOUNT, BUCKET, TRAIL, changed, document

pytestmark = pytest.mark.requirement("W5.6")


@pytest.fixture(scope="module")
def protected() -> Synthesized:
    """The rehearsal's platform, protected."""
    return changed(protected=True)


OWNED = {"s3:x-amz-acl": "bucket-owner-full-control", "aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}


@pytest.mark.parametrize(
    ("principal", "path", "context", "allowed"),
    [
        ("cloudtrail", f"trail/AWSLogs/{ACCOUNT}/CloudTrail/x", {"aws:SourceArn": TRAIL}, True),
        ("cloudtrail", f"trail/AWSLogs/{ACCOUNT}/CloudTrail-Digest/x", {"aws:SourceArn": TRAIL}, True),
        (
            "cloudtrail",
            f"trail/AWSLogs/{ACCOUNT}/CloudTrail/x",
            {"aws:SourceArn": TRAIL.replace("local", "other")},
            False,
        ),
        ("cloudtrail", f"trail/AWSLogs/{ACCOUNT}/x", {"aws:SourceArn": TRAIL.replace(ACCOUNT, "999999999999")}, False),
        ("cloudtrail", "trail/AWSLogs/999999999999/CloudTrail/x", {"aws:SourceArn": TRAIL}, False),
        ("cloudtrail", f"configuration/AWSLogs/{ACCOUNT}/Config/x", {"aws:SourceArn": TRAIL}, False),
        ("config", f"configuration/AWSLogs/{ACCOUNT}/Config/x", {"aws:SourceAccount": ACCOUNT}, True),
        ("config", f"configuration/AWSLogs/{ACCOUNT}/Config/x", {"aws:SourceAccount": "999999999999"}, False),
        ("config", f"trail/AWSLogs/{ACCOUNT}/CloudTrail/x", {"aws:SourceAccount": ACCOUNT}, False),
    ],
)
def test_the_audit_bucket_is_written_by_cloudtrail_and_config_for_this_account_only(
    platform: Synthesized, principal: str, path: str, context: dict[str, str], allowed: bool
) -> None:
    policy = document(platform, "aws_s3_bucket_policy.primary_audit-bucket")
    request = Request(
        action="s3:PutObject",
        resource=f"{BUCKET}/{path}",
        principal=f"{principal}.amazonaws.com",
        context={**OWNED, **context},
    )
    assert (evaluate(policy, request) is Decision.ALLOW) is allowed


def test_digests_under_sse_s3_are_not_refused(platform: Synthesized) -> None:
    """CloudTrail encrypts its files under the trail's key, and the digests of these under S3's own."""
    policy = document(platform, "aws_s3_bucket_policy.primary_audit-bucket")
    context = {**OWNED, "aws:SourceArn": TRAIL, "s3:x-amz-server-side-encryption": "AES256"}
    request = Request(
        action="s3:PutObject",
        resource=f"{BUCKET}/trail/AWSLogs/{ACCOUNT}/CloudTrail-Digest/x",
        principal="cloudtrail.amazonaws.com",
        context=context,
    )
    assert evaluate(policy, request) is Decision.ALLOW


def test_audit_bucket_retains_at_least_a_year_and_logs_access(platform: Synthesized) -> None:
    lifecycle = platform.resource("aws_s3_bucket_lifecycle_configuration", "audit-bucket/bucket/lifecycle")
    (expiration,) = [rule["expiration"][0] for rule in lifecycle["rule"] if rule["id"] == "expire"]
    assert expiration == {"days": 365}
    logging = platform.resource("aws_s3_bucket_logging", "audit-bucket/bucket/logging")
    assert "buckets_logs" in logging["target_bucket"]
    production = synthesize(load("production"))
    lifecycle = production.resource("aws_s3_bucket_lifecycle_configuration", "audit-bucket/bucket/lifecycle")
    assert {"days": 2555} in [rule["expiration"][0] for rule in lifecycle["rule"] if "expiration" in rule]


def test_a_protected_environment_keeps_what_was_recorded_and_found(
    platform: Synthesized, protected: Synthesized
) -> None:
    for type_ in ("aws_cloudtrail", "aws_guardduty_detector", "aws_securityhub_account"):
        assert all(one["lifecycle"]["prevent_destroy"] for one in protected.resources(type_).values())
        assert not any(one["lifecycle"]["prevent_destroy"] for one in platform.resources(type_).values())
    delete = Request(
        action="s3:DeleteObjectVersion",
        resource=f"{BUCKET}/trail/x",
        principal=f"arn:aws:iam::{ACCOUNT}:role/administrator",
        context=OWNED,
    )
    owner = "aws_s3_bucket_policy.primary_audit-bucket"
    assert evaluate(document(protected, owner), delete) is Decision.DENY
    assert evaluate(document(platform, owner), delete) is not Decision.DENY  # or nothing could be destroyed


def test_without_trail_and_config_there_is_no_audit_bucket() -> None:
    without = changed(audit={"cloudtrail": False, "aws_config": False})
    assert not [one for one in without.resources("aws_s3_bucket").values() if "audit" in one["bucket"]]
