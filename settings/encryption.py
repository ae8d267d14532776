"""Customer-managed keys of KMS (W4.4)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.base import SettingsModel


class EncryptionSettings(SettingsModel):
    """Customer-managed keys. Sources: the RotationPeriodInDays and PendingWindowInDays of the KMS API reference."""

    rotation_period_days: Annotated[int, Field(ge=90, le=2560)] = 365
    """Days between automatic rotations of key material; older ciphertexts stay readable."""
    deletion_window_days: Annotated[int, Field(ge=7, le=30)] = 7
    """Days between the scheduling of a key's deletion and the deletion; it can be cancelled meanwhile."""
