"""Monthly budget and its notifications (W9.1)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.base import EmailAddresses, SettingsModel

# https://docs.aws.amazon.com/cost-management/latest/userguide/management-limits.html
MOST_ADDRESSES = 10


class BudgetSettings(SettingsModel):
    """Monthly budget of resources with the environment's tag; docs/cost.md says how to activate the tag."""

    monthly_usd: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Monthly budget in USD; without one no budget is created. `make estimate` calculates the cost before use."""
    first_alert_percent: Annotated[int, Field(ge=1, le=99)] = 80
    """Share of the budget, in percent, at which the first notification is sent; more at 100 and on a forecast."""
    email_addresses: Annotated[EmailAddresses, Field(max_length=MOST_ADDRESSES)] = ()
    """Recipients of budget notifications in addition to alarm_email_addresses, such as finance."""
