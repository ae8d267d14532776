"""The arithmetic of 10,000 concurrent transactions (P3.4): docs/payment-api-sizing.md shows it, settings must keep it.

A transaction is under way from the moment that API Gateway lets it in until the acquirer's answer is stored. By
Little's law the number under way is the rate at which they come, times the time that each takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from payment_api.settings.model import Settings

CONCURRENT_TRANSACTIONS = 10_000
CONNECTION_SHARE = 0.8  # the rest is for administration, rotation and failover
# Messages that consumers hold at once. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
QUEUE_IN_FLIGHT = 120_000


@dataclass(frozen=True, kw_only=True)
class Bound:
    """One limit: what there is, what is needed, and the sums that give both."""

    field: str
    what: str
    available: float
    available_from: str
    needed: float
    needed_from: str

    @property
    def holds(self) -> bool:
        """Whether there is as much as is needed."""
        return self.available >= self.needed


def bounds(settings: Settings) -> list[Bound]:
    """Each limit on the way of a transaction, in the order in which it meets them."""
    gateway, service = settings.gateway, settings.service
    processing, database = settings.processing, settings.database
    rate = gateway.requests_per_second
    held = (
        service.maximum_tasks * service.connections_per_task
        + processing.concurrency * processing.connections_per_function
    )
    return [
        Bound(
            field="service.maximum_tasks",
            what="requests that all tasks work on at once, should all transactions arrive together",
            available=service.maximum_tasks * service.requests_in_flight_per_task,
            available_from=f"maximum_tasks {service.maximum_tasks} x requests_in_flight_per_task "
            f"{service.requests_in_flight_per_task}",
            needed=CONCURRENT_TRANSACTIONS,
            needed_from="every concurrent transaction as an open request",
        ),
        Bound(
            field="service.minimum_tasks",
            what="requests that the tasks of a quiet hour take at once, before scaling has begun",
            available=service.minimum_tasks * service.requests_in_flight_per_task,
            available_from=f"minimum_tasks {service.minimum_tasks} x requests_in_flight_per_task "
            f"{service.requests_in_flight_per_task}",
            needed=gateway.requests_per_second,
            needed_from=f"a second of requests_per_second {gateway.requests_per_second}",
        ),
        Bound(
            field="processing.concurrency",
            what="payments a second that the functions process",
            available=processing.concurrency * processing.batch_size / processing.seconds_per_batch,
            available_from=f"concurrency {processing.concurrency} x batch_size {processing.batch_size} / "
            f"seconds_per_batch {processing.seconds_per_batch:g}",
            needed=rate,
            needed_from=f"requests_per_second {rate}, so that the queue does not grow",
        ),
        Bound(
            field="processing.concurrency",
            what="messages that functions may hold at once",
            available=QUEUE_IN_FLIGHT,
            available_from="what SQS allows",
            needed=processing.concurrency * processing.batch_size,
            needed_from=f"concurrency {processing.concurrency} x batch_size {processing.batch_size}",
        ),
        Bound(
            field="database.max_connections",
            what="connections to the writer",
            available=int(database.max_connections * CONNECTION_SHARE),
            available_from=f"{CONNECTION_SHARE:.0%} of max_connections {database.max_connections}",
            needed=held,
            needed_from=f"maximum_tasks {service.maximum_tasks} x connections_per_task {service.connections_per_task} "
            f"+ concurrency {processing.concurrency} x connections_per_function "
            f"{processing.connections_per_function}",
        ),
    ]


def problems(settings: Settings) -> Iterator[str]:
    """A line for each limit that 10,000 concurrent transactions would meet."""
    for bound in bounds(settings):
        if not bound.holds:
            yield (
                f"{bound.field}: {bound.what}: {bound.available:g} is not allowed ({bound.available_from}); "
                f"{bound.needed:g} or more is ({bound.needed_from})"
            )
