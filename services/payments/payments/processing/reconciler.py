"""The reconciler: sends what the outbox holds, then takes care of operations that have been pending for too long.

A look-up at the acquirer is always safe, so it is made wherever the message is; it counts as no try. To request an
operation anew is left to the queue: the reconciler sends a lost message again. An operation whose tries are used up has
its message in the dead-letter queue, for a person to decide on, who was paged. It fails only when the acquirer has said
several times, hours apart, that it has no record of it, and in the same run has found an operation that it is known to
have performed: a look-up that finds nothing of anything proves nothing, nor does one by a key that the acquirer may
have forgotten. Where the acquirer has no look-ups, the reconciler sends lost messages again, and the rest is for
notifications, the settlement file or a person. It also lets authorizations expire that the acquirer has released.

What goes wrong with one operation touches no other, and the metrics are written whatever happens.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from psycopg_pool import PoolTimeout

from payments import logs, publisher, repository
from payments.acquirer.port import (
    AcquirerRequest,
    Approved,
    Decision,
    LookUp,
    LookUpResult,
    NotPerformed,
    Promise,
    Unknown,
)
from payments.processing.composition import Composition, compose
from payments.processing.processor import MAX_CAUSE_LENGTH, Processor, RetryLater, acquirer_request
from payments.processing.routing import Router
from payments.processing.settings import ReconciliationSettings
from payments.queue import Queue
from payments.repository import Claim, Connection, Operation
from payments.settings import read
from payments.settlement.files import Bucket
from payments.settlement.formats import FORMATS
from payments.settlement.reader import Reader, SettlementFailed, SettlementSettings
from payments.states import ACQUIRER, OperationStatus
from shared.payment_metrics import (
    OLDEST_PENDING,
    PENDING,
    PENDING_AMOUNT,
    RECONCILED,
    RECONCILER_RUNS,
    RECONCILIATION,
)

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
    suspended (the circuit is open), error (it could not be taken care of), not_reached (no time left)."""
    oldest_seconds: float = 0.0
    """Age of the oldest pending operation."""


