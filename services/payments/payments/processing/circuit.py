"""The circuit that all processes share: a row of the database says until when nobody calls the acquirer.

Each process has a breaker of its own (:mod:`payments.acquirer.breaker`), which sees its own calls and opens within a
second. That is not enough: a function's processes are many and short-lived, and each would find out for itself, with
calls and tries of its own. So failures in a row are counted here, over all processes, and one that opens its breaker
opens the circuit for everybody. Once open_until has passed the circuit is half open: one process at a time makes a
trial call. It closes with a success, and opens for longer with a failure.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from payments import logs, repository
from payments.acquirer.breaker import BreakerSettings, CircuitOpen
from payments.processing.executor import DatabaseExecutor
from payments.repository import Circuit

REFRESH_SECONDS = 1.0
"""How old what a process knows of the circuit may be."""
FAILURES_IN_A_ROW = 10
"""Over all processes: so many open the circuit, however seldom the acquirer is called."""
MAX_CAUSE_LENGTH = 128


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
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``clock`` returns seconds, also of the time for which Lambda freezes a process."""
        self._database = database
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

    async def enter(self, trial_seconds: float) -> None:
        """Let a call pass that takes at most ``trial_seconds``, should it be the trial call.

        Raises:
            CircuitOpen: the call does not pass.
        """
        if seconds := await self.open_for_seconds():
            raise CircuitOpen(seconds)
        if self._known.open_seconds is None:
            return
        self._known_at = -float("inf")
        trial = await self._database.run(repository.begin_trial, timedelta(seconds=trial_seconds))
        if not trial and (await self._read()).open_seconds is not None:
            raise CircuitOpen(await self.open_for_seconds() or self._settings.open_seconds)

    async def served(self) -> None:
        """The acquirer has served a call."""
        if self._known.open_seconds is not None or self._known.failures:
            await self._database.run(repository.close_circuit)
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
        )
        self._known_at = self._clock()
        if self._known.open_seconds is not None and known.open_seconds is None:
            logs.error("the acquirer's circuit is open", cause=failure.cause)
        return self._known.open_seconds is not None

    async def _read(self) -> Circuit:
        if self._clock() - self._known_at >= REFRESH_SECONDS:
            self._known = await self._database.run(repository.get_circuit)
            self._known_at = self._clock()
        return self._known
