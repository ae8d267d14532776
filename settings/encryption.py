"""Customer-managed keys of KMS (W4.4)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.base import SettingsModel


class EncryptionSettings(SettingsModel):
    """Customer-managed keys. Sources: the RotationPeriodInDays and PendingWindowInDays of the KMS API reference."""

    rotation_period_days: Annotated[int, Field(ge=90, le=2560)] = 365
    """Days after which KMS makes new key material; what was encrypted before stays readable."""
    deletion_window_days: Annotated[int, Field(ge=7, le=30)] = 7
    """Days between the destruction of a key and its deletion, in which it can still be saved."""
