"""Replication of the state bucket to its replica in the recovery region (W0.3), and the role that S3 has for it.

As with both buckets all is read before anything is changed, what is stricter is kept, and a second run changes nothing.
S3 replicates what is written from now on: the states that are there already are copied.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.state.bucket import Finding, Outcome, StateBucket
from operations.state.policy import VERSION

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from settings import Settings

RULE_ID = "state-to-recovery-region"
POLICY = "replicate"
LOCK = ".tflock"
# No condition: AWS documents none for replication, and one that S3 does not meet would stop it silently.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
TRUST: Mapping[str, Any] = {
    "Version": VERSION,
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class StateReplication:
    """From the state bucket to its replica."""

    def __init__(self, settings: Settings, iam: Any, source: StateBucket, replica: StateBucket) -> None:
        """``source`` and ``replica`` have been read (``problems``)."""
        self._settings = settings
        self._iam = iam
        self._source, self._replica = source, replica
        self._bucket: dict[str, Any] = {"Bucket": source.place.name, "ExpectedBucketOwner": settings.account_id}
        # The replica's name: unique in the account, and within the 64 characters of a role's name.
        self._role_name = replica.place.name
        self.role_arn = f"arn:aws:iam::{settings.account_id}:role/{self._role_name}"

    def problems(self, s3: S3Client) -> list[str]:
        """A line if the replication that there is cannot be joined; ``s3`` is a client in the source's region."""
        found = self._found(s3) if self._source.is_there else {}
        if found and found["Role"] != self.role_arn:
            # S3 takes one role for all rules: another's rules would act as ours, or ours as another's.
            return [
                f"{self._source.place.name}: it is replicated by the role {found['Role']}; {self.role_arn} is needed"
            ]
        return []

    def ready(self, s3: S3Client, there: S3Client) -> list[Finding]:
        """Create or correct role and rule, and copy what is not in the replica yet.

        Args:
            s3: a client in the source's region.
            there: one in the replica's.
        """
        role = self._ready_role()
        found = self._found(s3)
        existing = found.get("Rules", [])
        wanted = self._merged(existing)
        outcome = Outcome.RIGHT if wanted == existing else Outcome.CHANGED if existing else Outcome.CREATED
        if wanted != existing:
            configuration: Any = {"Role": self.role_arn, "Rules": wanted}
            s3.put_bucket_replication(ReplicationConfiguration=configuration, **self._bucket)
        copied = list(self._copy(s3, there))
        return [
            Finding("role of replication", role, self.role_arn),
            Finding("replication", outcome, f"to {self._replica.place.name}, deletions too"),
            *([Finding("what was there before", Outcome.CREATED, f"{', '.join(copied)} copied")] if copied else []),
        ]

    def _found(self, s3: S3Client) -> dict[str, Any]:
        try:
            return dict(s3.get_bucket_replication(**self._bucket)["ReplicationConfiguration"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ReplicationConfigurationNotFoundError":
                return {}
            raise

    def _merged(self, existing: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """``existing`` with our rule. What it has beyond (a time control, metrics) is kept, as are others' rules."""
        own = next((one for one in existing if one.get("ID") == RULE_ID), {})
        priority = own.get("Priority", 1 + max((one.get("Priority", 0) for one in existing), default=0))
        destination = {
            "Bucket": f"arn:aws:s3:::{self._replica.place.name}",
            "EncryptionConfiguration": {"ReplicaKmsKeyID": self._replica.key_arn},
        }
        rule = {
            **own,
            "ID": RULE_ID,
            "Priority": priority,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            # A lock is deleted when its run ends. A state that is deleted has its earlier versions here as there.
            "DeleteMarkerReplication": {"Status": "Enabled"},
            "SourceSelectionCriteria": {
                **own.get("SourceSelectionCriteria", {}),
                "SseKmsEncryptedObjects": {"Status": "Enabled"},
            },
            "Destination": {**own.get("Destination", {}), **destination},
        }
        return [rule if one is own else one for one in existing] if own else [*existing, rule]

    def _ready_role(self) -> Outcome:
        outcome = Outcome.RIGHT
        try:
            role = self._iam.get_role(RoleName=self._role_name)["Role"]
        except self._iam.exceptions.NoSuchEntityException:
            self._iam.create_role(
                RoleName=self._role_name,
                AssumeRolePolicyDocument=json.dumps(TRUST),
                Description="Lets S3 replicate Terraform's state to the recovery region",
                Tags=[{"Key": key, "Value": value} for key, value in self._settings.tags.items()],
            )
            outcome = Outcome.CREATED
        else:
            if role["AssumeRolePolicyDocument"] != TRUST:
                self._iam.update_assume_role_policy(RoleName=self._role_name, PolicyDocument=json.dumps(TRUST))
                outcome = Outcome.CHANGED
        if self._policy() != (wanted := self._permissions()):
            self._iam.put_role_policy(RoleName=self._role_name, PolicyName=POLICY, PolicyDocument=json.dumps(wanted))
            outcome = Outcome.CREATED if outcome is Outcome.CREATED else Outcome.CHANGED
        return outcome

    def _policy(self) -> object:
        try:
            return self._iam.get_role_policy(RoleName=self._role_name, PolicyName=POLICY)["PolicyDocument"]
        except self._iam.exceptions.NoSuchEntityException:
            return None

    def _permissions(self) -> dict[str, Any]:
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html."""
        source, replica = (f"arn:aws:s3:::{one.place.name}" for one in (self._source, self._replica))
        statements: dict[str, tuple[list[str], str]] = {
            "ReadTheRule": (["s3:GetReplicationConfiguration", "s3:ListBucket"], source),
            "ReadObjects": (
                ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
                f"{source}/*",
            ),
            "WriteReplicas": (["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], f"{replica}/*"),
        }
        on_objects = [
            {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
            for sid, (actions, resource) in statements.items()
        ]
        return {"Version": VERSION, "Statement": [*on_objects, *self._on_keys()]}

    def _on_keys(self) -> Iterator[dict[str, Any]]:
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html."""
        for sid, bucket, actions in (
            ("DecryptState", self._source, ["kms:Decrypt"]),
            ("EncryptReplica", self._replica, ["kms:Encrypt", "kms:GenerateDataKey"]),
        ):
            arn = f"arn:aws:s3:::{bucket.place.name}"
            yield {
                "Sid": sid,
                "Effect": "Allow",
                "Action": actions,
                "Resource": bucket.key_arn,
                "Condition": {
                    "StringEquals": {"kms:ViaService": f"s3.{bucket.place.region}.amazonaws.com"},
                    # With a bucket key the context is the bucket, without it the object.
                    "StringLike": {"kms:EncryptionContext:aws:s3:arn": [arn, f"{arn}/*"]},
                },
            }

    def _copy(self, s3: S3Client, there: S3Client) -> Iterator[str]:
        """Copy each state that the replica lacks; its name. What S3 replicates meanwhile is not overwritten."""
        target: dict[str, Any] = {**self._bucket, "Bucket": self._replica.place.name}
        missing = set(_keys(s3, self._bucket)) - set(_keys(there, target))
        for key in sorted(one for one in missing if not one.endswith(LOCK)):
            body = s3.get_object(Key=key, **self._bucket)["Body"].read()
            try:
                there.put_object(Key=key, Body=body, IfNoneMatch="*", **target)
            except ClientError as error:
                if error.response["Error"]["Code"] != "PreconditionFailed":
                    raise
            else:
                yield key


def _keys(s3: S3Client, bucket: dict[str, Any]) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(**bucket):
        yield from (one["Key"] for one in page.get("Contents", []))
