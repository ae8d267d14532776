"""The cache of the edge: responses by distribution and cache key, for as long as headers, policy and errors say.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HTTPStatusCodes.html
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from emulator.runtime.edge.distribution import Behavior, Distribution
from emulator.runtime.forwarding import Answer

CACHED_ERRORS = {404, 414, 500, 501, 502, 503, 504}
"""Errors that are always cached, for ten seconds unless the distribution says otherwise, whatever their headers say."""
CACHED_IF_TOLD = {400, 403, 405}
"""Errors that are cached where Cache-Control has a maximum age."""
FIRST_ERROR = 400
NOT_WHOLE = 206
DEFAULT_ERROR_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class _Kept:
    answer: Answer
    path: str
    at: float
    until: float


class Cache:
    """Responses that are kept."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[Any, ...], _Kept] = {}

    def find(self, distribution: Distribution, key: tuple[Any, ...]) -> Answer | None:
        """A fresh response, with its age."""
        now = time.monotonic()
        with self._lock:
            found = self._kept.get((distribution.id, *key))
        if found is None or found.until <= now:
            return None
        age = ("Age", str(int(now - found.at)))
        return Answer(status=found.answer.status, headers=(*found.answer.headers, age), body=found.answer.body)

    def keep(self, distribution: Distribution, key: tuple[Any, ...], path: str, answer: Answer, seconds: float) -> None:
        """Keep a response for so many seconds; it replaces one before."""
        now = time.monotonic()
        if seconds > 0:
            with self._lock:
                self._kept[distribution.id, *key] = _Kept(answer=answer, path=path, at=now, until=now + seconds)

    def invalidate(self, distribution_id: str, matches: Callable[[str], bool]) -> None:
        """Forget what is kept of a distribution for these paths."""
        with self._lock:
            for key, kept in list(self._kept.items()):
                if key[0] == distribution_id and matches(kept.path):
                    del self._kept[key]


CACHE = Cache()
"""The one of this process."""


def seconds_to_keep(distribution: Distribution, behavior: Behavior, answer: Answer) -> float:
    """For how long a response is kept."""
    headers = {name.lower(): value for name, value in answer.headers}
    told = _told_seconds(headers)
    if answer.status >= FIRST_ERROR:
        return _seconds_of_error(distribution, answer.status, told)
    policy = behavior.policies.cache
    least, most = int(policy["MinTTL"]), int(policy.get("MaxTTL", 31_536_000))
    if re.search(r"\b(no-cache|no-store|private)\b", headers.get("cache-control", "")):
        return 0 if answer.status == NOT_WHOLE else least
    wanted = int(policy.get("DefaultTTL", 86_400)) if told is None else told
    return 0 if answer.status == NOT_WHOLE else max(least, min(wanted, most))


def _told_seconds(headers: dict[str, str]) -> float | None:
    directives = headers.get("cache-control", "")
    for name in ("s-maxage", "max-age"):
        if found := re.search(rf"\b{name}=(\d+)", directives):
            return float(found[1])
    if "expires" in headers:
        try:
            return max(0.0, parsedate_to_datetime(headers["expires"]).timestamp() - time.time())
        except ValueError:
            return 0.0
    return None


def _seconds_of_error(distribution: Distribution, status: int, told: float | None) -> float:
    """https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/custom-error-pages-expiration.html."""
    if status not in CACHED_ERRORS and (status not in CACHED_IF_TOLD or told is None):
        return 0
    custom = distribution.error_response(status)
    least = custom.get("ErrorCachingMinTTL") if custom else None
    return max(float(DEFAULT_ERROR_SECONDS if least is None else least), told or 0)
