"""What watches the account (W5.6). An account has each of it once, whatever the number of environments in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from settings.base import SettingsModel, each_once, matching

# PCI DSS 4.0.1, 10.5.1: at least twelve months.
SHORTEST_RETENTION_DAYS = 365
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
RoleName = Annotated[str, matching(r"[\w+=,.@-]{1,64}", "the name of a role is allowed, without its path")]


class AuditSettings(SettingsModel):
    """What watches the account, made by the environment that `account_owner` names and by no other.

    Each is on until an account says that it has it already, by an organization or by hand: what watches too much is
    found out on a bill, what watches too little after a loss.
    """

    cloudtrail: bool = True
    """A trail of all regions, with alarms: who called what, and who touched the objects of sensitive buckets."""
    guardduty: bool = True
    """GuardDuty in both regions, with an alarm for grave findings."""
    aws_config: bool = True
    """AWS Config in both regions: what every resource looked like when, and rules that matter to PCI DSS."""
    security_hub: bool = True
    """Security Hub in both regions, gathered in the primary one. Most of its checks need AWS Config's records."""
    access_analyzer: bool = True
    """IAM Access Analyzer in both regions: what of the account somebody outside can reach."""
    block_public_access: bool = True
    """S3 Block Public Access for the whole account."""
    database_metrics_log: bool = True
    """The account's one log group of enhanced monitoring of databases, which RDS would make without a key of ours."""
    retention_days: Annotated[int, Field(ge=SHORTEST_RETENTION_DAYS, le=3650)] = SHORTEST_RETENTION_DAYS
    """Days that the trail and AWS Config's records are kept in S3; in CloudWatch the trail is for exactly 30 days."""
    denied_calls: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Denied calls within five minutes, of all callers together, from which on there is an alarm."""
    changing_roles: Annotated[tuple[RoleName, ...], Field(strict=False, max_length=2), AfterValidator(each_once)] = ()
    """Roles whose changes of policies and keys raise no alarm, beside the one that deploys from CI."""
