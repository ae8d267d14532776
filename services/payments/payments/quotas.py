"""Quotas of each merchant, so that no merchant starves the others: a request rate, and a share of the connections.

Both limits apply in each process by itself: nothing is shared between processes, over which the load balancer spreads
the requests of every merchant. A request above a limit gets a 429 and uses no connection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from uuid import UUID

from payments.problems import ApiError


@dataclass(frozen=True)
class Quota:
    """The quota of each merchant in a process."""

    requests_per_second: float
    burst: int
    """The burst: requests accepted at once after a pause."""
    running: int
    """Requests handled at the same time."""
    waiting: int
    """Requests that may wait for one of those to end."""
    max_wait_seconds: float


class TooManyRequests(ApiError):
    """The merchant has exceeded its quota."""

    def __init__(self, seconds: float) -> None:
        """``seconds`` until a retry can succeed."""
        detail = "The merchant sends more requests than it may; retry later with the same Idempotency-Key."
        headers = {"Retry-After": str(max(1, ceil(seconds)))}
        super().__init__("too-many-requests", HTTPStatus.TOO_MANY_REQUESTS, detail, headers=headers)


class _Account:
    """The use of a merchant's quota."""

    def __init__(self, quota: Quota, now: float) -> None:
        self.tokens, self.filled_at = float(quota.burst), now
        self.free_places = quota.waiting
        self.running = asyncio.Semaphore(quota.running)


class Quotas:
    """Enforces the quota of each merchant; its methods are for the event loop."""

    def __init__(self, quota: Quota, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._quota = quota
        self._clock = clock
        self._accounts: dict[UUID, _Account] = {}

    @asynccontextmanager
    async def place(self, merchant_id: UUID) -> AsyncIterator[None]:
        """Handle a request of a merchant within the block.

        Raises:
            TooManyRequests: the merchant has exceeded its quota.
        """
        account = self._accounts.get(merchant_id)
        if account is None:
            account = self._accounts[merchant_id] = _Account(self._quota, self._clock())
        self._take_token(account)
        await self._acquire(account)
        try:
            yield
        finally:
            account.running.release()

    def _take_token(self, account: _Account) -> None:
        quota, now = self._quota, self._clock()
        grown = account.tokens + (now - account.filled_at) * quota.requests_per_second
        account.tokens, account.filled_at = min(grown, quota.burst), now
        if account.tokens < 1:
            raise TooManyRequests((1 - account.tokens) / quota.requests_per_second)
        account.tokens -= 1

    async def _acquire(self, account: _Account) -> None:
        if not account.running.locked():
            await account.running.acquire()
            return
        if not account.free_places:
            raise TooManyRequests(1.0)
        account.free_places -= 1
        try:
            await asyncio.wait_for(account.running.acquire(), self._quota.max_wait_seconds)
        except TimeoutError:
            raise TooManyRequests(1.0) from None
        finally:
            account.free_places += 1
