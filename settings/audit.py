"""Audit of the account (W5.6). An account has each part once, whatever the number of environments in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from settings.base import SettingsModel, each_once, matching

# PCI DSS 4.0.1, 10.5.1: at least twelve months.
SHORTEST_RETENTION_DAYS = 365
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
RoleName = Annotated[str, matching(r"[\w+=,.@-]{1,64}", "the name of a role is allowed, without its path")]


class AuditSettings(SettingsModel):
    """Audit of the account, which only the environment that `account_owner` names creates.

    Each part is on by default; switch it off where an organization or a person has created it already. The default is
    on because a part too many shows on the bill, and a missing one only after a loss.
    """

    cloudtrail: bool = True
    """A CloudTrail trail of all regions, with alarms: management events, and data events of sensitive buckets."""
    guardduty: bool = True
    """GuardDuty in both regions, with an alarm for findings of high severity."""
    aws_config: bool = True
    """AWS Config in both regions: the configuration history of every resource, and rules that matter to PCI DSS."""
    security_hub: bool = True
    """Security Hub in both regions, gathered in the primary one. Most of its checks need AWS Config's records."""
    access_analyzer: bool = True
    """IAM Access Analyzer in both regions: resources of the account that can be accessed from outside."""
    block_public_access: bool = True
    """S3 Block Public Access for the whole account."""
    database_metrics_log: bool = True
    """The account's one log group of enhanced monitoring of databases, which RDS would make without a key of ours."""
    retention_days: Annotated[int, Field(ge=SHORTEST_RETENTION_DAYS, le=3650)] = SHORTEST_RETENTION_DAYS
    """Days that the trail and AWS Config's records are kept in S3; in CloudWatch the trail is for exactly 30 days."""
    denied_calls: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Denied calls within five minutes, of all callers together, from which on there is an alarm."""
    changing_roles: Annotated[tuple[RoleName, ...], Field(strict=False, max_length=2), AfterValidator(each_once)] = ()
    """Roles whose changes of policies and keys raise no alarm, in addition to the deploy role of CI."""
