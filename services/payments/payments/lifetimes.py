"""How long the service keeps rows that are of no payment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Lifetimes:
    """How long rows are kept."""

    idempotency_keys: timedelta
    audit_months: int
