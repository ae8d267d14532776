"""The way of an operation to its acquirer, where there are several.

A payment's first operation goes to the first acquirer of its route whose circuit is not open. The choice is stored with
the claim, before the request, and stays as long as it may have been performed there: while that is not known, no other
acquirer is requested, however long the first one is out of order. Only what is certain not to have been performed may
go to the next one. Captures, voids and refunds go to the acquirer that has authorized the payment.

After a failover or a restore the choice may be lost with the row, and the merchant repeats the request: for as long as
it may do so, all acquirers of the route are asked first what they know of it. One that cannot be asked is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from payments import repository
from payments.acquirer.port import AcquirerRequest, LookUp, NotFound, Unknown
from payments.acquirer.settings import RoutingSettings
from payments.messages import ProcessOperation
from payments.metrics import MetricRecorder
from payments.processing.processor import Processor, RetryLater, TriesUsedUp
from payments.processing.settings import ProcessingSettings
from payments.repository import Operation, Routed
from payments.states import ACQUIRER


class NoSuchAcquirer(Exception):
    """The settings lack the acquirer that an operation was requested from."""


class Router:
    """The processors of all acquirers, each with its connections and its circuit."""

    def __init__(self, processors: Mapping[str, Processor], routing: RoutingSettings | None = None) -> None:
        """``processors`` by the acquirers' names; there is always one of :data:`payments.states.ACQUIRER`."""
        self.processors = processors
        self.first = processors[ACQUIRER]
        self._routing = routing or RoutingSettings()

    @property
    def metrics(self) -> MetricRecorder:
        """What all of them measure."""
        return self.first.metrics

    @property
    def settings(self) -> ProcessingSettings:
        """The settings of all of them."""
        return self.first.settings

    def delay_seconds(self, attempts: int) -> float:
        """The delay after so many attempts."""
        return self.first.delay_seconds(attempts)

    async def open_for_seconds(self) -> float:
        """For how long no acquirer is called."""
        return min([await one.open_for_seconds() for one in self.processors.values()])

    def of(self, operation: Operation) -> Processor:
        """The processor of the acquirer that an operation was requested from."""
        return self._named(operation.acquirer or ACQUIRER)

    def _named(self, name: str) -> Processor:
        try:
            return self.processors[name]
        except KeyError:
            raise NoSuchAcquirer(name) from None

    async def process(self, message: ProcessOperation, seconds: float, receives: int = 1) -> None:
        """See :meth:`payments.processing.processor.Processor.process`.

        Raises:
            NoSuchAcquirer: the operation's is not in the settings.
        """
        ends = time.time() + seconds
        chosen = self.first if len(self.processors) == 1 else await self._choose(message, seconds)
        await chosen.process(message, min(ends - time.time(), seconds), receives)

    async def _choose(self, message: ProcessOperation, seconds: float) -> Processor:
        routed = await self.first.database.run(repository.get_routed, message.operation_id)
        if routed is None:
            return self.first  # which says that it is not found, or completed
        if routed.acquirer:
            return self._named(routed.acquirer)
        names = self._routing.acquirers_of(routed.kind, routed.amount, routed.currency)
        candidates = [self._named(name) for name in names]
        if len(candidates) > 1 and self._may_be_a_repeat(routed):
            return await self._find(candidates, routed, seconds)
        for one in candidates:
            if not await one.open_for_seconds():
                return one
        return candidates[0]

    def _may_be_a_repeat(self, routed: Routed) -> bool:
        """Whether it may have been requested in seconds that are lost, by itself or by the row that it repeats."""
        repeated = timedelta(seconds=self.settings.repeats_seconds)
        return routed.epoch is not None and routed.epoch > routed.created_at - repeated

    async def _find(self, candidates: Sequence[Processor], routed: Routed, seconds: float) -> Processor:
        """The acquirer that knows of an operation; the first one where all say that they do not.

        Raises:
            RetryLater: one of them does not say.
            TriesUsedUp: one of them may have forgotten it.
        """
        request = AcquirerRequest(
            key=routed.acquirer_key,
            kind=routed.kind,
            amount=routed.amount,
            currency=routed.currency,
            token=routed.token,
        )
        for one in candidates:
            if open_for := await one.open_for_seconds():
                raise one.retry_later("an acquirer cannot be asked what it has performed", 1, open_for)
            result = await one.acquirer.look_up(request, min(one.settings.call_seconds, seconds / len(candidates)))
            if isinstance(result, Unknown):
                await one.report(result)
                raise RetryLater(result.cause, one.delay_seconds(1))
            await one.circuit.answered()
            if not isinstance(result, NotFound):
                return one
            can = one.acquirer.capabilities
            if can.look_up is LookUp.BY_KEY and not can.remembers(routed.now - routed.created_at):
                raise TriesUsedUp("an acquirer may have performed and forgotten it")
        return candidates[0]
