"""Processes one operation: claims it in the database, asks the acquirer, and stores the answer.

Whatever ends between two of these steps, nothing is lost and nothing is done twice: the claim says who may ask, and
ends by itself; the operation's id is the acquirer's idempotency key; a try after the first looks up by that key what
has become of the one before; and the database takes one answer. A message is deleted only when the answer is stored.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Concatenate, Literal, ParamSpec, Protocol, TypeVar
from uuid import UUID

from payments import logs, metrics, repository
from payments.acquirer.port import Acquirer, Answer, Approved, Demand, NotDone, NotKnown, Outcome, Unknown
from payments.messages import ProcessOperation
from payments.processing.measures import Measures
from payments.processing.settings import ProcessingSettings
from payments.repository import Claim, Connection, Operation
from payments.states import Kind, Progress

FIRST = {Kind.AUTHORIZATION, Kind.SALE}
LEAST_CALL_SECONDS = 1.0
CONNECTION_SECONDS = 5.0
"""How long a statement waits for a connection."""
LONGEST_CAUSE = 128  # characters, as the database keeps them
Ended = Literal[Progress.SUCCEEDED, Progress.REFUSED, Progress.FAILED]

P = ParamSpec("P")
R = TypeVar("R")


class Pool(Protocol):
    """Connections in autocommit, such as :class:`payments.database.Pool`."""

    def run(
        self,
        function: Callable[Concatenate[Connection, P], R],
        /,
        timeout_seconds: float,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Call a function with a connection, which may have been waited for so long."""


class Again(Exception):
    """There is no answer yet: the operation is to be processed again in so many seconds."""

    def __init__(self, cause: str, seconds: float) -> None:
        super().__init__(f"{cause}; again in {seconds:.1f} s")
        self.cause = cause
        self.seconds = seconds


class NoSuchOperation(Exception):
    """The message is about an operation that is not in the database."""


