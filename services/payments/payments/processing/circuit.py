"""The circuit that all processes share: a row of the database says until when nobody calls the acquirer.

Each process has a breaker of its own (:mod:`payments.acquirer.breaker`), which sees its own calls and opens within a
second. That is not enough: a function's processes are many and short-lived, and each would find out for itself, with
calls and tries of its own. So failures in a row are counted here, over all processes, and one that opens its breaker
opens the circuit for everybody: also by a trial call that fails. Once open_until has passed the circuit is half open:
one process at a time makes a trial call. It closes with a success, and opens for longer with a failure.

At first a trial call, of the circuit or of a process's own breaker, is of an operation that was not requested before:
those that the acquirer always fails wait longest, are delivered first, and would keep the circuit open for all others.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from payments import logs, repository
from payments.acquirer.breaker import BreakerSettings, CircuitOpen
from payments.processing.executor import DatabaseExecutor
from payments.repository import Circuit
from payments.states import ACQUIRER

REFRESH_SECONDS = 1.0
"""How old what a process knows of the circuit may be."""
FAILURES_IN_A_ROW = 10
"""Over all processes: so many open the circuit, however seldom the acquirer is called."""
MAX_CAUSE_LENGTH = 128
SECONDS_FOR_NEW_ONES = 5.0
"""For so long of a half-open circuit the trial call is not of an operation that was requested before."""


@dataclass(frozen=True)
class Failure:
    """A call that the acquirer did not serve."""

    cause: str
    opens: bool = False
    """Whether it opens the circuit by itself."""
    seconds: float = 0.0
    """For how long at least, as the acquirer has asked."""


class SharedCircuit:
    """A process's view of the circuit."""

    def __init__(
        self,
        database: DatabaseExecutor,
        settings: BreakerSettings | None = None,
        *,
        name: str = ACQUIRER,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``name`` is the acquirer's; ``clock`` returns seconds, of those too for which Lambda freezes a process."""
        self._database = database
        self._name = name
        self._settings = settings or BreakerSettings()
        self._clock = clock
        self._jitter = jitter
        self._known = Circuit()
        self._known_at = -float("inf")

    async def open_for_seconds(self) -> float:
        """For how long nobody calls the acquirer; 0 where calls, or a trial call, may be made."""
        known = await self._read()
        waited = self._clock() - self._known_at
        return max(0.0, max(known.open_seconds or 0.0, known.trial_seconds) - waited)

    async def enter(self, operation_id: UUID, trial_seconds: float, *, tried_for: float | None = None) -> None:
        """Let a call of an operation pass.

        Args:
            operation_id: the operation.
            trial_seconds: how long the call takes at most, should it be the trial call.
            tried_for: for how many seconds this process's own breaker has been half open; None where it is not.

        Raises:
            CircuitOpen: the call does not pass.
        """
        if seconds := await self.open_for_seconds():
            raise CircuitOpen(seconds)
        if self._known.open_seconds is not None:
            half_open_for = self._clock() - self._known_at - self._known.open_seconds
            tried_for = half_open_for if tried_for is None else min(tried_for, half_open_for)
        reserved_for = 0.0 if tried_for is None else SECONDS_FOR_NEW_ONES - tried_for
        if reserved_for > 0 and await self._database.run(repository.was_claimed, operation_id):
            raise CircuitOpen(reserved_for)
        if self._known.open_seconds is None:
            return
        self._known_at = -float("inf")
        trial = await self._database.run(repository.begin_trial, timedelta(seconds=trial_seconds), self._name)
        if not trial and (await self._read()).open_seconds is not None:
            raise CircuitOpen(await self.open_for_seconds() or self._settings.open_seconds)

    async def served(self) -> None:
        """The acquirer has served a call."""
        if self._known.open_seconds is not None or self._known.failures:
            await self._database.run(repository.close_circuit, self._name)
            self._known_at = -float("inf")

    async def answered(self) -> None:
        """The acquirer has answered a look-up: failures are no longer in a row, but no trial call has succeeded.

        So an operation that alone fails, where nobody else calls, is a failure of its own and no outage.
        """
        if self._known.open_seconds is None and self._known.failures:
            await self.served()

    async def failed(self, failure: Failure) -> bool:
        """The acquirer has not served a call; returns whether the circuit is open now."""
        known = await self._read()
        longest = min(self._settings.open_seconds * 2.0 ** min(known.times_opened, 30), self._settings.max_open_seconds)
        seconds = max(failure.seconds, longest * (0.75 + 0.25 * self._jitter()))
        self._known = await self._database.run(
            repository.count_failure,
            failure.cause[:MAX_CAUSE_LENGTH],
            timedelta(seconds=seconds),
            1 if failure.opens else FAILURES_IN_A_ROW,
            self._name,
        )
        self._known_at = self._clock()
        if self._known.open_seconds is not None and known.open_seconds is None:
            logs.error("the acquirer's circuit is open", cause=failure.cause, acquirer=self._name)
        return self._known.open_seconds is not None

    async def _read(self) -> Circuit:
        if self._clock() - self._known_at >= REFRESH_SECONDS:
            self._known = await self._database.run(repository.get_circuit, self._name)
            self._known_at = self._clock()
        return self._known
