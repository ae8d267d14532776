"""What the API's routes share: the limited way to the database, the publisher, metrics, and readiness."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from payments import metrics, repository
from payments.authentication import Authenticator
from payments.limiter import ConcurrencyLimiter
from payments.publisher import Publisher
from payments.queue import Queue
from payments.quotas import Quotas
from payments.repository import Connection, IdempotencyKey, NewPayment, Requester, StoredResponse
from payments.settings import ServiceSettings
from shared.payment_metrics import REQUESTS_SHED, STARTED, Metric

READY_SECONDS = 3.0
"""How long a successful readiness check is valid."""
READINESS_CHECK_SECONDS = 4.0


class Service:
    """One for each process; its methods are for the event loop."""

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        limiter: ConcurrencyLimiter,
        authenticator: Authenticator,
        quotas: Quotas,
        queue: Queue,
        publisher: Publisher | None,
    ) -> None:
        """Without a ``publisher`` the outbox is sent by other processes."""
        self.limiter = limiter
        self.authenticator = authenticator
        self.quotas = quotas
        self._environment = settings.environment_suffix
        self._queue = queue
        self._publisher = publisher
        self._ready_until = 0.0
        self._checking = asyncio.Lock()

    async def create_payment(
        self, by: Requester, new: NewPayment, key: IdempotencyKey, response: StoredResponse
    ) -> tuple[StoredResponse, Mapping[str, Any]]:
        """Store a payment, or find the response to an earlier request with the key.

        Returns:
            The response, and what the request's log line gets: the metric of a payment that is new.
        """
        stored = await self.limiter.run(repository.create_payment, by, new, key, response)
        if stored.replayed:
            return stored, {}
        self._wake_publisher()
        return stored, self._counted(STARTED)

    async def create_operation(self, create: Callable[[Connection], StoredResponse]) -> StoredResponse:
        """Store an operation of a payment, or find the response to an earlier request with its key."""
        stored = await self.limiter.run(create)
        self._wake_publisher()
        return stored

    def shed(self) -> Mapping[str, Any]:
        """What the log line of a request gets that the service is too busy for: a metric."""
        return self._counted(REQUESTS_SHED)

    async def check_ready(self) -> None:
        """Raise whatever keeps payments from being taken. A success is remembered for a few seconds."""
        async with self._checking:
            if time.monotonic() < self._ready_until:
                return
            checks = asyncio.gather(
                self.limiter.run(repository.check_writable),
                asyncio.to_thread(self._queue.check),
                asyncio.to_thread(self.authenticator.peppers.check),
            )
            await asyncio.wait_for(checks, READINESS_CHECK_SECONDS)
            self._ready_until = time.monotonic() + READY_SECONDS

    def _counted(self, metric: Metric) -> Mapping[str, Any]:
        return metrics.embedded(self._environment, {metric: 1})

    def _wake_publisher(self) -> None:
        if self._publisher:
            self._publisher.wake()
