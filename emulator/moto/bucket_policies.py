"""Evaluation of bucket policies with their conditions.

moto evaluates a bucket policy for every object request, but ignores conditions: a policy that denies plain HTTP denies
everything. It also compares the resource of log delivery literally. Here the whole policy is evaluated with the
request's context: an upload under another key is refused in the rehearsal, as it would be on AWS.
"""

from __future__ import annotations

from typing import Any

from flask import has_request_context, request
from moto.iam.access_control import PermissionResult
from moto.s3.models import LOGGING_SERVICE_PRINCIPAL, FakeBucket

from emulator.authorization import gate
from emulator.authorization.callers import ANONYMOUS, Caller, caller_of
from emulator.authorization.requests import S3_HEADERS, TRANSPORT
from emulator.moto.extend import Method, override
from emulator.signatures import credential_scope


@override(FakeBucket)
def get_permission(_original: Method, _self: Any, action: str, resource: str) -> PermissionResult:
    """Whether the bucket policy denies a request; that its caller is allowed it was decided before it reached moto."""
    denied = gate.denies(resource, action, _caller(), TRANSPORT | _named_in_headers())
    return PermissionResult.DENIED if denied else PermissionResult.PERMITTED


@override(FakeBucket)
def _log_permissions_enabled_policy(
    _original: Method, self: Any, target_bucket: Any, target_prefix: str | None
) -> bool:
    """Whether the target bucket's policy lets S3 deliver this bucket's access logs below the prefix."""
    return gate.may_act(
        Caller(principal=LOGGING_SERVICE_PRINCIPAL),
        "s3:PutObject",
        f"arn:aws:s3:::{target_bucket.name}/{target_prefix or ''}",
        TRANSPORT | {"aws:SourceAccount": self.account_id, "aws:SourceArn": f"arn:aws:s3:::{self.name}"},
    )


def _caller() -> Caller | None:
    """The caller of the request that moto answers; None for the administrator, and for what the local AWS does."""
    if not has_request_context():
        return None
    access_key_id, _, _ = credential_scope(request)
    return caller_of(access_key_id) if access_key_id else Caller(principal=ANONYMOUS)


def _named_in_headers() -> dict[str, str]:
    if not has_request_context():
        return {}
    return {f"s3:{name}": request.headers[name] for name in S3_HEADERS if name in request.headers}
