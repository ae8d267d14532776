"""The platform's domain and its hosted zone (W4.2)."""

from __future__ import annotations

from typing import Annotated

from settings.base import SettingsModel, matching


class DomainSettings(SettingsModel):
    """The platform's name in DNS."""

    name: Annotated[
        str,
        matching(
            r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", "a domain name is allowed, such as pay.example.com"
        ),
    ]
    """The domain that customers use; load balancers have names below it."""
    create_zone: bool = False
    """Whether the stack makes the hosted zone of this name; if not, it exists. A new one must be delegated to."""
