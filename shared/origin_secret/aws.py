"""Calls of AWS that are retried, and the log of the function."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

GLOBAL_REGION = "us-east-1"  # of CloudFront's API
# A concurrent change (of a rotation and a deployment), or one that AWS has not propagated yet.
WORTH_ANOTHER_TRY = {
    "PreconditionFailed",
    "InvalidIfMatchVersion",
    "WAFAssociatedItemException",
    "WAFOptimisticLockException",
    "WAFUnavailableEntityException",
}
ATTEMPTS = 5
SECONDS_BETWEEN_ATTEMPTS = 2.0
# IAM is eventually consistent: Terraform invokes the function seconds after its role's policy was created.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html
NOT_PERMITTED = {"AccessDenied", "AccessDeniedException"}
SECONDS_TO_BE_PERMITTED = 120.0
SECONDS_BETWEEN_PERMISSIONS = 5.0
CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 5})


class RotationRefused(Exception):
    """The rotation or deployment fails. The message contains no secret: Terraform shows it, and it is logged."""


def again(work: Callable[[], Any]) -> Any:
    """Do ``work``, again from the beginning on a conflict with a concurrent change."""
    for _ in range(ATTEMPTS - 1):
        try:
            return work()
        except ClientError as error:
            if code(error) not in WORTH_ANOTHER_TRY:
                raise
            time.sleep(SECONDS_BETWEEN_ATTEMPTS)
    return work()


def once_permitted(work: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Do ``work``, again from the beginning while the role's policy has not propagated."""
    deadline = time.monotonic() + SECONDS_TO_BE_PERMITTED
    while True:
        try:
            return work()
        except ClientError as error:
            if code(error) not in NOT_PERMITTED or time.monotonic() > deadline:
                raise
        log("not permitted yet")
        time.sleep(SECONDS_BETWEEN_PERMISSIONS)


@cache
def client(service: str, region: str | None = None) -> Any:
    """A client, by default of the function's own region."""
    make: Any = boto3.client
    return make(service, region_name=region or (GLOBAL_REGION if service == "cloudfront" else None), config=CONFIG)


def code(error: ClientError) -> str:
    """The error code of a refused call."""
    return str(error.response["Error"].get("Code", ""))


def log(message: str, **values: object) -> None:
    """A line of JSON, for CloudWatch Logs."""
    print(json.dumps({"message": message, **values}), flush=True)
