"""IAM policy of the deploy role: Terraform's state, its lock, and their KMS key."""

from __future__ import annotations

from modules.delivery.permissions.grants import IMPLIED_BY_ANOTHER_CALL, OF_STATE, Grant

STATE: tuple[Grant, ...] = (
    Grant(
        sid="KeepState",
        service="s3",
        on=("{state}/{state_key}*",),  # and the lock object next to it
        rehearsed="DeleteObject GetObject PutObject",
    ),
    Grant(sid="FindState", service="s3", on=("{state}", "{state}-replica"), rehearsed="ListBucket"),
    Grant(
        sid="EncryptState",
        service="kms",
        on=("arn:aws:kms:*:{account}:key/*",),
        unrehearsed={IMPLIED_BY_ANOTHER_CALL: "Decrypt GenerateDataKey"},
        conditions=OF_STATE,
    ),
)
