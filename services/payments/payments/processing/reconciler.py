"""Looks after operations that nobody has answered: an answer that was lost is found, a message that was lost is sent.

A look-up is always safe, so it is made whatever has become of the message. To ask anew is the queue's affair: the
reconciler sends a message again only for an operation that was tried less often than the queue would have tried it; one
that was tried as often as that lies in the dead letters, for a person to decide. What the acquirer does not know of
after the settled time has failed, and nothing was taken.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from payments import logs, metrics, repository
from payments.acquirer.port import Answer, NotKnown
from payments.processing.processor import Again, Processor, demand_of
from payments.processing.settings import ReconciliationSettings
from payments.repository import Operation
from payments.states import Progress

NOT_KNOWN = "not_known_to_acquirer"


@dataclass
class Report:
    """What a run has done: by what it came to, the number of operations."""

    found: int = 0
    """Operations without an answer that were due."""
    results: Counter[str] = field(default_factory=Counter)
    """answered, sent_again, failed, waiting (nothing to do yet), unknown (the acquirer could not say), not_reached."""
    oldest_seconds: float = 0.0


class Reconciler:
    """Made from the same processor as those who process messages."""

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

    async def run(self, seconds: Callable[[], float]) -> Report:
        """Look after what is due.

        Args:
            seconds: how much time is left; without time for a call nothing more is begun.

        Raises:
            psycopg.Error: the database failed; a later run goes on.
        """
        settings = self._settings
        before = timedelta(seconds=settings.asked_before_seconds)
        operations = await self._processor.database.run(repository.unsettled, before, settings.most_operations)
        report = Report(found=len(operations))
        report.oldest_seconds = max((self._age(one) for one in operations), default=0.0)
        places = asyncio.Semaphore(settings.at_once)

        async def one(operation: Operation) -> None:
            async with places:
                result = await self._look_after(operation, seconds()) if seconds() > self._least else "not_reached"
            report.results[result] += 1

        await asyncio.gather(*(one(operation) for operation in operations))
        self._processor.measures.add(metrics.OLDEST_UNSETTLED, report.oldest_seconds)
        await self._measure_what_is_left()
        return report

    async def _measure_what_is_left(self) -> None:
        """How much money is under way without an answer, wherever its messages are: outbox, queue or dead letters."""
        left = await self._processor.database.run(repository.at_risk)
        self._processor.measures.add(metrics.UNSETTLED, sum(one.operations for one in left))
        for one in left:
            self._processor.measures.amount(metrics.AMOUNT_AT_RISK, one.currency, one.amount)

    @property
    def _least(self) -> float:
        return self._processor.settings.claim_margin_seconds

    def _age(self, operation: Operation) -> float:
        return (self._now() - operation.created_at).total_seconds()

    async def _look_after(self, operation: Operation, seconds: float) -> str:
        """What has come of an operation."""
        overdue = self._age(operation) >= self._settings.give_up_seconds
        if not operation.attempts and not overdue:
            return await self._send_again(operation)  # nobody has asked, so nobody has an answer
        try:
            claim = await self._processor.claim(operation.id, seconds)
        except Again:
            return "waiting"
        if claim is None:
            return "answered"
        calls = min(self._processor.settings.call_seconds, seconds)
        found = await self._processor.acquirer.look_up(demand_of(claim), calls)
        if isinstance(found, Answer):
            await self._processor.settle(claim, found)
            self._processor.measures.add(metrics.RECONCILED)
            logs.info("answer found", **_about(operation))
            return "answered"
        if isinstance(found, NotKnown) and overdue:
            await self._processor.store(operation, Progress.FAILED, reason=NOT_KNOWN)
            logs.info("given up: the acquirer does not know of it", **_about(operation))
            return "failed"
        delay = timedelta(seconds=self._settings.asked_before_seconds)
        cause = "not known" if isinstance(found, NotKnown) else found.cause
        await self._processor.database.run(repository.postpone, claim, cause, delay)
        return await self._send_again(operation) if isinstance(found, NotKnown) else "unknown"

    async def _send_again(self, operation: Operation) -> str:
        """Send an operation's message again, if the queue cannot have it any more."""
        lost = self._age(operation) >= self._settings.send_again_seconds
        if not lost or operation.attempts >= self._processor.settings.tries:
            return "waiting"
        delay = timedelta(seconds=self._settings.send_again_seconds)
        await self._processor.database.run(repository.send_again, operation.id, delay)
        logs.info("sent again", **_about(operation))
        return "sent_again"


def _about(operation: Operation) -> dict[str, str]:
    return {
        "operation_id": str(operation.id),
        "payment_id": str(operation.payment_id),
        "correlation_id": operation.correlation_id,
    }
