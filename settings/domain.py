"""The platform's domain and its hosted zone (W4.2)."""

from __future__ import annotations

from settings.base import SettingsModel
from settings.common import DomainName

# https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html
LONGEST_CERTIFICATE_NAME = 64


def load_balancer_name(domain: str, suffix: str, region: str) -> str:
    """The name of a region's load balancer. It has the suffix, as environments may share a domain."""
    return f"origin-{suffix}-{region}.{domain}"


class DomainSettings(SettingsModel):
    """The platform's name in DNS."""

    name: DomainName
    """The domain name; load balancers have names below it."""
    create_zone: bool = False
    """Whether the stack creates the hosted zone; if not, it must exist. A new zone must be delegated."""
