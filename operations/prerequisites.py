"""Prerequisites of a first deployment: a list of needs, each of which reads AWS and says in a line what is missing.

Both systems have their own list (operations/deployment/prerequisites.py, operations/payment_api/preflight.py). Nothing
is changed, and no secret value is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import boto3
from botocore.exceptions import ClientError

from operations.account import aws_errors_in_words

Settings = TypeVar("Settings")
UNRESERVED_CONCURRENCY = 100  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
_MISSING = ("NotFound", "NoSuch", "404", "InvalidAMIID", "InvalidPrefixListID", "ParameterNotFound")


@dataclass(frozen=True, kw_only=True)
class Account(Generic[Settings]):
    """The account as the environment's settings see it: ``connect(service, region)`` makes a client."""

    settings: Settings
    region: str
    """The region of ``client``."""
    connect: Callable[[str, str], Any]
    exists: bool
    """Whether the environment exists already: its own resources then need no free quota."""

    def client(self, service: str) -> Any:
        """A client in the environment's own region."""
        return self.connect(service, self.region)


@dataclass(frozen=True)
class Quota:
    """A quota by its codes in Service Quotas, and what it counts."""

    service: str
    code: str
    what: str


# https://docs.aws.amazon.com/general/latest/gr/ec2-service.html, vpc-service.html
ELASTIC_ADDRESSES = Quota("ec2", "L-0263D0A3", "elastic addresses")
NETWORKS = Quota("vpc", "L-F678F1CE", "VPCs")


@dataclass(frozen=True, kw_only=True)
class Need(Generic[Settings]):
    """A prerequisite: its description, and the check that finds what is missing."""

    what: str
    missing: Callable[[Account[Settings]], Iterator[str]]


def problems(needs: Sequence[Need[Settings]], account: Account[Settings]) -> list[str]:
    """A line for each missing prerequisite, in the order of ``needs``. Raises Failed if AWS does not answer."""
    with aws_errors_in_words():
        return [line for need in needs for line in need.missing(account)]


def connect(service: str, region: str) -> Any:
    """A client for a service in a region."""
    return boto3.Session(region_name=region).client(service)  # type: ignore[call-overload]


def if_found(operation: Callable[..., Any], **asked: Any) -> Any:
    """The response, or None where the resource does not exist."""
    try:
        return operation(**asked)
    except ClientError as error:
        code = str(error.response["Error"].get("Code", ""))
        if any(part in code for part in _MISSING):
            return None
        raise


def without_quota(account: Account[Any], region: str, quota: Quota, *, needed: float, used: float) -> Iterator[str]:
    """A line if fewer than ``needed`` are left of a quota in a region."""
    asked = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    answer = if_found(account.connect("service-quotas", region).get_service_quota, **asked)
    if answer and (limit := answer["Quota"]["Value"]) - used < needed:
        yield (
            f"quota {quota.service}/{quota.code}: {needed:g} {quota.what} are needed in {region}, and "
            f"{max(limit - used, 0):g} of {limit:g} are left; aws service-quotas request-service-quota-increase "
            f"--region {region} --service-code {quota.service} --quota-code {quota.code}"
            f" --desired-value {used + needed:g}"
        )


def without_concurrency(account: Account[Any], region: str, reserved: int) -> Iterator[str]:
    """A line if so many concurrent functions cannot be reserved: 100 stay unreserved; new accounts have 10 in all."""
    limit = account.connect("lambda", region).get_account_settings()["AccountLimit"]
    if (left := limit["UnreservedConcurrentExecutions"] - UNRESERVED_CONCURRENCY) < reserved:
        yield (
            f"quota lambda: {reserved} concurrent functions are reserved in {region}, and {max(left, 0)} can be; "
            f"aws service-quotas request-service-quota-increase --region {region} --service-code lambda --quota-code "
            "L-B99A9384 --desired-value 1000"
        )
