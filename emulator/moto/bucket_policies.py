"""Evaluation of bucket policies with their conditions.

moto evaluates a bucket policy for every object request, but ignores conditions: a policy that denies plain HTTP denies
everything. It also compares the resource of log delivery literally. Here the whole policy is evaluated with the
request's context: an upload under another key is refused in the rehearsal, as it would be on AWS.
"""

from __future__ import annotations

import json
from typing import Any

from flask import has_request_context, request
from moto.iam.access_control import PermissionResult
from moto.s3.models import LOGGING_SERVICE_PRINCIPAL, FakeBucket

from emulator.moto.extend import Method, override
from iam.evaluation import Decision, Request, evaluate

# The local AWS uses plain HTTP and represents endpoints that are reached by TLS.
TRANSPORT = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
# Condition keys of S3 that are headers of the request.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
HEADERS = ("x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-acl")
RESULTS = {
    Decision.ALLOW: PermissionResult.PERMITTED,
    Decision.DENY: PermissionResult.DENIED,
    Decision.SILENT: PermissionResult.NEUTRAL,
}


@override(FakeBucket)
def get_permission(_original: Method, self: Any, action: str, resource: str) -> PermissionResult:
    """The bucket policy's decision on a request of a principal of the same account."""
    caller = f"arn:aws:iam::{self.account_id}:user/local"
    asked = Request(action=action, resource=resource, principal=caller, context=TRANSPORT | _named_in_headers())
    return RESULTS[evaluate(document_of(self), asked)]


@override(FakeBucket)
def _log_permissions_enabled_policy(
    _original: Method, self: Any, target_bucket: Any, target_prefix: str | None
) -> bool:
    """Whether the target bucket's policy lets S3 deliver this bucket's access logs below the prefix."""
    source = {"aws:SourceAccount": self.account_id, "aws:SourceArn": f"arn:aws:s3:::{self.name}"}
    delivery = Request(
        action="s3:PutObject",
        resource=f"arn:aws:s3:::{target_bucket.name}/{target_prefix or ''}",
        principal=LOGGING_SERVICE_PRINCIPAL,
        context=TRANSPORT | source,
    )
    return evaluate(document_of(target_bucket), delivery) is Decision.ALLOW


def document_of(bucket: Any) -> dict[str, Any]:
    """The bucket's policy with every element as a list, as AWS takes both."""
    document = json.loads(bucket.policy or '{"Statement": []}')
    return {"Statement": [_in_full(statement) for statement in _listed(document["Statement"])]}


def _in_full(statement: dict[str, Any]) -> dict[str, Any]:
    principal = statement["Principal"]
    named = {"AWS": ["*"]} if principal == "*" else {kind: _listed(names) for kind, names in principal.items()}
    lists = {name: _listed(statement[name]) for name in ("Action", "Resource")}
    return statement | lists | {"Principal": named}


def _named_in_headers() -> dict[str, str]:
    if not has_request_context():
        return {}
    return {f"s3:{name}": request.headers[name] for name in HEADERS if name in request.headers}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