class Database:
    """Runs functions of the repository beside the event loop."""

    def __init__(self, pool: Pool, connections: int) -> None:
        self._pool = pool
        self._threads = ThreadPoolExecutor(connections, "database")

    async def run(self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function of the repository with a connection and these arguments."""

        def call() -> R:
            return self._pool.run(function, CONNECTION_SECONDS, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> None:
        """End the threads; the pool is its owner's."""
        self._threads.shutdown()


class Processor:
    """What the function, the worker and the reconciler share; one for each process."""

    def __init__(
        self,
        database: Database,
        acquirer: Acquirer,
        measures: Measures,
        settings: ProcessingSettings | None = None,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.database = database
        self.acquirer = acquirer
        self.measures = measures
        self.settings = settings or ProcessingSettings()
        self._chance = chance

    async def process(self, message: ProcessOperation, seconds: float) -> None:
        """Process the operation of a message until its answer is stored.

        Args:
            message: which operation; one that is answered already needs nothing.
            seconds: how long the caller can wait.

        Raises:
            Again: there is no answer yet.
            NoSuchOperation: there is nothing to process.
            psycopg.Error: the database failed; what was done is found again by the next try.
        """
        about = _about(message)
        if waiting := self.acquirer.closed_for_seconds():
            raise self._again("circuit open", 1, waiting)
        calls = min(self.settings.call_seconds, seconds - self.settings.claim_margin_seconds)
        if calls < LEAST_CALL_SECONDS:
            raise self._again("no time left", 1)
        claim = await self.claim(message.operation_id, calls)
        outcome = await self._ask(claim, calls) if claim else None
        if claim is None or outcome is None:
            logs.info("answered already", **about)
        elif isinstance(outcome, Answer):
            await self.settle(claim, outcome)
            logs.info("answered", **about, outcome=type(outcome).__name__.lower())
        else:
            raise await self._postpone(claim, outcome, about)

    async def claim(self, operation_id: UUID, seconds: float) -> Claim | None:
        """The right to ask the acquirer for an operation, for so long and the margin; nothing if it is answered.

        Raises:
            Again: another has it.
            NoSuchOperation: there is no such operation.
        """
        duration = timedelta(seconds=seconds + self.settings.claim_margin_seconds)
        claim = await self.database.run(repository.claim, operation_id, duration)
        if claim:
            return claim
        standing = await self.database.run(repository.standing, operation_id)
        if standing is None:
            raise NoSuchOperation(str(operation_id))
        if standing.progress is Progress.ASKED:
            raise Again("claimed by another", standing.claimed_seconds + 1.0)
        return None

    async def _ask(self, claim: Claim, seconds: float) -> Outcome:
        """Ask the acquirer; after an earlier try, for what has become of that first."""
        # The clock on the wall: the monotonic one may stand still while Lambda freezes a function.
        ends = time.time() + seconds
        demand = demand_of(claim)
        if claim.operation.attempts > 1:
            found = await self.acquirer.look_up(demand, seconds)
            if not isinstance(found, NotKnown):
                return found
        remaining = min(ends - time.time(), seconds)
        return await self.acquirer.perform(demand, remaining) if remaining > 0 else NotDone("no time left")

    async def settle(self, claim: Claim, answer: Answer) -> None:
        """Store the acquirer's answer."""
        operation = claim.operation
        progress: Ended
        if isinstance(answer, Approved):
            progress, values = Progress.SUCCEEDED, {"acquirer_reference": answer.reference}
        else:
            progress, values = Progress.REFUSED, {"reason": answer.reason}
        if not await self.store(operation, progress, **values):
            standing = await self.database.run(repository.standing, operation.id)
            if standing and standing.progress is not progress:
                self.measures.add(metrics.CONTRADICTED)
                logs.error(
                    "the acquirer contradicts what is stored",
                    operation_id=str(operation.id),
                    stored=standing.progress,
                    answer=progress,
                )

    async def store(self, operation: Operation, progress: Ended, **values: str) -> bool:
        """Store how an operation ended, and measure it; whether this was the first answer."""
        first = await self.database.run(repository.settle, operation.id, progress, **values)
        if first and operation.kind in FIRST:
            self.measures.add(metrics.SUCCEEDED if progress is Progress.SUCCEEDED else metrics.FAILED)
            age = datetime.now(UTC) - operation.created_at
            self.measures.add(metrics.PROCESSING_TIME, age / timedelta(milliseconds=1))
        return first

    async def _postpone(self, claim: Claim, outcome: NotDone | Unknown, about: dict[str, str]) -> Again:
        """Give the claim back; what to raise."""
        self.measures.add(metrics.ATTEMPTS_FAILED)
        wished = outcome.retry_after_seconds if isinstance(outcome, NotDone) else 0.0
        again = self._again(outcome.cause, claim.operation.attempts, wished)
        await self.database.run(
            repository.postpone, claim, outcome.cause[:LONGEST_CAUSE], timedelta(seconds=again.seconds)
        )
        logs.info(
            "not answered",
            **about,
            outcome=type(outcome).__name__.lower(),
            cause=again.cause,
            again_in=round(again.seconds, 1),
        )
        return again

    def delay_seconds(self, tries: int) -> float:
        """How long to wait after so many tries."""
        return self.settings.delay_seconds(tries, self._chance())

    def _again(self, cause: str, tries: int, wished: float = 0.0) -> Again:
        seconds = max(wished, self.delay_seconds(tries))
        return Again(cause, min(seconds, self.settings.longest_delay_seconds))


def demand_of(claim: Claim) -> Demand:
    """What the acquirer is asked for."""
    return Demand(
        key=claim.operation.id,
        kind=claim.operation.kind,
        amount=claim.operation.amount,
        currency=claim.currency,
        token=claim.token,
        reference=claim.acquirer_reference,
    )


def _about(message: ProcessOperation) -> dict[str, str]:
    return {
        "operation_id": str(message.operation_id),
        "payment_id": str(message.payment_id),
    }
