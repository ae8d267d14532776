"""Buckets: the life of their objects, and replication to the recovery region (W4.3, W4.5, W9.1)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from settings.base import SettingsModel

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
EARLIEST_INFREQUENT_ACCESS_DAYS = 30
# An object in STANDARD_IA is charged for this long, whenever it is removed. https://aws.amazon.com/s3/storage-classes/
SHORTEST_INFREQUENT_ACCESS_DAYS = 30

Days = Annotated[int, Field(ge=1, le=3650)]


class StorageSettings(SettingsModel):
    """The life of objects, in days, and their replication to the recovery region."""

    unfinished_upload_days: Days = 7
    """Days after which incomplete multipart uploads are aborted."""
    noncurrent_version_days: Days = 90
    """Days that noncurrent object versions are kept."""
    backup_infrequent_access_days: Annotated[int, Field(ge=EARLIEST_INFREQUENT_ACCESS_DAYS, le=3650)] = 30
    """Days after which backups move to STANDARD_IA, which S3 does no earlier than after 30."""
    backup_expiration_days: Days = 365
    """Days that backups are kept: at least 30 more than backup_infrequent_access_days, as those are charged anyway."""
    log_expiration_days: Days = 365
    """Days that logs are kept in the logs bucket; those in CloudWatch are kept for exactly 30 days."""
    replication_time_control: bool = True
    """Replication Time Control: replicates 99.99 % of objects within 15 minutes, for a price per GB.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-time-control.html
    """
    replicate_delete_markers: bool = True
    """Whether delete markers are replicated to the recovery region."""
    replication_lag_alarm_seconds: Annotated[int, Field(ge=60, le=86_400)] = 900
    """Replication lag in seconds at which it alarms."""

    @model_validator(mode="after")
    def _moving_backups_pays(self) -> StorageSettings:
        earliest = self.backup_infrequent_access_days + SHORTEST_INFREQUENT_ACCESS_DAYS
        if self.backup_expiration_days < earliest:
            raise ValueError(
                f"backup_expiration_days: {self.backup_expiration_days} is not allowed; {earliest} or more is: "
                f"STANDARD_IA, from backup_infrequent_access_days ({self.backup_infrequent_access_days}) on, charges "
                f"for at least {SHORTEST_INFREQUENT_ACCESS_DAYS} days"
            )
        return self