class Reconciler:
    """Takes care of overdue operations, with the same processor as the consumers of the queue."""

    def __init__(
        self,
        processor: Processor | Router,
        settings: ReconciliationSettings | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._router = processor if isinstance(processor, Router) else Router({ACQUIRER: processor})
        self._processor = self._router.first
        self._settings = settings or ReconciliationSettings()
        self._now = now
        self._canary = asyncio.Lock()
        self._finds: dict[str, bool] = {}

    async def run(self, seconds_left: Callable[[], float]) -> Report:
        """Take care of the overdue operations.

        Args:
            seconds_left: the time left; without time for a call nothing more is begun.

        Raises:
            psycopg.Error: the database failed; a later run goes on.
        """
        min_age = timedelta(seconds=self._settings.min_age_seconds)
        oldest_seconds = await self._measure_pending()
        await self._expire_authorizations()
        await self._apply_notifications()
        operations = await self._processor.database.run(repository.list_overdue, min_age, self._settings.max_operations)
        report = Report(len(operations), oldest_seconds=oldest_seconds)
        self._finds = {}
        places = asyncio.Semaphore(self._settings.concurrency)

        async def one(operation: Operation) -> None:
            async with places:
                enough = seconds_left() > self._processor.settings.claim_margin_seconds
                result = await self._isolated(operation, seconds_left()) if enough else "not_reached"
            report.results[result] += 1

        await asyncio.gather(*(one(operation) for operation in operations))
        return report

    async def _measure_pending(self) -> float:
        """Measure how much money has no decision, wherever its messages are: outbox, queue or dead-letter queue.

        It is the first thing of a run. Also what is not overdue counts: in an outage each operation is due again and
        again in a while, and its age is what pages.

        Returns:
            The age of the oldest operation, in seconds.
        """
        totals = await self._processor.database.run(repository.total_pending)
        self._processor.metrics.add(PENDING, sum(one.operations for one in totals))
        for one in totals:
            self._processor.metrics.set_amount(PENDING_AMOUNT, one.currency, one.amount)
        oldest_seconds = max((one.oldest_seconds for one in totals), default=0.0)
        self._processor.metrics.add(OLDEST_PENDING, oldest_seconds)
        return oldest_seconds

    async def _expire_authorizations(self) -> None:
        limit = self._settings.max_operations
        if expired := await self._processor.database.run(repository.expire_authorizations, limit):
            logs.info("authorizations expired", number=expired)

    async def _apply_notifications(self) -> None:
        """Apply what no consumer has: of operations that were decided before, or whose message is lost."""
        min_age = timedelta(seconds=self._settings.min_notification_seconds)
        limit = self._settings.max_operations
        for one in await self._processor.database.run(repository.list_notified, min_age=min_age, limit=limit):
            try:
                await self._processor.apply(one)
            except Exception as error:  # noqa: BLE001 - it is of this notification alone
                logs.error("notification not applied", error, acquirer_key=str(one.notification.key))

    def _age(self, operation: Operation) -> float:
        return (self._now() - operation.created_at).total_seconds()

    async def _isolated(self, operation: Operation, seconds: float) -> str:
        """Take care of an operation; returns the result. What goes wrong is of this operation alone."""
        try:
            return await self._reconcile(operation, seconds)
        except Exception as error:  # noqa: BLE001 - whatever it is
            logs.error("not reconciled", error, **_about(operation))
        with suppress(psycopg.Error, PoolTimeout):  # it does not stand in front of others in the next run
            await self._schedule_look_up(operation, "not reconciled")
        return "error"

    async def _reconcile(self, operation: Operation, seconds: float) -> str:
        """Look up the decision on an operation, and act on it; returns the result."""
        processor = self._router.of(operation)
        if await processor.open_for_seconds():
            return "suspended"  # nothing can be found out, and what is sent again would only wait in the queue
        if not operation.attempts:
            return await self._resend(operation)  # never requested, so there is no decision to look up
        if not processor.acquirer.capabilities.can_look_up:
            await self._schedule_look_up(operation, "no look-up")
            return await self._resend(operation)
        try:
            claim = await processor.claim(operation.id, seconds, to_look_up=True)
        except RetryLater:
            return "waiting"
        if claim is None:
            return "completed"
        return await self._look_up(processor, claim, seconds)

    async def _look_up(self, processor: Processor, claim: Claim, seconds: float) -> str:
        operation = claim.operation
        result = await self._call(processor, acquirer_request(claim), seconds)
        if isinstance(result, Decision):
            await processor.store_decision(operation, result)
            processor.metrics.add(RECONCILED)
            logs.info("decision found", **_about(operation))
            return "completed"
        if isinstance(result, Promise):
            await processor.store_promise(claim, result)
            await self._schedule_look_up(operation, "decided later")
            return "waiting"
        if isinstance(result, Unknown) or operation.awaiting or not _proves(processor, claim):
            await self._schedule_look_up(operation, result.cause if isinstance(result, Unknown) else "not known")
            return "unknown" if operation.awaiting or isinstance(result, Unknown) else await self._resend(operation)
        if self._may_fail(operation) and await self._finds_what_is_known(processor, seconds):
            await processor.complete(operation, OperationStatus.FAILED, reason=NOT_KNOWN)
            logs.info("failed: the acquirer has no record of it", **_about(operation))
            return "failed"
        await self._schedule_look_up(operation, "not known", not_found=True)
        return await self._resend(operation)

    @staticmethod
    async def _call(processor: Processor, request: AcquirerRequest, seconds: float) -> LookUpResult:
        """Look an operation up, and tell the circuit how that went."""
        call_seconds = min(processor.settings.call_seconds, seconds)
        result = await processor.acquirer.look_up(request, call_seconds)
        if isinstance(result, NotPerformed | Unknown):
            await processor.report(result)
        else:
            await processor.circuit.served()
        return result

    async def _schedule_look_up(self, operation: Operation, cause: str, *, not_found: bool = False) -> None:
        seconds = min(self._age(operation) / 8, self._settings.max_look_up_seconds)
        delay = timedelta(seconds=max(seconds, self._settings.min_age_seconds))
        cause = cause[:MAX_CAUSE_LENGTH]
        await self._processor.database.run(repository.schedule_look_up, operation.id, cause, delay, not_found=not_found)

    def _may_fail(self, operation: Operation) -> bool:
        """Whether nobody will request an operation again, and the acquirer has denied it often enough."""
        return (
            operation.tries >= self._processor.settings.tries
            and self._age(operation) >= self._settings.fail_after_seconds
            and operation.times_not_found >= self._settings.times_not_found
        )

    async def _finds_what_is_known(self, processor: Processor, seconds: float) -> bool:
        """Whether the acquirer finds, in this run, an operation that it is known to have performed."""
        async with self._canary:
            if processor.name not in self._finds:
                self._finds[processor.name] = False
                if found := await processor.database.run(repository.latest_succeeded, processor.name):
                    known, currency = found
                    request = AcquirerRequest(
                        key=known.acquirer_key, kind=known.kind, amount=known.amount, currency=currency
                    )
                    self._finds[processor.name] = isinstance(await self._call(processor, request, seconds), Approved)
            return self._finds[processor.name]

    async def _resend(self, operation: Operation) -> str:
        """Send an operation's message again, if the queue cannot have it any more; returns the result."""
        due_seconds = (self._now() - operation.next_attempt_at).total_seconds()
        lost = due_seconds >= self._settings.resend_after_seconds
        if not lost or operation.awaiting or operation.tries >= self._processor.settings.tries:
            return "waiting"
        delay = timedelta(seconds=self._settings.resend_after_seconds)
        await self._processor.database.run(repository.resend, operation.id, delay)
        logs.info("message sent again", **_about(operation))
        return "resent"


def _proves(processor: Processor, claim: Claim) -> bool:
    """Whether the acquirer would still know the operation, had it performed it."""
    can, since = processor.acquirer.capabilities, claim.may_be_known_since
    return can.look_up is LookUp.BY_REFERENCE or since is None or can.remembers(claim.claimed_at - since)


def _about(operation: Operation) -> dict[str, str]:
    return {
        "operation_id": str(operation.id),
        "payment_id": str(operation.payment_id),
        "correlation_id": operation.correlation_id,
    }


async def reconcile(parts: Composition, seconds_left: Callable[[], float]) -> dict[str, int]:
    """Make a whole run: send what the outbox holds, take care of the overdue operations, read settlement files.

    Args:
        parts: the parts of the process.
        seconds_left: the time left.

    Returns:
        The number of messages sent from the outbox, of overdue operations found, of these by result, and of settlement
        files read.

    Raises:
        psycopg.Error: the database failed; a later run goes on.
        payments.settlement.reader.SettlementFailed, botocore.exceptions.BotoCoreError,
        botocore.exceptions.ClientError: settlement files could not be read, after all else was done.
    """
    settings = read(ReconciliationSettings)
    try:
        if settings.writer_host and settings.writer_host != await parts.processor.database.run(_host):
            logs.info("not reconciled: the writer is in the other region, whose reconciler takes care of it")
            return {}
        sent = await _publish(parts, seconds_left)
        report = await Reconciler(parts.router, settings).run(seconds_left)
        settled = await _settle(parts, seconds_left)
    finally:
        parts.processor.metrics.flush()
        parts.processor.metrics.beat(RECONCILER_RUNS)  # also of the one that stands by: silence pages in either region
    counts = {"published": sent, "found": report.found, **report.results, **settled}
    logs.info("reconciled", **counts, oldest_seconds=round(report.oldest_seconds))
    return counts


async def _settle(parts: Composition, seconds_left: Callable[[], float]) -> dict[str, int]:
    """Read the settlement files that are new, of each acquirer, where there is a bucket of them."""
    settings = read(SettlementSettings)
    if settings.bucket is None:
        return {}
    forms = {ACQUIRER: (settings.prefix, settings.format)} | {
        name: (one.settlement_prefix, one.settlement_format)
        for name, one in parts.routing.acquirers.items()
        if one.settlement_prefix
    }
    prefixes = [prefix for prefix, _ in forms.values()]
    if any(one != other and one.startswith(other) for one in prefixes for other in prefixes):
        raise SettlementFailed("the files of one acquirer are below the prefix of another")
    files, failed = 0, []
    for name, (prefix, form) in forms.items():
        bucket = Bucket(settings.bucket, prefix=prefix, region=parts.environment.aws_region)
        reader = Reader(parts.router.processors[name], bucket, FORMATS[form], acquirer=name)
        try:
            files += await reader.run(seconds_left)
        except SettlementFailed as error:  # the others' files are read
            failed.append(str(error))
    if failed:
        raise SettlementFailed(", ".join(failed))
    return {"settlement_files": files}


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
