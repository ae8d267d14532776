"""A bucket's policy is evaluated with its conditions, against what the request carries."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.support import Client

pytestmark = pytest.mark.requirement("W8.2")

KEY = "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER_KEY = KEY.replace("1234abcd", "9999abcd")


class Bucket:
    """A bucket of its own, whose policy the test says."""

    def __init__(self, client: Callable[..., Client]) -> None:
        self.s3 = client("s3")
        self.name = f"policies-{uuid.uuid4()}"
        self.s3.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})

    def says(self, *statements: dict[str, Any]) -> None:
        everything = {"Resource": [f"arn:aws:s3:::{self.name}", f"arn:aws:s3:::{self.name}/*"]}
        document = {"Version": "2012-10-17", "Statement": [everything | statement for statement in statements]}
        self.s3.put_bucket_policy(Bucket=self.name, Policy=json.dumps(document))

    def takes_upload(self, **parameters: str) -> bool:
        return error_of(lambda: self.s3.put_object(Bucket=self.name, Key="file", Body=b"x", **parameters)) != "403"


def error_of(call: Callable[[], object]) -> str:
    """The code of the error that a call ends in, or nothing."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.fixture
def bucket(client: Callable[..., Client]) -> Bucket:
    return Bucket(client)


def deny(**condition: dict[str, str]) -> dict[str, Any]:
    return {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Condition": condition}


def test_policy_against_plain_http_allows_the_local_aws(bucket: Bucket) -> None:
    bucket.says(deny(Bool={"aws:SecureTransport": "false"}))
    assert bucket.takes_upload()
    assert bucket.s3.get_object(Bucket=bucket.name, Key="file")["Body"].read() == b"x"


def test_a_policy_without_a_condition_denies(bucket: Bucket) -> None:
    bucket.says({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"})
    assert not bucket.takes_upload()


def test_an_upload_that_names_another_key_is_refused(bucket: Bucket) -> None:
    header = "s3:x-amz-server-side-encryption-aws-kms-key-id"
    bucket.says(deny(Null={header: "false"}, StringNotEquals={header: KEY}))
    assert bucket.takes_upload()
    assert bucket.takes_upload(ServerSideEncryption="aws:kms", SSEKMSKeyId=KEY)
    assert not bucket.takes_upload(ServerSideEncryption="aws:kms", SSEKMSKeyId=OTHER_KEY)


def test_a_negated_condition_alone_refuses_uploads_that_name_nothing(bucket: Bucket) -> None:
    """The mistake that only AWS would have shown: where there is nothing to compare, a negated comparison is true."""
    bucket.says(deny(StringNotEquals={"s3:x-amz-server-side-encryption": "aws:kms"}))
    assert not bucket.takes_upload()
    assert bucket.takes_upload(ServerSideEncryption="aws:kms", SSEKMSKeyId=KEY)


@pytest.mark.parametrize(
    ("resource", "source", "accepted"),
    [
        ("access/*", "{name}", True),
        ("access/of-this/*", "{name}", True),
        ("elsewhere/*", "{name}", False),
        ("access/*", "another-bucket", False),
    ],
)
def test_log_delivery_needs_the_target_buckets_permission(
    client: Callable[..., Client], bucket: Bucket, resource: str, source: str, accepted: bool
) -> None:
    target = Bucket(client)
    target.says(
        {
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{target.name}/{resource}",
            "Condition": {"ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{source.format(name=bucket.name)}"}},
        },
        deny(Bool={"aws:SecureTransport": "false"}),
    )
    where = {"TargetBucket": target.name, "TargetPrefix": "access/of-this/"}
    error = error_of(
        lambda: bucket.s3.put_bucket_logging(Bucket=bucket.name, BucketLoggingStatus={"LoggingEnabled": where})
    )
    assert error == ("" if accepted else "InvalidTargetBucketForLogging")
