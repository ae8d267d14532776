"""The platform's domain and its hosted zone (W4.2)."""

from __future__ import annotations

from settings.base import SettingsModel
from settings.common import DomainName


class DomainSettings(SettingsModel):
    """The platform's name in DNS."""

    name: DomainName
    """The domain name; load balancers have names below it."""
    create_zone: bool = False
    """Whether the stack creates the hosted zone; if not, it must exist. A new zone must be delegated."""
