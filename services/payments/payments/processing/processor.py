"""Processes one operation: claims it in the database, requests it from the acquirer, and stores the decision.

A process may end between any two of these steps, and nothing is lost or done twice. The claim decides which process may
call the acquirer, and expires. The acquirer's idempotency key is made of what the merchant sent. An attempt after the
first looks up by that key what became of the one before, as does the first of an operation that is not new: it may have
been restored, or its key met before. The database stores one decision. A message is deleted after that.

An outage of the acquirer is no try: what nobody would have been served is given back, and the circuit that all
processes share (:mod:`payments.processing.circuit`) suspends calls. Only what fails while others succeed is given up.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from payments import logs, repository
from payments.acquirer.breaker import CircuitOpen
from payments.acquirer.port import (
    Acquirer,
    AcquirerRequest,
    Approved,
    Decision,
    NotFound,
    NotPerformed,
    Outcome,
    Unknown,
    Unserved,
)
from payments.messages import ProcessOperation
from payments.metrics import MetricRecorder
from payments.processing.circuit import Failure, SharedCircuit
from payments.processing.executor import DatabaseExecutor
from payments.processing.settings import ProcessingSettings
from payments.repository import Claim, FinalStatus, Operation
from payments.states import OperationKind, OperationStatus
from shared.payment_metrics import (
    ATTEMPTS_FAILED,
    CONTRADICTED,
    CREDENTIAL_REJECTED,
    FAILED,
    PROCESSING_TIME,
    SUCCEEDED,
)

FIRST_KINDS = {OperationKind.AUTHORIZATION, OperationKind.SALE}
MIN_CALL_SECONDS = 1.0
MAX_CAUSE_LENGTH = 128  # characters, as in the database


class RetryLater(Exception):
    """There is no decision yet: the operation is to be processed again after ``seconds``."""

    def __init__(self, cause: str, seconds: float) -> None:
        super().__init__(f"{cause}; retry in {seconds:.1f} s")
        self.cause = cause
        self.seconds = seconds


class TriesUsedUp(Exception):
    """The operation has no decision after as many tries as the settings allow, while the acquirer served others."""


class OperationNotFound(Exception):
    """The message's operation is not in the database."""


