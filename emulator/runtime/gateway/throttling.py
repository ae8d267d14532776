"""Rates and quotas: a token bucket for each stage and each key, and a key's requests of a day.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime


@dataclass
class _Bucket:
    tokens: float
    at: float = field(default_factory=time.monotonic)


class Limits:
    """What has been used."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}
        self._days: dict[tuple[str, date], int] = {}
        self._lock = threading.Lock()

    def admits(self, name: str, rate: float, burst: int) -> bool:
        """Take a token of a bucket that holds ``burst`` and gains ``rate`` a second; no rate is no limit."""
        if not rate:
            return True
        with self._lock:
            bucket = self._buckets.setdefault(name, _Bucket(tokens=float(burst)))
            now = time.monotonic()
            bucket.tokens = min(float(burst), bucket.tokens + (now - bucket.at) * rate)
            bucket.at = now
            if bucket.tokens < 1:
                return False
            bucket.tokens -= 1
            return True

    def counts(self, key: str, quota: int) -> bool:
        """Count a request of a key; False where it is over the quota of the day."""
        today = datetime.now(UTC).date()
        with self._lock:
            used = self._days.get((key, today), 0)
            if quota and used >= quota:
                return False
            self._days[key, today] = used + 1
            return True

    def used(self, key: str, day: date) -> int:
        """The requests of a key on a day."""
        with self._lock:
            return self._days.get((key, day), 0)


LIMITS = Limits()
"""Those of this process."""
