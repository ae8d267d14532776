"""Alarm thresholds, notification and paging (W5.2)."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from settings.base import EmailAddresses, Rule, SettingsModel, each_once, matching

A_PLACE = "an https address without user, query and fragment is allowed, such as https://example.com/pages"


def _https(text: str) -> str:
    """Refuse a secret in an address, as it would be in plan and state."""
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or not text.isprintable() or " " in text:
        raise ValueError(A_PLACE)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(A_PLACE)
    return text


HttpsAddress = Annotated[str, Rule(_https, A_PLACE)]
Percent = Annotated[float, Field(gt=0, le=100)]


class ObservabilitySettings(SettingsModel):
    """Alarm thresholds that a person must choose, and the addresses that are paged.

    docs/runbooks/alarms.md explains each alarm. Thresholds that follow from other settings are derived.
    """

    paging_email_addresses: EmailAddresses = ()
    """E-mail addresses that are paged, in all regions; each must confirm its subscription."""
    paging_addresses: Annotated[tuple[HttpsAddress, ...], Field(strict=False), AfterValidator(each_once)] = ()
    """Where pages are sent by HTTPS, to a service that confirms the subscription by itself.

    The address is in plan and state, so it may hold no secret.
    """
    runbooks: Annotated[
        str, matching(r"[A-Za-z0-9][!-~]{0,199}", "a path or address of up to 200 plain characters is allowed")
    ] = "docs/runbooks"
    """Prefix of an alarm's link to its runbook; the URL of your repository makes it clickable."""
    max_5xx_percent: Percent = 5.0
    """The share of requests that end in a server error, at a load balancer or at the edge, beyond which it alarms."""
    max_blocked_percent: Percent = 20.0
    """Share of requests that the edge's web ACL blocks, beyond which it alarms: an attack, or a wrong rule."""
    max_origin_blocked_percent: Percent = 5.0
    """The share of requests that a load balancer's web ACL blocks, beyond which it alarms: normally none is."""
    max_p99_seconds: Annotated[float, Field(gt=0, le=60)] = 3.0
    """Highest p99 response time of a load balancer before it alarms."""
    min_success_percent: Annotated[float, Field(ge=1, le=99.9)] = 90.0
    """The share of payments that succeed, of those that ended; refusals of cards count as failures."""
    max_processing_p99_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Highest p99 time from acceptance of a payment to the acquirer's answer before it alarms."""
    max_unsettled_age_seconds: Annotated[int, Field(ge=300, le=86_400)] = 1800
    """Age of the oldest unsettled payment at which it alarms."""
    max_message_age_seconds: Annotated[int, Field(ge=60, le=86_400)] = 900
    """Age of a queue's oldest message at which it alarms."""
    certificate_days: Annotated[int, Field(ge=1, le=59)] = 30
    """Days before a certificate's expiry at which it alarms; ACM renews 60 days before."""
    anomaly_deviations: Annotated[float, Field(ge=1, le=10)] = 3.0
    """Width of the anomaly detection band, in standard deviations: a narrower one alarms more often."""
