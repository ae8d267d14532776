"""What the platform's policies let happen and what not, request by request (W4.3, W4.4, W5.5, W6.2)."""

from __future__ import annotations

from typing import Any

import pytest

from iam.evaluation import Decision, Request, evaluate
from iam.synthesized import Policy, policies
from tests.synthesized import Synthesized

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/payments-web-local"
STRANGER = "arn:aws:iam::999999999999:role/stranger"
TLS = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
ENCRYPTION, KEY = "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"


@pytest.fixture(scope="module")
def all_policies(platform: Synthesized) -> list[Policy]:
    return list(policies(platform.configuration, account_id=ACCOUNT))


def document(all_policies: list[Policy], owner: str) -> dict[str, Any]:
    (found,) = [policy for policy in all_policies if policy.owner.startswith(owner)]
    return found.document


def upload(bucket: str, **context: str) -> Request:
    resource = f"arn:aws:s3:::payments-{bucket}-local-{ACCOUNT}-us-east-2/file"
    return Request(action="s3:PutObject", resource=resource, principal=ROLE, context=context)


@pytest.mark.requirement("W4.3")
@pytest.mark.requirement("W5.5")
@pytest.mark.parametrize("bucket", ["static-assets", "backups", "logs"])
@pytest.mark.parametrize(
    ("context", "decision"),
    [
        (TLS, Decision.SILENT),
        ({"aws:SecureTransport": "false"}, Decision.DENY),
        ({"aws:SecureTransport": "true", "s3:TlsVersion": "1.1"}, Decision.DENY),
        ({"aws:SecureTransport": "true", "s3:TlsVersion": "1.2"}, Decision.SILENT),
    ],
)
def test_buckets_are_reached_by_tls_1_2_or_newer(
    all_policies: list[Policy], bucket: str, context: dict[str, str], decision: Decision
) -> None:
    policy = document(all_policies, f"aws_s3_bucket_policy.primary_buckets_{bucket}_")
    assert evaluate(policy, upload(bucket, **context)) is decision


@pytest.mark.requirement("W4.4")
@pytest.mark.parametrize("bucket", ["static-assets", "backups"])
def test_uploads_get_the_buckets_own_key_or_none_at_all(all_policies: list[Policy], bucket: str) -> None:
    policy = document(all_policies, f"aws_s3_bucket_policy.primary_buckets_{bucket}_")
    (own_key,) = {
        statement["Condition"]["StringNotEquals"][KEY]
        for statement in policy["Statement"]
        if statement["Sid"] == "NoOtherKey"
    }
    another = f"arn:aws:kms:us-east-2:{ACCOUNT}:key/another"
    for headers, decision in (
        ({}, Decision.SILENT),  # the bucket's default holds
        ({ENCRYPTION: "aws:kms"}, Decision.SILENT),
        ({ENCRYPTION: "aws:kms", KEY: own_key}, Decision.SILENT),
        ({ENCRYPTION: "aws:kms", KEY: another}, Decision.DENY),
        ({ENCRYPTION: "AES256"}, Decision.DENY),
    ):
        assert evaluate(policy, upload(bucket, **TLS, **headers)) is decision, headers


@pytest.mark.requirement("W4.4")
def test_log_delivery_writes_for_own_buckets_only(all_policies: list[Policy]) -> None:
    policy = document(all_policies, "aws_s3_bucket_policy.primary_buckets_logs_")
    bucket = f"arn:aws:s3:::payments-logs-local-{ACCOUNT}-us-east-2"
    source = f"arn:aws:s3:::payments-backups-local-{ACCOUNT}-us-east-2"

    def deliver(key: str, source_arn: str, account: str) -> Decision:
        context = TLS | {"aws:SourceArn": source_arn, "aws:SourceAccount": account}
        name = "logging.s3.amazonaws.com"
        return evaluate(
            policy, Request(action="s3:PutObject", resource=f"{bucket}/{key}", principal=name, context=context)
        )

    assert deliver("s3-access/us-east-2/backups/2026", source, ACCOUNT) is Decision.ALLOW
    assert deliver("elsewhere/2026", source, ACCOUNT) is Decision.SILENT
    assert deliver("s3-access/us-east-2/x", "arn:aws:s3:::a-strangers-bucket", ACCOUNT) is Decision.SILENT
    assert deliver("s3-access/us-east-2/x", source, "999999999999") is Decision.SILENT


