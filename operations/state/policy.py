"""Policies of the state bucket and its key, merged into an existing policy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

VERSION = "2012-10-17"

Statement = Mapping[str, Any]


def statements(bucket: str, key_arn: str) -> list[dict[str, Any]]:
    """Deny statements of the bucket policy. There are no Allow statements."""
    bucket_arn = f"arn:aws:s3:::{bucket}"
    return [
        {
            "Sid": "DenyRequestsWithoutTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket_arn, f"{bucket_arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        # A request that names no encryption gets the bucket's default, which is the key: only other choices are denied.
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
        {
            "Sid": "DenyOtherEncryption",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"{bucket_arn}/*",
            "Condition": {
                "Null": {"s3:x-amz-server-side-encryption": "false"},
                "StringNotLike": {"s3:x-amz-server-side-encryption": "aws:kms*"},
            },
        },
        {
            "Sid": "DenyOtherKeys",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"{bucket_arn}/*",
            "Condition": {
                "Null": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "false"},
                "StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": key_arn},
            },
        },
    ]


def merged(existing: Sequence[Statement], ours: Sequence[Statement]) -> list[Statement]:
    """``existing`` with ``ours`` added where it lacks them; equal to ``existing`` if it lacks none.

    Nothing is removed. A different statement with one of our Sids is kept under another Sid: as all of ours are Deny
    statements, both together are never weaker than either.
    """
    missing = [one for one in ours if not any(_same(one, other) for other in existing)]
    names = {one["Sid"] for one in missing}
    taken = {one.get("Sid") for one in existing}
    return [*(_renamed(one, taken) if one.get("Sid") in names else one for one in existing), *missing]


def grants_to_others(existing: Iterable[Statement], account_id: str) -> Iterator[str]:
    """For each statement that allows something to anyone outside the account: its name, or its number from 1."""
    for number, statement in enumerate(existing, start=1):
        if statement["Effect"] == "Allow" and not _only_for(account_id, statement.get("Principal")):
            yield str(statement.get("Sid") or number)


def key_policy(account_id: str) -> dict[str, Any]:
    """The key policy: only IAM policies of its account decide on its use.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    """
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Sid": "LetTheAccountDecide",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }


def _only_for(account_id: str, principal: object) -> bool:
    """Whether a principal element names only this account and its identities."""
    if not isinstance(principal, Mapping) or set(principal) != {"AWS"}:
        return False  # everyone, a service, a federation, a canonical user, or NotPrincipal
    return all(
        one == account_id or re.fullmatch(rf"arn:aws[a-z-]*:(iam|sts)::{account_id}:.+", one)
        for one in _listed(principal["AWS"])
    )


def _same(one: Statement, other: Statement) -> bool:
    return _normal(one) == _normal(other)


def _normal(value: object) -> object:
    """A policy element in the one form that all of AWS's spellings of it share."""
    if isinstance(value, Mapping):
        if set(value) == {"AWS"} and _listed(value["AWS"]) == ["*"]:
            return _normal("*")  # "Principal": {"AWS": "*"} is "Principal": "*"
        return {key: _normal(inner) for key, inner in value.items()}
    return sorted(str(one).lower() if isinstance(one, bool) else str(one) for one in _listed(value))


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _renamed(statement: Statement, taken: set[Any]) -> dict[str, Any]:
    names = (f"{statement['Sid']}Before{number}" for number in range(1, len(taken) + 2))
    return {**statement, "Sid": next(name for name in names if name not in taken)}
