"""Uses of statements: what allowed a request, in which step of a rehearsal, and whether it was needed (W8.4)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator import process
from emulator.authorization.requests import _tags
from emulator.process import Server
from emulator.record import RecordedUse, read_refusals, read_uses
from tests.emulator.roles import document, make_role
from tests.emulator.support import client_for, error_of
from tests.emulator.test_authorization import As, allow

pytestmark = pytest.mark.requirement("W8.4")


def uses_of(aws: Server, role: str, *, step: str = "") -> list[RecordedUse]:
    return [one for one in read_uses(aws.directory) if one.principal == role and one.step == step]


def test_statement_that_allows_a_request_is_recorded_with_its_name_and_that_it_was_needed(aws: Server) -> None:
    reads = {**allow("sqs:ListQueues"), "Sid": "Lists"}
    role = As(aws, "lists-by-name", allow("sqs:SendMessage"), reads)
    role("sqs").list_queues()
    (used,) = uses_of(aws, role.role)
    assert (used.kind, used.document, used.statement) == ("identity-based policy", "own of lists-by-name", "Lists")
    assert (used.action, used.needed) == ("sqs:ListQueues", True)


def test_statement_beside_another_that_allows_the_same_is_used_and_not_needed(aws: Server) -> None:
    role = As(aws, "lists-twice", allow("sqs:ListQueues"), allow("sqs:*"))
    role("sqs").list_queues()
    assert [(one.statement, one.needed) for one in uses_of(aws, role.role)] == [
        ("statement 0", False),
        ("statement 1", False),
    ]


def test_use_is_recorded_once_in_each_step(aws: Server) -> None:
    role = As(aws, "lists-in-steps", allow("sqs:ListQueues"))
    for step in ("first", "second"):
        process.begin_step(aws, step)
        role("sqs").list_queues()
        role("sqs").list_queues()
    process.begin_step(aws, "")
    assert [len(uses_of(aws, role.role, step=step)) for step in ("first", "second", "")] == [1, 1, 0]


def test_delivery_of_access_logs_is_recorded_as_a_use_of_the_target_buckets_policy(aws: Server) -> None:
    s3 = client_for(aws)("s3")
    for name in ("uses-logged", "uses-logs"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    statement: dict[str, Any] = {
        **allow("s3:PutObject", "arn:aws:s3:::uses-logs/*", Principal={"Service": "logging.s3.amazonaws.com"}),
        "Sid": "TakesLogs",
    }
    s3.put_bucket_policy(Bucket="uses-logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    enabled = {"LoggingEnabled": {"TargetBucket": "uses-logs", "TargetPrefix": "access/"}}
    s3.put_bucket_logging(Bucket="uses-logged", BucketLoggingStatus=enabled)
    delivered = [one for one in uses_of(aws, "logging.s3.amazonaws.com") if one.statement == "TakesLogs"]
    assert {one.document for one in delivered} == {"policy of arn:aws:s3:::uses-logs"}  # the bucket's, not an object's


def test_administrator_whom_a_bucket_policy_denies_is_in_the_record_of_refusals(aws: Server) -> None:
    s3 = client_for(aws)("s3")
    s3.create_bucket(Bucket="uses-denied", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    deny = {"Sid": "Nobody", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*"}
    s3.put_bucket_policy(Bucket="uses-denied", Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    assert error_of(lambda: s3.put_object(Bucket="uses-denied", Key="file", Body=b"x")) == "403"
    assert "statement Nobody denies" in read_refusals(aws.directory)[-1].missing


def test_a_bucket_policy_that_excepts_a_role_lets_its_session_write(aws: Server) -> None:
    """moto asks the bucket policy again: of the request's own caller, whom a condition may except."""
    make = client_for(aws)
    make("s3").create_bucket(Bucket="uses-excepted", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    excepted = make_role(make, "lambda.amazonaws.com", "excepted", allow("s3:PutObject"))
    deny = {
        "Sid": "OneOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": excepted}},
    }
    make("s3").put_bucket_policy(
        Bucket="uses-excepted", Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    )
    writes = allow("s3:PutObject")
    As(aws, "excepted", writes)("s3").put_object(Bucket="uses-excepted", Key="file", Body=b"x")
    other = As(aws, "not-excepted", writes)("s3")
    assert error_of(lambda: other.put_object(Bucket="uses-excepted", Key="file", Body=b"x")) == "AccessDenied"


