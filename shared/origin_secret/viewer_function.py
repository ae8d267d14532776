"""The CloudFront function that adds the secret to requests. Its current value is read from CloudFront, not stored."""

from __future__ import annotations

import os
import re
from pathlib import Path

from botocore.exceptions import ClientError

from shared.origin_secret import aws

RUNTIME = "cloudfront-js-2.0"
DEVELOPMENT, LIVE = "DEVELOPMENT", "LIVE"
VALUE_IN_CODE = re.compile(rb"^var VALUE = '([A-Za-z0-9_-]+)';$", re.MULTILINE)


def _code_with(value: str) -> bytes:
    template = Path(__file__).with_name("viewer_function.js").read_text(encoding="utf-8")
    return template.replace("__HEADER__", os.environ["HEADER"]).replace("__VALUE__", value).encode()


def _published() -> bytes | None:
    """The published code, if any."""
    try:
        answer = aws.client("cloudfront").get_function(Name=os.environ["VIEWER_FUNCTION"], Stage=LIVE)
    except ClientError as error:
        if aws.code(error) == "NoSuchFunctionExists":
            return None
        raise
    return bytes(answer["FunctionCode"].read())


def sent() -> str | None:
    """The value that CloudFront sends, if any."""
    found = VALUE_IN_CODE.search(_published() or b"")
    return found[1].decode() if found else None


def _etag(stage: str) -> str | None:
    try:
        answer = aws.client("cloudfront").describe_function(Name=os.environ["VIEWER_FUNCTION"], Stage=stage)
    except ClientError as error:
        if aws.code(error) == "NoSuchFunctionExists":
            return None
        raise
    return str(answer["ETag"])


def send(value: str) -> str:
    """Have CloudFront send a value; returns the ARN of its function."""
    code = _code_with(value)
    if _published() != code:
        aws.again(lambda: _publish(code))
    answer = aws.client("cloudfront").describe_function(Name=os.environ["VIEWER_FUNCTION"], Stage=LIVE)
    return str(answer["FunctionSummary"]["FunctionMetadata"]["FunctionARN"])


def _publish(code: bytes) -> None:
    cloudfront, name = aws.client("cloudfront"), os.environ["VIEWER_FUNCTION"]
    config = {"Comment": "Marks requests as the distribution's own", "Runtime": RUNTIME}
    if etag := _etag(DEVELOPMENT):
        etag = cloudfront.update_function(Name=name, IfMatch=etag, FunctionConfig=config, FunctionCode=code)["ETag"]
    else:
        etag = cloudfront.create_function(Name=name, FunctionConfig=config, FunctionCode=code)["ETag"]
    cloudfront.publish_function(Name=name, IfMatch=etag)


def delete() -> None:
    """Delete the function, if there is one."""
    if etag := _etag(DEVELOPMENT):
        aws.client("cloudfront").delete_function(Name=os.environ["VIEWER_FUNCTION"], IfMatch=etag)
