"""Processes one operation: claims it in the database, requests it from the acquirer, and stores the decision.

A process may end between any two of these steps, and nothing is lost or done twice. The claim decides which process may
call the acquirer, and expires. The acquirer's idempotency key is made of what the merchant sent. An attempt after the
first finds out what became of the one before, as does the first of an operation that is not new: it may have been
restored, or its key met before. How, the acquirer declares (:class:`payments.acquirer.port.Capabilities`). What it may
have performed and has forgotten, or cannot tell of, is not requested again: that is a person's, the acquirer's
notification's or the settlement file's to decide. The database stores one decision. A message is deleted after that,
and where the acquirer has answered that its decision comes later.

An outage of the acquirer is no try: what nobody would have been served is given back, and the circuit that all
processes share (:mod:`payments.processing.circuit`) suspends calls. Only what fails while others succeed is given up.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from payments import logs, repository
from payments.acquirer.breaker import CircuitOpen
from payments.acquirer.port import (
    Acquirer,
    AcquirerRequest,
    ActionRequired,
    Approved,
    Decision,
    LookUpResult,
    NotFound,
    NotPerformed,
    Outcome,
    Promise,
    Unknown,
    Unserved,
)
from payments.messages import ProcessOperation
from payments.metrics import MetricRecorder
from payments.processing.circuit import Failure, SharedCircuit
from payments.processing.executor import DatabaseExecutor
from payments.processing.settings import ProcessingSettings
from payments.repository import Awaited, Claim, FinalStatus, Notified, Operation
from payments.states import ACQUIRER, OperationKind, OperationStatus
from shared.payment_metrics import (
    ATTEMPTS_FAILED,
    CONTRADICTED,
    CREDENTIAL_REJECTED,
    FAILED,
    NOT_IN_DATABASE,
    PROCESSING_TIME,
    SUCCEEDED,
)

FIRST_KINDS = {OperationKind.AUTHORIZATION, OperationKind.SALE}
MIN_CALL_SECONDS = 1.0
MAX_CAUSE_LENGTH = 128  # characters, as in the database


@dataclass(frozen=True)
class Undecidable:
    """The acquirer may have performed it, and cannot tell any more: a request could charge a second time."""

    cause: str


@dataclass(frozen=True)
class Attempt:
    """What an attempt has brought."""

    outcome: LookUpResult | Outcome | Undecidable
    requested_at: datetime | None
    """Since when the acquirer may have performed the operation; None where it has not."""


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
    """Shared by all messages of a process and an acquirer: of the function, the worker or the reconciler."""

    def __init__(
        self,
        database: DatabaseExecutor,
        acquirer: Acquirer,
        metrics: MetricRecorder,
        settings: ProcessingSettings | None = None,
        *,
        name: str = ACQUIRER,
        circuit: SharedCircuit | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``name`` is the acquirer's; ``jitter`` returns a number from 0 to 1, by which delays differ."""
        self.database = database
        self.acquirer = acquirer
        self.metrics = metrics
        self.settings = settings or ProcessingSettings()
        self.name = name
        self.circuit = circuit or SharedCircuit(database, name=name)
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
            raise self.retry_later("no time left", 1)
        try:
            if open_for := self.acquirer.open_for_seconds():
                raise CircuitOpen(open_for)
            await self.circuit.enter(
                message.operation_id,
                call_seconds + self.settings.claim_margin_seconds,
                tried_for=self.acquirer.half_open_for_seconds(),
            )
        except CircuitOpen as circuit:
            raise self.retry_later("circuit open", receives, circuit.seconds) from None
        claim = await self.claim(message.operation_id, call_seconds)
        if claim is None:
            logs.info("completed before", **about)
        elif claim.notified and await self._apply_notifications(claim):
            logs.info("completed by a notification", **about)
        elif claim.operation.awaiting:
            # Answered before. The decision comes by a notification, or by a look-up of the reconciler.
            await self.database.run(repository.await_decision, claim, None)
            logs.info("awaiting", **about, whom=claim.operation.awaiting)
        else:
            await self._conclude(claim, await self._attempt(claim, call_seconds), about)

    async def _conclude(self, claim: Claim, attempt: Attempt, about: dict[str, str]) -> None:
        """Store what an attempt has brought, or raise what is to be done with the message."""
        outcome = attempt.outcome
        if isinstance(outcome, Decision):
            await self.circuit.served()
            await self.store_decision(claim.operation, outcome)
            logs.info("completed", **about, outcome=type(outcome).__name__.lower())
        elif isinstance(outcome, Promise):
            await self.circuit.served()
            await self.store_promise(claim, outcome)
            logs.info("decided later", **about, outcome=type(outcome).__name__.lower())
        elif isinstance(outcome, Undecidable):
            await self._schedule(claim, outcome.cause, timedelta(0), attempt, tries=self.settings.tries)
            raise TriesUsedUp(outcome.cause)
        elif isinstance(outcome, NotPerformed | Unknown):
            raise await self._schedule_retry(claim, attempt, outcome, about)

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
        claim = await self.database.run(
            repository.claim, operation_id, duration, to_look_up=to_look_up, acquirer=self.name
        )
        if claim:
            return claim
        found = await self.database.run(repository.get_claim_status, operation_id)
        if found is None:
            raise OperationNotFound(str(operation_id))
        if found.status is OperationStatus.PENDING:  # claimed by another process, or for another acquirer
            raise RetryLater("claimed by another", found.claimed_seconds + 1.0)
        return None

    async def _attempt(self, claim: Claim, seconds: float) -> Attempt:
        """Request the operation from the acquirer, after finding out what became of an earlier attempt."""
        # The wall clock: the monotonic clock may stand still while Lambda freezes a function.
        ends = time.time() + seconds
        found = await self._find(claim, seconds)
        if not isinstance(found.outcome, NotFound):
            return found
        remaining = min(ends - time.time(), seconds)
        if remaining <= 0:
            return Attempt(NotPerformed("no time left", unserved=Unserved.SUSPENDED), found.requested_at)
        outcome = await self.acquirer.perform(acquirer_request(claim), remaining)
        if isinstance(outcome, NotPerformed):
            return Attempt(outcome, found.requested_at)
        if isinstance(outcome, ActionRequired) and claim.operation.kind not in FIRST_KINDS:
            outcome = Unknown("an action for a later operation")
        return Attempt(outcome, found.requested_at or claim.claimed_at)

    async def _find(self, claim: Claim, seconds: float) -> Attempt:
        """Find out what became of earlier attempts: NotFound where the operation may be requested, or again."""
        can, since = self.acquirer.capabilities, claim.may_be_known_since
        remembered = since is None or can.remembers(claim.claimed_at - since)
        is_new = claim.claimed_at - claim.operation.created_at <= timedelta(seconds=self.settings.new_seconds)
        if not can.can_look_up:
            return Attempt(NotFound() if remembered else Undecidable("requested before, and nothing can tell"), since)
        if since is None and claim.operation.attempts == 1 and is_new:
            return Attempt(NotFound(), None)
        result = await self.acquirer.look_up(acquirer_request(claim), seconds)
        if not isinstance(result, Unknown):
            await self.circuit.answered()
        if isinstance(result, NotFound) and not remembered:
            return Attempt(Undecidable("requested before, and the key may be forgotten"), since)
        return Attempt(result, None if isinstance(result, NotFound) else since)

    async def store_promise(self, claim: Claim, promise: Promise) -> None:
        """Store the acquirer's answer that its decision comes later."""
        within = self.acquirer.capabilities.decides_within
        if isinstance(promise, ActionRequired):
            if promise.expires_at:
                within = max(promise.expires_at - claim.claimed_at, timedelta(0))
            action = {"type": "redirect", "url": promise.url, "method": promise.method, "data": dict(promise.data)}
            awaited = Awaited("cardholder", promise.reference, within, action)
        else:
            awaited = Awaited("acquirer", promise.reference, within)
        await self.database.run(repository.await_decision, claim, awaited)

    async def _apply_notifications(self, claim: Claim) -> bool:
        """Apply the notifications of a claimed operation; returns whether one has decided it."""
        notified = await self.database.run(repository.list_notified, key=claim.operation.acquirer_key)
        return any([await self.apply(one) for one in notified])

    async def apply(self, notified: Notified) -> bool:
        """Store the decision that the acquirer has notified us of; returns whether it is on its operation.

        One on an operation that is not in the database stays: it may be all that is left of a charge.
        """
        note, operation = notified.notification, notified.operation
        if operation is None:
            self.metrics.add(NOT_IN_DATABASE)
            logs.error("notification of an operation that is not in the database", acquirer_key=str(note.key))
            return False
        fits = (note.amount, note.currency) == (operation.amount, notified.currency)
        if fits:
            await self.store_decision(operation, note.decision)
        else:
            self.metrics.add(CONTRADICTED)
            logs.error("a notification is of another amount", operation_id=str(operation.id))
        await self.database.run(repository.mark_applied, note.event_id)
        return fits

    async def store_decision(self, operation: Operation, decision: Decision) -> None:
        """Store the acquirer's decision, and report one that contradicts the stored decision."""
        status: FinalStatus
        values: dict[str, Any]
        if isinstance(decision, Approved):
            status = OperationStatus.SUCCEEDED
            values = {"acquirer_reference": decision.reference, "expires_at": decision.expires_at}
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

    async def complete(self, operation: Operation, status: FinalStatus, **values: Any) -> bool:
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

    async def _schedule(
        self, claim: Claim, cause: str, delay: timedelta, attempt: Attempt, *, tries: int | None = None
    ) -> None:
        await self.database.run(
            repository.schedule_retry,
            claim,
            cause[:MAX_CAUSE_LENGTH],
            delay,
            requested_at=attempt.requested_at,
            tries=tries,
        )

    async def _schedule_retry(
        self, claim: Claim, attempt: Attempt, outcome: NotPerformed | Unknown, about: dict[str, str]
    ) -> Exception:
        """Release the claim; returns what to raise."""
        self.metrics.add(ATTEMPTS_FAILED)
        outage = await self.report(outcome)
        operation = claim.operation
        retry_after = outcome.retry_after_seconds if isinstance(outcome, NotPerformed) else 0.0
        retry = self.retry_later(outcome.cause, max(operation.tries, 1), retry_after)
        tries = operation.tries - 1 if outage else None
        await self._schedule(claim, outcome.cause, timedelta(seconds=retry.seconds), attempt, tries=tries)
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

    def retry_later(self, cause: str, attempts: int, min_seconds: float = 0.0) -> RetryLater:
        """What to raise after so many attempts, for a delay of at least ``min_seconds``."""
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
