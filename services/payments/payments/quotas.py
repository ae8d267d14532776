"""Quotas, so that nobody starves the others: of each merchant, and of each client address.

A merchant has a request rate and a share of the connections; for an address so many unknown credentials are looked up.
They apply in each process by itself: nothing is shared between processes, over which the load balancer spreads the
requests of every merchant. A request above a limit gets a 429 and uses no connection. A merchant's 429 comes late: each
refusal takes as much of the processor as a request's parsing does, and a client that asks again at once, whatever
Retry-After says, would take it from the others.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from uuid import UUID

from payments.problems import ApiError

TOO_MANY_OF_MERCHANT = "The merchant sends more requests than it may; retry later with the same Idempotency-Key."
TOO_MANY_UNKNOWN = "The address has sent too many credentials that are not valid; retry later."


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
    refusal_seconds: float = 0.0
    """How long a refusal is withheld."""


MAX_WITHHELD = 1000
"""Refusals that a process withholds at once; any more are sent at once, so that they cannot fill its memory."""
MAX_ADDRESSES = 10_000
"""Addresses whose look-ups a process remembers; the one that was heard of first is forgotten for a new one."""
IPV6_SITE_BITS = 64
"""Addresses of IPv6 that begin alike are one client's: it gets that many at once."""


class TooManyRequests(ApiError):
    """The caller has exceeded its quota."""

    def __init__(self, seconds: float, detail: str = TOO_MANY_OF_MERCHANT) -> None:
        """``seconds`` until a retry can succeed."""
        headers = {"Retry-After": str(max(1, ceil(seconds)))}
        super().__init__("too-many-requests", HTTPStatus.TOO_MANY_REQUESTS, detail, headers=headers)


class _Bucket:
    """A token bucket: a burst, which fills up again at a rate."""

    def __init__(self, *, per_second: float, burst: int, now: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._tokens, self._filled_at = float(burst), now

    def take(self, now: float, detail: str) -> None:
        """Take a token.

        Raises:
            TooManyRequests: there is none.
        """
        grown = self._tokens + (now - self._filled_at) * self._per_second
        self._tokens, self._filled_at = min(grown, self._burst), now
        if self._tokens < 1:
            raise TooManyRequests((1 - self._tokens) / self._per_second, detail)
        self._tokens -= 1

    def give_back(self) -> None:
        """Give a token back that was not needed."""
        self._tokens = min(self._tokens + 1, self._burst)


class LookupQuotas:
    """Bounds the look-ups of unknown credentials by client address, so that guessed keys cost few queries.

    A credential that is found counts for nothing, and what the process has found before is not held up.
    """

    def __init__(self, *, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        """``burst`` unknown credentials of an address are looked up at once, then ``per_second``."""
        self._per_second, self._burst = per_second, burst
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, address: str) -> Callable[[], None]:
        """Count a look-up for an address; returns what takes that back, where the credential was found.

        Raises:
            TooManyRequests: the address has used up its look-ups.
        """
        bucket = self._bucket(_site(address))
        bucket.take(self._clock(), TOO_MANY_UNKNOWN)
        return bucket.give_back

    def _bucket(self, site: str) -> _Bucket:
        found = self._buckets.get(site)
        if found is None:
            while len(self._buckets) >= MAX_ADDRESSES:
                self._buckets.pop(next(iter(self._buckets)))
            found = _Bucket(per_second=self._per_second, burst=self._burst, now=self._clock())
            self._buckets[site] = found
        return found


def _site(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, IPV6_SITE_BITS), strict=False))
    return str(found)


class _Account:
    """The use of a merchant's quota."""

    def __init__(self, quota: Quota, now: float) -> None:
        self.bucket = _Bucket(per_second=quota.requests_per_second, burst=quota.burst, now=now)
        self.free_places = quota.waiting
        self.running = asyncio.Semaphore(quota.running)


class Quotas:
    """Enforces the quota of each merchant; its methods are for the event loop."""

    def __init__(self, quota: Quota, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._quota = quota
        self._clock = clock
        self._accounts: dict[UUID, _Account] = {}
        self._withheld = 0

    @asynccontextmanager
    async def place(self, merchant_id: UUID) -> AsyncIterator[None]:
        """Handle a request of a merchant within the block.

        Raises:
            TooManyRequests: the merchant has exceeded its quota.
        """
        account = self._accounts.get(merchant_id)
        if account is None:
            account = self._accounts[merchant_id] = _Account(self._quota, self._clock())
        try:
            account.bucket.take(self._clock(), TOO_MANY_OF_MERCHANT)
            await self._acquire(account)
        except TooManyRequests:
            await self._withhold()
            raise
        try:
            yield
        finally:
            account.running.release()

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

    async def _withhold(self) -> None:
        if self._withheld >= MAX_WITHHELD:
            return
        self._withheld += 1
        try:
            await asyncio.sleep(self._quota.refusal_seconds)
        finally:
            self._withheld -= 1
