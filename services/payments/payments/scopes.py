"""Scopes: what a credential permits."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """A permission of a credential."""

    PAYMENTS_READ = "payments:read"
    PAYMENTS_WRITE = "payments:write"
    REFUNDS_WRITE = "refunds:write"
    EVENTS_MANAGE = "events:manage"
    MERCHANTS_ADMIN = "merchants:admin"
