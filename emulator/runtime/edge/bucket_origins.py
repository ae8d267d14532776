"""Buckets as origins: objects that the bucket's policy, and their key's, let the distribution read.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from moto.s3.models import s3_backends

from emulator.authorization import gate
from emulator.authorization.callers import Caller
from emulator.passages import passing
from emulator.regions import REGIONS
from emulator.runtime.edge.distribution import Config, Distribution
from emulator.runtime.forwarding import Answer, Request

CLOUDFRONT, ANYBODY = "cloudfront.amazonaws.com", "anonymous"
TRANSPORT = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
READS = {"GET", "HEAD"}
_DOMAIN = re.compile(r"(?P<bucket>.+)\.s3\.(?:(?P<region>[a-z0-9-]+)\.)?amazonaws\.com")


def answer(distribution: Distribution, origin: Config, request: Request) -> Answer | None:
    """The response of a bucket; None where there is none, or its region is lost. The caller holds the turn.

    Raises:
        NotImplementedError: the request is no read, or the origin uses an access identity.
    """
    named = _DOMAIN.fullmatch(str(origin["DomainName"]))
    buckets: Any = s3_backends[distribution.account_id]["aws"].buckets
    bucket = buckets.get(named["bucket"]) if named else None
    if bucket is None or REGIONS.is_lost(bucket.region_name):
        return None
    if request.method not in READS:
        raise NotImplementedError(f"{request.method} at an origin that is a bucket")
    if (origin.get("S3OriginConfig") or {}).get("OriginAccessIdentity"):
        raise NotImplementedError("an origin access identity, which origin access control replaces")
    is_signed = bool(origin.get("OriginAccessControlId"))
    caller = Caller(principal=CLOUDFRONT if is_signed else ANYBODY)
    with passing("bucket", bucket.name, f"{request.method} {request.path}") as passage:
        said = _object(bucket, unquote(request.path.removeprefix("/")), caller, distribution)
        passage.outcome = str(said.status)
    return said


def _object(bucket: Any, name: str, caller: Caller, distribution: Distribution) -> Answer:
    context = {**TRANSPORT, "aws:SourceArn": distribution.arn}
    arn = f"arn:aws:s3:::{bucket.name}"
    if not gate.may_act(caller, "s3:GetObject", f"{arn}/{name}", context):
        return _error(403, "AccessDenied", "Access Denied")
    found = s3_backends[distribution.account_id]["aws"].get_object(bucket.name, name)
    if found is None:
        if not gate.may_act(caller, "s3:ListBucket", arn, context):
            return _error(403, "AccessDenied", "Access Denied")
        return _error(404, "NoSuchKey", "The specified key does not exist.")
    if not _may_decrypt(found, bucket, caller, distribution):
        return _error(403, "AccessDenied", "Access Denied")
    own = {name.lower(): str(value) for name, value in {**found.metadata, **found.response_dict}.items()}
    headers = tuple((name, value) for name, value in own.items() if name != "content-length")
    return Answer(status=200, headers=headers, body=bytes(found.value))


def _may_decrypt(found: Any, bucket: Any, caller: Caller, distribution: Distribution) -> bool:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html (the encryption context)."""
    if found.encryption != "aws:kms" or not str(found.kms_key_id or "").startswith("arn:"):
        return True
    context = {
        "aws:SourceArn": distribution.arn,
        "kms:ViaService": f"s3.{bucket.region_name}.amazonaws.com",
        "kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket.name}",
    }
    return gate.may_act(caller, "kms:Decrypt", str(found.kms_key_id), context)


def _error(status: int, code: str, message: str) -> Answer:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(status=status, headers=(("Content-Type", "application/xml"),), body=text.encode())
