"""Backups of the database beyond its own 35 days: snapshots in both regions and exports in S3 (W3.2, W3.4).

There is no setting for cold storage: AWS Backup has none for Aurora, and would pass over it without a word.
https://docs.aws.amazon.com/aws-backup/latest/devguide/backup-feature-availability.html
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from settings.base import SettingsModel, matching

# A promise in months is kept in days: the longest that so many months can be.
DAYS_PER_MONTH = 31
# https://docs.aws.amazon.com/aws-backup/latest/devguide/API_PutBackupVaultLockConfiguration.html
SHORTEST_LOCK_GRACE_DAYS, LONGEST_RETENTION_DAYS = 3, 36_500

Days = Annotated[int, Field(ge=1, le=3650)]
Months = Annotated[int, Field(ge=1, le=120)]


class VaultLock(StrEnum):
    """Lock of a protected environment's vaults against early deletion of recovery points.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/vault-lock.html
    """

    GOVERNANCE = "governance"
    COMPLIANCE = "compliance"


class VaultLockSettings(SettingsModel):
    """The lock of the backup vaults. Only a protected environment has it."""

    mode: Annotated[VaultLock, Field(strict=False)] = VaultLock.GOVERNANCE
    """Whether a permitted principal may remove the lock (governance), or nobody, AWS included (compliance).

    A compliance lock cannot be removed after its grace time: the vaults then exist as long as their recovery points.
    """
    grace_days: Annotated[int, Field(ge=SHORTEST_LOCK_GRACE_DAYS, le=LONGEST_RETENTION_DAYS)] = 3
    """Days in which a compliance lock can still be lifted; AWS takes no fewer than 3."""
    min_retention_days: Days = 7
    """A backup that is to be kept for fewer days than this is refused by the vault: no retention may be shorter."""
    max_retention_days: Annotated[int, Field(ge=1, le=LONGEST_RETENTION_DAYS)] = 3720
    """A backup that is to be kept for more days than this is refused by the vault: no retention may be longer."""


class BackupSettings(SettingsModel):
    """How often the database is backed up, where to, and for how long."""

    daily_retention_days: Days = 35
    """Retention of daily backups in the primary region, in days."""
    monthly_retention_months: Months = 12
    """Months (of 31 days) that a monthly backup is kept in the primary region: no less than daily ones."""
    daily_copy_retention_days: Days = 35
    """Retention of copies of daily backups in the recovery region, in days."""
    monthly_copy_retention_months: Months = 12
    """Months (of 31 days) that the copy of a monthly backup is kept there: no less than copies of daily ones."""
    start_utc: Annotated[str, matching(r"([01]\d|2[0-3]):[0-5]\d", "a time of day is allowed, such as 01:30")] = "01:30"
    """When backups start, every day and on the first of a month; not while the database takes its own.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/creating-a-backup-plan.html
    """
    start_window_minutes: Annotated[int, Field(ge=60, le=1440)] = 60
    """Minutes after which a backup that has not started is cancelled."""
    completion_window_minutes: Annotated[int, Field(ge=120, le=10_080)] = 720
    """Minutes after which an incomplete backup or copy is cancelled: more than start_window_minutes."""
    restore_tests: bool = True
    """Whether AWS Backup restores the newest backup monthly as a test, and deletes the restored cluster."""
    export_timeout_hours: Annotated[int, Field(ge=1, le=168)] = 24
    """Hours after which an unfinished snapshot export to S3 is cancelled, with an alarm."""
    lock: VaultLockSettings = VaultLockSettings()
    """Vault lock, where the environment is protected."""

    @property
    def monthly_retention_days(self) -> int:
        """Days that a monthly backup is kept."""
        return self.monthly_retention_months * DAYS_PER_MONTH

    @property
    def monthly_copy_retention_days(self) -> int:
        """Days that the copy of a monthly backup is kept."""
        return self.monthly_copy_retention_months * DAYS_PER_MONTH

    @model_validator(mode="after")
    def _fits_together(self) -> BackupSettings:
        problems = [*self._monthly_is_longer(), *self._windows_fit()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _monthly_is_longer(self) -> Iterator[str]:
        for copy in ("", "copy_"):
            daily, monthly = f"daily_{copy}retention_days", f"monthly_{copy}retention_months"
            days, months = getattr(self, daily), getattr(self, monthly)
            if months * DAYS_PER_MONTH < days:
                least = -(-days // DAYS_PER_MONTH)
                yield f"{monthly}: {months} is not allowed; {least} or more is, as {daily} is {days}"

    def _windows_fit(self) -> Iterator[str]:
        if self.completion_window_minutes <= self.start_window_minutes:
            yield (
                f"completion_window_minutes: {self.completion_window_minutes} is not allowed; more than "
                f"start_window_minutes ({self.start_window_minutes}) is"
            )

    def refused_by_the_lock(self) -> Iterator[tuple[str, int, str]]:
        """Retentions that the lock, if any, does not allow: the setting, its value, and the allowed range.

        A vault refuses a backup with such a retention: the backup job would fail every night.
        """
        kept = {
            "daily_retention_days": self.daily_retention_days,
            "monthly_retention_months": self.monthly_retention_days,
            "daily_copy_retention_days": self.daily_copy_retention_days,
            "monthly_copy_retention_months": self.monthly_copy_retention_days,
        }
        shortest, longest = min(kept, key=lambda name: kept[name]), max(kept, key=lambda name: kept[name])
        if self.lock.min_retention_days > kept[shortest]:
            allowed = f"{kept[shortest]} or fewer is, the days of {shortest}"
            yield "min_retention_days", self.lock.min_retention_days, allowed
        if self.lock.max_retention_days < kept[longest]:
            allowed = f"{kept[longest]} or more is, the days of {longest}"
            yield "max_retention_days", self.lock.max_retention_days, allowed