def through(service: str, **context: str) -> dict[str, str]:
    return {"kms:ViaService": f"{service}.us-east-2.amazonaws.com"} | context


@pytest.mark.requirement("W4.4")
@pytest.mark.parametrize(
    ("key", "action", "principal", "context", "decision"),
    [
        ("objects", "Decrypt", ROLE, {}, Decision.SILENT),  # not outside S3, whatever IAM says
        ("objects", "Decrypt", ROLE, through("s3"), Decision.SILENT),  # not without a bucket of ours
        ("objects", "GenerateDataKey", ROLE, "backups", Decision.ALLOW),
        ("objects", "GenerateDataKey", STRANGER, "backups", Decision.SILENT),
        ("objects", "Decrypt", ROLE, "another-environment", Decision.SILENT),
        ("database", "Decrypt", ROLE, through("rds"), Decision.ALLOW),
        ("database", "Decrypt", ROLE, through("s3"), Decision.SILENT),
        ("database", "CreateGrant", ROLE, through("rds"), Decision.SILENT),  # only for RDS itself
        ("database", "CreateGrant", ROLE, through("rds", **{"kms:GrantIsForAWSResource": "true"}), Decision.ALLOW),
        ("secrets", "Decrypt", ROLE, through("secretsmanager"), Decision.ALLOW),
        ("secrets", "Decrypt", ROLE, {}, Decision.SILENT),
        ("logs", "Decrypt", ROLE, {}, Decision.SILENT),
        ("secrets", "ScheduleKeyDeletion", ROLE, {}, Decision.ALLOW),  # an administrator with an IAM policy for it
        ("secrets", "ScheduleKeyDeletion", STRANGER, {}, Decision.SILENT),
    ],
)
def test_keys_are_used_through_their_service(
    all_policies: list[Policy],
    key: str,
    action: str,
    principal: str,
    context: dict[str, str] | str,
    decision: Decision,
) -> None:
    if isinstance(context, str):
        bucket = {
            "backups": f"arn:aws:s3:::payments-backups-local-{ACCOUNT}-us-east-2",
            "another-environment": f"arn:aws:s3:::payments-backups-pr-local-{ACCOUNT}-us-east-2",
        }[context]
        context = through("s3", **{"kms:EncryptionContext:aws:s3:arn": bucket})
    policy = document(all_policies, f"aws_kms_key.primary_keys_{key}_")
    request = Request(action=f"kms:{action}", resource="*", principal=principal, context=context)
    assert evaluate(policy, request) is decision


@pytest.mark.requirement("W4.4")
@pytest.mark.parametrize(
    ("log_group", "decision"), [("/payments/local/web", Decision.ALLOW), ("/payments/staging/web", Decision.SILENT)]
)
def test_cloudwatch_logs_uses_the_logs_key_for_own_log_groups(
    all_policies: list[Policy], log_group: str, decision: Decision
) -> None:
    policy = document(all_policies, "aws_kms_key.primary_keys_logs_")
    arn = f"arn:aws:logs:us-east-2:{ACCOUNT}:log-group:{log_group}"
    context = {"kms:EncryptionContext:aws:logs:arn": arn}
    service = "logs.us-east-2.amazonaws.com"
    request = Request(action="kms:GenerateDataKey", resource="*", principal=service, context=context)
    assert evaluate(policy, request) is decision


@pytest.mark.requirement("W6.2")
@pytest.mark.parametrize(
    ("principal_account", "resource_account", "decision"),
    [
        (ACCOUNT, ACCOUNT, Decision.ALLOW),
        (ACCOUNT, "999999999999", Decision.SILENT),  # own credentials, a stranger's bucket: data walking out
        ("999999999999", "999999999999", Decision.SILENT),  # a stranger's credentials
        ("999999999999", ACCOUNT, Decision.SILENT),
    ],
)
def test_endpoints_carry_own_principals_to_own_resources(
    all_policies: list[Policy], principal_account: str, resource_account: str, decision: Decision
) -> None:
    context = {"aws:PrincipalAccount": principal_account, "aws:ResourceAccount": resource_account}
    endpoints = [policy for policy in all_policies if policy.owner.startswith("aws_vpc_endpoint.")]
    assert endpoints
    for policy in endpoints:
        request = Request(action="sqs:SendMessage", resource="arn:aws:sqs:::q", principal=ROLE, context=context)
        assert evaluate(policy.document, request) is decision, policy.owner


