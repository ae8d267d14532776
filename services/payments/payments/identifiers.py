"""Identifiers: those that sort by creation time, and those that are made of what a merchant has sent."""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID, uuid5

ACQUIRER_KEYS = UUID("5b0c6f0e-6c0f-5a53-9f0e-0d3f6c1f5a10")
"""The namespace of acquirer keys. It never changes: a key that does is a second charge."""
VERSION_AND_VARIANT = (7 << 76) | (0b10 << 62)
RANDOM_BITS = (0xFFF << 64) | ((1 << 62) - 1)


def new_id(at: datetime) -> UUID:
    """A UUID of version 7 (RFC 9562, 5.7): the millisecond of ``at``, then 74 random bits."""
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=(milliseconds << 80) | VERSION_AND_VARIANT | (secrets.randbits(128) & RANDOM_BITS))


def lowest_id(at: datetime) -> UUID:
    """The lowest identifier of the millisecond of ``at``: those of :func:`new_id` since then are not lower."""
    return UUID(int=(int(at.timestamp() * 1000) << 80) | VERSION_AND_VARIANT)


def acquirer_key(merchant_id: UUID, kind: str, idempotency_key: str) -> UUID:
    """The acquirer's idempotency key of an operation: a UUID of version 5 (RFC 9562, 5.5) of what its merchant sent.

    A merchant that repeats a request meets the same charge at the acquirer, even where the database has lost every row
    of it, by a failover or a restore.
    """
    return uuid5(ACQUIRER_KEYS, f"{merchant_id}/{kind}/{idempotency_key}")
