"""The key that Terraform's state is encrypted with: the bucket's own, customer-managed and rotating."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from operations.state.policy import key_policy

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

# https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html
SHORTEST_DELETION_DAYS = 7


@dataclass(frozen=True)
class StateKey:
    """A KMS key as it is."""

    arn: str
    account_id: str
    managed_by_aws: bool
    state: str
    origin: str
    rotates: bool

    def problem(self, account_id: str) -> str | None:
        """Why the state bucket of ``account_id`` cannot be left to this key, if so."""
        if self.account_id != account_id:
            return f"{self.arn} belongs to another account; a key of {account_id} is needed"
        if self.state != "Enabled":
            return f"{self.arn} is {self.state}; an enabled key is needed, as the state cannot be read without it"
        # https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html: KMS rotates its own material only
        if self.origin != "AWS_KMS" and not self.rotates:
            return (
                f"{self.arn} has material from {self.origin}, which cannot rotate by itself; one of KMS's own is needed"
            )
        return None


def describe(kms: KMSClient, reference: str) -> StateKey | None:
    """The key that an id, an ARN or an alias refers to; None if there is none."""
    try:
        metadata = kms.describe_key(KeyId=reference)["KeyMetadata"]
    except kms.exceptions.NotFoundException:
        return None
    managed_by_aws = metadata.get("KeyManager") == "AWS"
    return StateKey(
        arn=metadata["Arn"],
        account_id=metadata.get("AWSAccountId", ""),
        managed_by_aws=managed_by_aws,
        state=metadata.get("KeyState", ""),
        origin=metadata.get("Origin", ""),
        rotates=not managed_by_aws and _rotates(kms, metadata["Arn"]),
    )


def create(kms: KMSClient, alias: str, account_id: str, tags: Mapping[str, str]) -> StateKey:
    """Create a key, enabled and not rotating yet, under ``alias``.

    A key that gets no alias, because the call fails or is interrupted, is scheduled for deletion: nothing would find
    it again, and it would cost by the month.
    """
    created = kms.create_key(
        Description="Terraform's state",
        Policy=json.dumps(key_policy(account_id)),
        Tags=[{"TagKey": key, "TagValue": value} for key, value in tags.items()],
    )["KeyMetadata"]
    try:
        kms.create_alias(AliasName=alias, TargetKeyId=created["KeyId"])
    except BaseException:
        kms.schedule_key_deletion(KeyId=created["KeyId"], PendingWindowInDays=SHORTEST_DELETION_DAYS)
        raise
    return StateKey(created["Arn"], account_id, managed_by_aws=False, state="Enabled", origin="AWS_KMS", rotates=False)


def _rotates(kms: KMSClient, arn: str) -> bool:
    """A key in a state in which KMS does not say (one that awaits its deletion, or another account's) does not."""
    try:
        return kms.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"]
    except ClientError as error:
        if error.response["Error"]["Code"] in {
            "KMSInvalidStateException",
            "AccessDeniedException",
            "UnsupportedOperationException",
        }:
            return False
        raise
