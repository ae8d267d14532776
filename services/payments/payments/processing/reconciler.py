"""The reconciler: sends what the outbox holds, then takes care of operations that have been pending for too long.

A look-up at the acquirer is always safe, so it is made wherever the message is. To request an operation anew is left to
the queue: the reconciler sends a message again only for an operation with fewer attempts than the queue makes. One with
as many has its message in the dead-letter queue, for a person to decide on. An operation that the acquirer has no
record of after a settled time has failed: nothing was charged.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from payments import logs, publisher, repository
from payments.acquirer.port import Decision, NotFound
from payments.processing.composition import Composition, compose
from payments.processing.processor import Processor, RetryLater, acquirer_request
from payments.processing.settings import ReconciliationSettings
from payments.queue import Queue
from payments.repository import Connection, Operation
from payments.settings import read
from payments.states import OperationStatus
from shared.payment_metrics import OLDEST_PENDING, PENDING, PENDING_AMOUNT, RECONCILED, RECONCILIATION

NOT_KNOWN = "not_known_to_acquirer"
MIN_SECONDS_TO_PUBLISH = 10.0
"""Time left with which another hundred messages of the outbox are sent."""
RUN_SECONDS = 300.0
"""Time of a run from the command line."""


@dataclass
class Report:
    """The result of a run."""

    found: int = 0
    """Overdue operations."""
    results: Counter[str] = field(default_factory=Counter)
    """Operations by result: completed, resent, failed, waiting (nothing to do yet), unknown (the look-up failed),
    not_reached (no time left)."""
    oldest_seconds: float = 0.0
    """Age of the oldest overdue operation."""


class Reconciler:
    """Takes care of overdue operations, with the same processor as the consumers of the queue."""

    def __init__(
        self,
        processor: Processor,
        settings: ReconciliationSettings | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._processor = processor
        self._settings = settings or ReconciliationSettings()
        self._now = now

    async def run(self, seconds_left: Callable[[], float]) -> Report:
        """Take care of the overdue operations.

        Args:
            seconds_left: the time left; without time for a call nothing more is begun.

        Raises:
            psycopg.Error: the database failed; a later run goes on.
        """
        min_age = timedelta(seconds=self._settings.min_age_seconds)
        operations = await self._processor.database.run(repository.list_overdue, min_age, self._settings.max_operations)
        report = Report(len(operations))
        report.oldest_seconds = max((self._age(operation) for operation in operations), default=0.0)
        places = asyncio.Semaphore(self._settings.concurrency)

        async def one(operation: Operation) -> None:
            async with places:
                enough = seconds_left() > self._processor.settings.claim_margin_seconds
                result = await self._reconcile(operation, seconds_left()) if enough else "not_reached"
            report.results[result] += 1

        await asyncio.gather(*(one(operation) for operation in operations))
        self._processor.metrics.add(OLDEST_PENDING, report.oldest_seconds)
        await self._measure_pending()
        return report

    async def _measure_pending(self) -> None:
        """Measure how much money has no decision, wherever its messages are: outbox, queue or dead-letter queue."""
        totals = await self._processor.database.run(repository.total_pending)
        self._processor.metrics.add(PENDING, sum(one.operations for one in totals))
        for one in totals:
            self._processor.metrics.set_amount(PENDING_AMOUNT, one.currency, one.amount)

    def _age(self, operation: Operation) -> float:
        return (self._now() - operation.created_at).total_seconds()

    async def _reconcile(self, operation: Operation, seconds: float) -> str:
        """Look up the decision on an operation, and act on it; returns the result."""
        expired = self._age(operation) >= self._settings.fail_after_seconds
        if not operation.attempts and not expired:
            return await self._resend(operation)  # never requested, so there is no decision to look up
        try:
            claim = await self._processor.claim(operation.id, seconds)
        except RetryLater:
            return "waiting"
        if claim is None:
            return "completed"
        call_seconds = min(self._processor.settings.call_seconds, seconds)
        result = await self._processor.acquirer.look_up(acquirer_request(claim), call_seconds)
        if isinstance(result, Decision):
            await self._processor.store_decision(claim, result)
            self._processor.metrics.add(RECONCILED)
            logs.info("decision found", **_about(operation))
            return "completed"
        if isinstance(result, NotFound) and expired:
            await self._processor.complete(operation, OperationStatus.FAILED, reason=NOT_KNOWN)
            logs.info("failed: the acquirer has no record of it", **_about(operation))
            return "failed"
        delay = timedelta(seconds=self._settings.min_age_seconds)
        cause = "not known" if isinstance(result, NotFound) else result.cause
        await self._processor.database.run(repository.schedule_retry, claim, cause, delay)
        return await self._resend(operation) if isinstance(result, NotFound) else "unknown"

    async def _resend(self, operation: Operation) -> str:
        """Send an operation's message again, if the queue cannot have it any more; returns the result."""
        lost = self._age(operation) >= self._settings.resend_after_seconds
        if not lost or operation.attempts >= self._processor.settings.tries:
            return "waiting"
        delay = timedelta(seconds=self._settings.resend_after_seconds)
        await self._processor.database.run(repository.resend, operation.id, delay)
        logs.info("message sent again", **_about(operation))
        return "resent"


def _about(operation: Operation) -> dict[str, str]:
    return {
        "operation_id": str(operation.id),
        "payment_id": str(operation.payment_id),
        "correlation_id": operation.correlation_id,
    }


async def reconcile(parts: Composition, seconds_left: Callable[[], float]) -> dict[str, int]:
    """Make a whole run: send what the outbox holds, then take care of the overdue operations.

    Args:
        parts: the parts of the process.
        seconds_left: the time left.

    Returns:
        The number of messages sent from the outbox, of overdue operations found, and of these by result.

    Raises:
        psycopg.Error: the database failed; a later run goes on.
    """
    settings = read(ReconciliationSettings)
    if settings.writer_host and settings.writer_host != await parts.processor.database.run(_host):
        logs.info("not reconciled: the writer is in the other region, whose reconciler takes care of it")
        return {}
    sent = await _publish(parts, seconds_left)
    report = await Reconciler(parts.processor, settings).run(seconds_left)
    parts.processor.metrics.flush()
    counts = {"published": sent, "found": report.found, **report.results}
    logs.info("reconciled", **counts, oldest_seconds=round(report.oldest_seconds))
    return counts


async def run_once() -> dict[str, int]:
    """Make a run in a process of its own; see :func:`reconcile`."""
    parts = compose(RECONCILIATION)
    deadline = time.monotonic() + RUN_SECONDS
    try:
        return await reconcile(parts, lambda: deadline - time.monotonic())
    finally:
        await parts.close()


def _host(connection: Connection) -> str:
    """The host of DATABASE_HOST that a connection was made to: the writer's."""
    return connection.info.host


async def _publish(parts: Composition, seconds_left: Callable[[], float]) -> int:
    """Send what no publisher has sent; returns the number of messages."""
    queue = Queue(parts.environment.queue_url, region=parts.environment.aws_region)

    def publish(connection: Connection) -> int:
        return len(publisher.publish(connection, queue))

    sent = 0
    try:
        while seconds_left() > MIN_SECONDS_TO_PUBLISH and (more := await parts.processor.database.run(publish)):
            sent += more
    except (BotoCoreError, ClientError) as error:
        logs.error("outbox not sent", error)  # decisions can be looked up without the queue
    return sent