@pytest.mark.requirement("W6.2")
def test_only_the_s3_endpoint_carries_image_layers(all_policies: list[Policy]) -> None:
    layer = "arn:aws:s3:::prod-us-east-2-starport-layer-bucket/layer"
    request = Request(action="s3:GetObject", resource=layer, principal=ROLE)
    carriers = [p.owner for p in all_policies if "endpoint." in p.owner and evaluate(p.document, request) == "allow"]
    assert [owner.rpartition("_")[0] for owner in carriers] == ["aws_vpc_endpoint.primary_endpoints_s3"]


@pytest.mark.requirement("W5.2")
def test_own_alarms_may_publish_and_only_with_tls(all_policies: list[Policy]) -> None:
    policy = document(all_policies, "aws_sns_topic_policy.primary_alarms_")
    topic = f"arn:aws:sns:us-east-2:{ACCOUNT}:payments-alarms-local"

    def publish(alarm: str, **context: str) -> Decision:
        arn = f"arn:aws:cloudwatch:us-east-2:{ACCOUNT}:alarm:{alarm}"
        keys = {"aws:SourceArn": arn, "aws:SourceAccount": ACCOUNT} | context
        name = "cloudwatch.amazonaws.com"
        return evaluate(policy, Request(action="sns:Publish", resource=topic, principal=name, context=keys))

    assert publish("payments/local/backups-replication-lag") is Decision.ALLOW
    assert publish("payments/pr-local/backups-replication-lag") is Decision.SILENT
    assert publish("payments/local/backups-replication-lag", **{"aws:SecureTransport": "false"}) is Decision.DENY


@pytest.mark.parametrize(
    ("condition", "context", "decision"),
    [
        ({"StringNotEquals": {"k": "a"}}, {}, Decision.ALLOW),  # negated: true where there is nothing to compare
        ({"StringNotEquals": {"k": "a"}}, {"k": "a"}, Decision.SILENT),
        ({"StringEquals": {"k": "a"}}, {}, Decision.SILENT),
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": "b"}, Decision.ALLOW),
        ({"Null": {"k": "false"}}, {}, Decision.SILENT),
        ({"Null": {"k": "true"}}, {}, Decision.ALLOW),
        ({"StringEquals": {"k": "a"}, "Bool": {"l": "true"}}, {"k": "a"}, Decision.SILENT),
    ],
)
def test_conditions_hold_as_iam_documents_them(
    condition: dict[str, Any], context: dict[str, str], decision: Decision
) -> None:
    statement = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"], "Condition": condition}
    request = Request(action="s3:GetObject", resource="x", principal=ROLE, context=context)
    assert evaluate({"Statement": [statement]}, request) is decision


@pytest.mark.parametrize("part", [{"NotAction": ["x"]}, {"Condition": {"DateLessThan": {"k": "v"}}}])
def test_unknown_element_or_operator_is_an_error(part: dict[str, Any]) -> None:
    statement = {"Effect": "Allow", "Action": ["*"], "Resource": ["*"], **part}
    with pytest.raises(LookupError):
        evaluate({"Statement": [statement]}, Request(action="s3:GetObject", resource="x", principal=ROLE))


@pytest.mark.parametrize(
    ("context", "decision"),
    [
        ({}, Decision.ALLOW),
        ({"aws:SourceAccount": ACCOUNT}, Decision.ALLOW),
        ({"aws:SourceAccount": "999999999999"}, Decision.SILENT),
    ],
)
def test_if_exists_compares_a_key_only_where_it_is_sent(context: dict[str, str], decision: Decision) -> None:
    condition = {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}
    statement = {"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": ["*"], "Condition": condition}
    request = Request(action="kms:Decrypt", resource="*", principal="s3.amazonaws.com", context=context)
    assert evaluate({"Statement": [statement]}, request) is decision
