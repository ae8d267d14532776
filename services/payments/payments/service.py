"""What the API's routes share: the limited way to the database, the publisher, metrics, and readiness."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from payments import metrics, repository
from payments.acquirer.adyen import AdyenNotifications
from payments.acquirer.notification_keys import NotificationKeys
from payments.acquirer.notifications import Notifications, PlainNotifications
from payments.authentication import Authenticator
from payments.limiter import ConcurrencyLimiter
from payments.publisher import Publisher
from payments.queue import Queue
from payments.quotas import Quotas
from payments.repository import Connection, IdempotencyKey, NewPayment, Requester, StoredResponse
from payments.settings import ServiceSettings
from shared.payment_metrics import STARTED, Metric

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
        notification_keys: NotificationKeys | None = None,
    ) -> None:
        """Without a ``publisher`` the outbox is sent by other processes; without keys no notification is taken."""
        self.notification_keys = notification_keys
        self._acquirer = settings.acquirer_api, settings.acquirer_merchant_account
        self.limiter = limiter
        self.authenticator = authenticator
        self.quotas = quotas
        self._environment = settings.environment_suffix
        self._queue = queue
        self._publisher = publisher
        self._ready_until = 0.0
        self._checking = asyncio.Lock()

    def notifications(self, keys: Sequence[bytes]) -> Notifications:
        """The notifications of the acquirer, verified by these keys."""
        api, account = self._acquirer
        return AdyenNotifications(keys, account) if api == "adyen" else PlainNotifications(keys)

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
        self.wake_publisher()
        return stored, self.counted(STARTED)

    async def create_operation(self, create: Callable[[Connection], StoredResponse]) -> StoredResponse:
        """Store an operation of a payment, or find the response to an earlier request with its key."""
        stored = await self.limiter.run(create)
        self.wake_publisher()
        return stored

    def counted(self, metric: Metric) -> Mapping[str, Any]:
        """What a request's log line gets so that the request is counted by a metric."""
        return metrics.embedded(self._environment, {metric: 1})

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

    def wake_publisher(self) -> None:
        """Have the outbox sent soon."""
        if self._publisher:
            self._publisher.wake()