@pytest.mark.parametrize(
    ("list_", "key", "value"),
    [
        ("Tags", "Key", "Value"),
        ("Tags", "TagKey", "TagValue"),  # KMS
        ("tags", "key", "value"),
        ("DistributionConfigWithTags.Tags.Items", "Key", "Value"),
        ("TagsList", "Key", "Value"),  # CloudTrail
        ("ResourceTags", "Key", "Value"),  # budgets
        ("BackupVaultTags", "key", "value"),
        ("TagSpecifications[0].Tags", "Key", "Value"),
    ],
)
def test_tags_of_a_request_are_condition_keys_however_its_service_names_them(list_: str, key: str, value: str) -> None:
    sent = {f"{list_}[0].{key}": "platform", f"{list_}[0].{value}": "payments"}
    assert _tags(sent) == {"aws:TagKeys": ["platform"], "aws:RequestTag/platform": "payments"}


def test_filters_and_stage_variables_are_no_tags() -> None:
    assert _tags({"stageVariables[0].key": "a", "stageVariables[0].value": "b"}) == {}
    assert _tags({"Filters[0].Name": "tag:a", "ec2TagFilters[0].Key": "a", "ec2TagFilters[0].Value": "b"}) == {}


def test_every_statement_is_listed_by_the_name_under_which_its_use_is_recorded(aws: Server) -> None:
    make = client_for(aws)
    key = make("kms").create_key()["KeyMetadata"]["KeyId"]
    make("kms").create_alias(AliasName="alias/listed", TargetKeyId=key)
    secrets = make("secretsmanager")
    secrets.create_secret(Name="listed", SecretString="hunter22", AddReplicaRegions=[{"Region": "us-west-2"}])
    secrets.put_resource_policy(SecretId="listed", ResourcePolicy=document(allow("secretsmanager:*", Principal="*")))
    role = As(aws, "listed", {**allow("sqs:SendMessage"), "Sid": "Sends"})
    queue = make("sqs").create_queue(QueueName="listed")["QueueUrl"]
    taken = {"Sid": "Takes", **allow("sqs:SendMessage", Principal={"AWS": role.role})}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [taken]})
    make("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    role("sqs").send_message(QueueUrl=queue, MessageBody="x")
    listed = {(one.kind, one.document, one.statement): one for one in process.statements(aws)}
    used = [(one.kind, one.document, one.statement) for one in uses_of(aws, role.role)]
    assert len(used) == 2
    assert [(listed[one].owner, listed[one].effect) for one in used] == [
        ("policy of queue listed in us-east-2", "Allow"),
        ("own of listed", "Allow"),
    ]
    owners = {one.owner for one in listed.values()}
    assert owners >= {"policy of key alias/listed in us-east-2", "policy of secret listed in us-east-2"}


def test_a_struck_statement_decides_nothing_until_it_is_restored(aws: Server) -> None:
    role = As(aws, "struck", {**allow("sqs:ListQueues"), "Sid": "Lists"}, {**allow("kms:ListKeys"), "Sid": "Keys"})
    (lists,) = [one for one in process.statements(aws) if (one.owner, one.statement) == ("own of struck", "Lists")]
    process.strike(aws, lists)
    try:
        assert error_of(role("sqs").list_queues) == "AccessDenied"
        assert "Allow sqs:ListQueues on" in read_refusals(aws.directory)[-1].missing
        role("kms").list_keys()
    finally:
        process.strike(aws)
    role("sqs").list_queues()
