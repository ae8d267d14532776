"""What a month may cost before somebody is told (W9.1)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.base import EmailAddresses, SettingsModel

# https://docs.aws.amazon.com/cost-management/latest/userguide/management-limits.html
MOST_ADDRESSES = 10


class BudgetSettings(SettingsModel):
    """What a month may cost, of what bears the environment's tag; see docs/cost.md for what AWS needs to know it."""

    monthly_usd: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """USD a month; none makes no budget. `make estimate` says what a month costs before anything is used."""
    first_alert_percent: Annotated[int, Field(ge=1, le=99)] = 80
    """Percent of it that may be spent before the first word; more follow when it is spent, or forecast to be."""
    email_addresses: Annotated[EmailAddresses, Field(max_length=MOST_ADDRESSES)] = ()
    """Who is told beside those of alarm_email_addresses, as the people of finance are no people on call."""
