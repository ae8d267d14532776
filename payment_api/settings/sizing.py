"""The arithmetic of 10,000 concurrent transactions (P3.4): docs/payment-api-sizing.md shows it, settings must keep it.

A transaction is under way from the moment that API Gateway lets it in until the acquirer's answer is stored. By
Little's law the number under way is the rate at which they come, times the time that each takes.
"""

from __future__ import annotations

from dataclasses import dataclass

from payment_api.settings.entry import GatewaySettings
from payment_api.settings.runtime import DatabaseSettings, ProcessingSettings, ServiceSettings
from settings.common import CONNECTION_SHARE

CONCURRENT_TRANSACTIONS = 10_000
SECONDS_PER_DAY = 86_400
MAX_HEALTHY_PERCENT = 200
"""Tasks that run while a new version is deployed, of those that are wanted: the old ones stay until the new ones do."""
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

    @property
    def problem(self) -> str:
        """A line that says what is not enough, and how much would be."""
        return (
            f"{self.field}: {self.what}: {self.available:g} is not allowed ({self.available_from}); "
            f"{self.needed:g} or more is ({self.needed_from})"
        )


def bounds(
    gateway: GatewaySettings, service: ServiceSettings, processing: ProcessingSettings, database: DatabaseSettings
) -> list[Bound]:
    """Each limit on the way of a transaction, in the order in which it meets them."""
    rate = gateway.requests_per_second
    deploying = service.max_tasks * MAX_HEALTHY_PERCENT // 100
    of_functions = processing.concurrency * processing.connections_per_function
    held = deploying * service.connections_per_task + of_functions
    return [
        Bound(
            field="service.max_tasks",
            what="concurrent requests of all tasks, if all transactions arrive together",
            available=service.max_tasks * service.requests_in_flight_per_task,
            available_from=f"max_tasks {service.max_tasks} x requests_in_flight_per_task "
            f"{service.requests_in_flight_per_task}",
            needed=CONCURRENT_TRANSACTIONS,
            needed_from="every concurrent transaction as an open request",
        ),
        Bound(
            field="service.min_tasks",
            what="concurrent requests of the minimum of tasks, before auto scaling reacts",
            available=service.min_tasks * service.requests_in_flight_per_task,
            available_from=f"min_tasks {service.min_tasks} x requests_in_flight_per_task "
            f"{service.requests_in_flight_per_task}",
            needed=max(rate, gateway.burst_requests),
            needed_from=f"a second of requests_per_second {rate}, or burst_requests {gateway.burst_requests}",
        ),
        Bound(
            field="gateway.requests_per_day_and_client",
            what="requests of a client in a day",
            available=gateway.requests_per_day_and_client,
            available_from=f"requests_per_day_and_client {gateway.requests_per_day_and_client}",
            needed=rate * SECONDS_PER_DAY,
            needed_from=f"requests_per_second {rate} x {SECONDS_PER_DAY} seconds",
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
            what="messages in flight in the functions",
            available=QUEUE_IN_FLIGHT,
            available_from="quota of SQS",
            needed=processing.concurrency * processing.batch_size,
            needed_from=f"concurrency {processing.concurrency} x batch_size {processing.batch_size}",
        ),
        Bound(
            field="database.max_connections",
            what="connections to the writer",
            available=int(database.max_connections * CONNECTION_SHARE),
            available_from=f"{CONNECTION_SHARE:.0%} of max_connections {database.max_connections}",
            needed=held,
            needed_from=f"max_tasks {service.max_tasks} x {MAX_HEALTHY_PERCENT} % in a deployment x "
            f"connections_per_task {service.connections_per_task} "
            f"+ concurrency {processing.concurrency} x connections_per_function "
            f"{processing.connections_per_function}",
        ),
    ]
