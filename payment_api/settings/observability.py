"""Logs and alarms of the payment API (P5)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from settings.base import SettingsModel


class ObservabilitySettings(SettingsModel):
    """Logs and alarms (P5)."""

    log_retention_days: Literal[30, 60, 90, 180, 365, 400] = 90
    """Days that logs are kept which are no audit logs; those are kept for exactly 7 years."""
    min_success_percent: Annotated[float, Field(gt=0, lt=100)] = 99.0
    """The share of transactions that succeed, below which there is an alarm."""
    max_p99_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    """The processing time that 99 of 100 transactions keep; beyond it there is an alarm."""
