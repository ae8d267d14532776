"""Buckets and the keys that encrypt them (W4.3-W4.5), and how long what is in them is kept (W9.1)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from settings.base import SettingsModel

# S3 moves an object to STANDARD_IA no earlier than 30 days after it was made.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
EARLIEST_INFREQUENT_ACCESS_DAYS = 30

Days = Annotated[int, Field(ge=1, le=3650)]


class EncryptionSettings(SettingsModel):
    """Customer-managed keys. Sources: the RotationPeriodInDays and PendingWindowInDays of the KMS API reference."""

    rotation_period_days: Annotated[int, Field(ge=90, le=2560)] = 365
    deletion_window_days: Annotated[int, Field(ge=7, le=30)] = 7


class StorageSettings(SettingsModel):
    """The life of objects, in days, and their replication to the recovery region."""

    unfinished_upload_days: Days = 7
    noncurrent_version_days: Days = 90
    backup_infrequent_access_days: Annotated[int, Field(ge=EARLIEST_INFREQUENT_ACCESS_DAYS, le=3650)] = 30
    backup_expiration_days: Days = 365
    # The copies of logs in S3; those in CloudWatch are kept for exactly 30 days and are no setting (W5.3).
    log_expiration_days: Days = 365
    # Replication Time Control: 99.99 % of objects within 15 minutes, for a price per GB.
    replication_time_control: bool = True
    replicate_delete_markers: bool = True
    replication_lag_alarm_seconds: Annotated[int, Field(ge=60, le=86_400)] = 900

    @model_validator(mode="after")
    def _backups_live_past_their_transition(self) -> StorageSettings:
        if self.backup_expiration_days <= self.backup_infrequent_access_days:
            raise ValueError(
                f"backup_expiration_days: {self.backup_expiration_days} is not allowed; more than "
                f"backup_infrequent_access_days ({self.backup_infrequent_access_days}) is, or nothing is ever moved"
            )
        return self
