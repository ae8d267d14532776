"""Identifiers that sort by creation time."""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID

VERSION_AND_VARIANT = (7 << 76) | (0b10 << 62)
RANDOM_BITS = (0xFFF << 64) | ((1 << 62) - 1)


def new_id(at: datetime) -> UUID:
    """A UUID of version 7 (RFC 9562, 5.7): the millisecond of ``at``, then 74 random bits."""
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=(milliseconds << 80) | VERSION_AND_VARIANT | (secrets.randbits(128) & RANDOM_BITS))
