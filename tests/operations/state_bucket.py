"""What the tests of the state bucket share: a bucket in any shape, on a local AWS."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from emulator import process
from emulator.record import read_calls
from operations.outcome import Refused
from operations.state.bucket import Finding, StateBucket
from settings import Settings
from settings.platform import StateSettings

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client


REGION, OTHER_REGION = "us-east-2", "us-west-2"
ACCOUNT, OTHER_ACCOUNT = "123456789012", "444455556666"
NUMBERS = itertools.count()


class World:
    """A state bucket of its own in the shared local AWS, and the clients that reach it."""

    def __init__(self, server: process.Server, settings: Settings) -> None:
        self.name = f"state-{next(NUMBERS)}"
        self.settings = settings.model_copy(update={"state": StateSettings(bucket=self.name)})
        self.server = server
        self.s3: S3Client = self.client("s3")
        self.kms: KMSClient = self.client("kms")

    def client(self, service: Any, region: str = REGION) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.server.url,
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="local-aws",
            config=Config(proxies={}),
        )

    def bootstrap(self) -> dict[str, Finding]:
        return {one.item: one for one in StateBucket(self.settings, self.s3, self.kms).bootstrap()}

    def create_bucket(self, region: str = REGION, **parameters: Any) -> None:
        place: Any = {"LocationConstraint": region}
        more: Any = {"ObjectOwnership": "BucketOwnerEnforced", **parameters}
        self.client("s3", region).create_bucket(Bucket=self.name, CreateBucketConfiguration=place, **more)

    def encrypt_with(self, key: str, algorithm: Any = "aws:kms") -> None:
        default: Any = {"SSEAlgorithm": algorithm, "KMSMasterKeyID": key}
        self.s3.put_bucket_encryption(
            Bucket=self.name,
            ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]},
        )

    def set_policy(self, *statements: dict[str, Any]) -> None:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self.s3.put_bucket_policy(Bucket=self.name, Policy=json.dumps(document))

    def set_lifecycle(self, *rules: Any) -> None:
        self.s3.put_bucket_lifecycle_configuration(Bucket=self.name, LifecycleConfiguration={"Rules": list(rules)})

    def statements(self) -> dict[str, dict[str, Any]]:
        document = json.loads(self.s3.get_bucket_policy(Bucket=self.name)["Policy"])
        return {one["Sid"]: one for one in document["Statement"]}

    def rules(self) -> dict[str, Any]:
        found = self.s3.get_bucket_lifecycle_configuration(Bucket=self.name)["Rules"]
        return {one["ID"]: one for one in found}

    def encryption(self) -> Any:
        found = self.s3.get_bucket_encryption(Bucket=self.name)
        return found["ServerSideEncryptionConfiguration"]["Rules"][0]

    def key_arn(self) -> str:
        arn: str = self.encryption()["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"]
        return arn

    def suspend_versioning(self) -> None:
        self.s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Suspended"})

    def writes(self) -> list[str]:
        reads = ("Get", "Head", "Describe", "List")
        calls = read_calls(self.server.directory)
        return [call.operation for call in calls if not call.operation.startswith(reads)]

    def refusal(self) -> str:
        """The lines of a refusal, before which nothing was changed."""
        before = self.writes()
        with pytest.raises(Refused) as refused:
            self.bootstrap()
        assert self.writes() == before
        return str(refused.value)


def statement(sid: str, effect: str, principal: object, **more: object) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": effect,
        "Principal": principal,
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::placeholder/*",
        **more,
    }