class Processor:
    """Shared by all messages of a process: of the function, the worker or the reconciler."""

    def __init__(
        self,
        database: DatabaseExecutor,
        acquirer: Acquirer,
        metrics: MetricRecorder,
        settings: ProcessingSettings | None = None,
        *,
        circuit: SharedCircuit | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``jitter`` returns a number from 0 to 1, by which delays differ."""
        self.database = database
        self.acquirer = acquirer
        self.metrics = metrics
        self.settings = settings or ProcessingSettings()
        self.circuit = circuit or SharedCircuit(database)
        self._jitter = jitter

    async def process(self, message: ProcessOperation, seconds: float, receives: int = 1) -> None:
        """Process the operation of a message until its decision is stored.

        Args:
            message: which operation; there is nothing to do for one that is completed.
            seconds: how long the caller can wait.
            receives: how often the message was delivered, for the delay while the circuit is open.

        Raises:
            RetryLater: there is no decision yet.
            TriesUsedUp: there is none, and processing it again is a person's decision.
            OperationNotFound: there is no such operation.
            psycopg.Error: the database failed; the next attempt finds what was done.
        """
        about = _about(message)
        call_seconds = min(self.settings.call_seconds, seconds - self.settings.claim_margin_seconds)
        if call_seconds < MIN_CALL_SECONDS:
            raise self._retry_later("no time left", 1)
        try:
            if open_for := self.acquirer.open_for_seconds():
                raise CircuitOpen(open_for)
            await self.circuit.enter(call_seconds + self.settings.claim_margin_seconds)
        except CircuitOpen as circuit:
            raise self._retry_later("circuit open", receives, circuit.seconds) from None
        claim = await self.claim(message.operation_id, call_seconds)
        outcome = await self._request(claim, call_seconds) if claim else None
        if claim is None or outcome is None:
            logs.info("completed before", **about)
        elif isinstance(outcome, Decision):
            await self.circuit.served()
            await self.store_decision(claim, outcome)
            logs.info("completed", **about, outcome=type(outcome).__name__.lower())
        else:
            raise await self._schedule_retry(claim, outcome, about)

    async def open_for_seconds(self) -> float:
        """For how long no call is made: the longer of this process's circuit and the one that all share."""
        return max(self.acquirer.open_for_seconds(), await self.circuit.open_for_seconds())

    async def claim(self, operation_id: UUID, seconds: float, *, to_look_up: bool = False) -> Claim | None:
        """Claim an operation for ``seconds`` and the margin; None where it is completed.

        Raises:
            RetryLater: another process holds the claim.
            OperationNotFound: there is no such operation.
        """
        duration = timedelta(seconds=seconds + self.settings.claim_margin_seconds)
        claim = await self.database.run(repository.claim, operation_id, duration, to_look_up=to_look_up)
        if claim:
            return claim
        found = await self.database.run(repository.get_claim_status, operation_id)
        if found is None:
            raise OperationNotFound(str(operation_id))
        if found.status is OperationStatus.PENDING:
            raise RetryLater("claimed by another", found.claimed_seconds + 1.0)
        return None

    async def _request(self, claim: Claim, seconds: float) -> Outcome:
        """Request the operation from the acquirer; after an earlier attempt, look up that one's decision first."""
        # The wall clock: the monotonic clock may stand still while Lambda freezes a function.
        ends = time.time() + seconds
        request = acquirer_request(claim)
        age = datetime.now(UTC) - claim.operation.created_at
        if claim.operation.attempts > 1 or age > timedelta(seconds=self.settings.new_seconds):
            result = await self.acquirer.look_up(request, seconds)
            if not isinstance(result, Unknown):
                await self.circuit.answered()
            if not isinstance(result, NotFound):
                return result
        remaining = min(ends - time.time(), seconds)
        if remaining <= 0:
            return NotPerformed("no time left", unserved=Unserved.SUSPENDED)
        return await self.acquirer.perform(request, remaining)

    async def store_decision(self, claim: Claim, decision: Decision) -> None:
        """Store the acquirer's decision, and report one that contradicts the stored decision."""
        operation = claim.operation
        status: FinalStatus
        if isinstance(decision, Approved):
            status, values = OperationStatus.SUCCEEDED, {"acquirer_reference": decision.reference}
        else:
            status, values = OperationStatus.DECLINED, {"reason": decision.reason}
        if not await self.complete(operation, status, **values):
            stored = await self.database.run(repository.get_claim_status, operation.id)
            if stored and stored.status is not status:
                self.metrics.add(CONTRADICTED)
                logs.error(
                    "the acquirer's decision contradicts the stored one",
                    operation_id=str(operation.id),
                    stored=stored.status,
                    decision=status,
                )

    async def complete(self, operation: Operation, status: FinalStatus, **values: str) -> bool:
        """Store the final status of an operation, and measure it; returns whether it was the first one."""
        first = await self.database.run(repository.complete, operation.id, status, **values)
        if first and operation.kind in FIRST_KINDS:
            self.metrics.add(SUCCEEDED if status is OperationStatus.SUCCEEDED else FAILED)
            age = datetime.now(UTC) - operation.created_at
            self.metrics.add(PROCESSING_TIME, age / timedelta(milliseconds=1))
        return first

    async def report(self, outcome: NotPerformed | Unknown) -> bool:
        """Tell the circuit of an outcome without a decision; returns whether it is an outage of the acquirer."""
        if outcome.unserved is None:
            await self.circuit.served()
            return False
        if outcome.unserved is Unserved.SUSPENDED and not self.acquirer.open_for_seconds():
            return True
        rejected = outcome.unserved is Unserved.CREDENTIAL_REJECTED
        if rejected:
            self.metrics.add(CREDENTIAL_REJECTED)
            logs.error("the acquirer rejects our credential", cause=outcome.cause)
        seconds = outcome.retry_after_seconds if isinstance(outcome, NotPerformed) else 0.0
        opens = rejected or outcome.unserved is Unserved.THROTTLED or self.acquirer.open_for_seconds() > 0
        is_open = await self.circuit.failed(Failure(outcome.cause, opens, seconds))
        # One operation alone may end in an error, too; while others are served that is a try.
        return is_open or outcome.unserved is not Unserved.FAILED

    async def _schedule_retry(self, claim: Claim, outcome: NotPerformed | Unknown, about: dict[str, str]) -> Exception:
        """Release the claim; returns what to raise."""
        self.metrics.add(ATTEMPTS_FAILED)
        outage = await self.report(outcome)
        operation = claim.operation
        retry_after = outcome.retry_after_seconds if isinstance(outcome, NotPerformed) else 0.0
        retry = self._retry_later(outcome.cause, max(operation.tries, 1), retry_after)
        delay, cause = timedelta(seconds=retry.seconds), outcome.cause[:MAX_CAUSE_LENGTH]
        await self.database.run(repository.schedule_retry, claim, cause, delay, tried=not outage)
        if not outage and operation.tries >= self.settings.tries:
            return TriesUsedUp(outcome.cause)
        logs.info(
            "no decision",
            **about,
            outcome=type(outcome).__name__.lower(),
            cause=retry.cause,
            retry_seconds=round(retry.seconds, 1),
        )
        return retry

    def delay_seconds(self, attempts: int) -> float:
        """The delay after so many attempts."""
        return self.settings.delay_seconds(attempts, self._jitter())

    def _retry_later(self, cause: str, attempts: int, min_seconds: float = 0.0) -> RetryLater:
        seconds = max(min_seconds, self.delay_seconds(attempts))
        return RetryLater(cause, min(seconds, self.settings.max_delay_seconds))


def acquirer_request(claim: Claim) -> AcquirerRequest:
    """The request to the acquirer for a claimed operation."""
    return AcquirerRequest(
        key=claim.operation.acquirer_key,
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
