"""A circuit breaker: calls to an acquirer that fails are suspended for a while, and resumed with a few trial calls.

Closed, calls pass; when too large a share of the recent calls has failed, the circuit opens. Open, no call passes.
After a while it is half open: a few trial calls pass. When all of them succeed the circuit closes; one that fails opens
it again, for longer.

A process has one for each acquirer, used by one event loop.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class CircuitState(StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitOpen(Exception):
    """The circuit is open for another ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"open for {seconds:.1f} s")
        self.seconds = seconds


class BreakerSettings(BaseSettings):
    """When the circuit opens, and for how long. Variables begin with BREAKER_, such as BREAKER_OPEN_SECONDS."""

    model_config = SettingsConfigDict(env_prefix="breaker_", frozen=True, hide_input_in_errors=True)

    window_calls: Annotated[int, Field(ge=1, le=1000)] = 40
    """How many recent calls are counted."""
    min_calls: Annotated[int, Field(ge=1, le=1000)] = 20
    """The circuit stays closed before so many calls were counted."""
    failed_percent: Annotated[int, Field(ge=1, le=100)] = 50
    """The share of failed calls that opens the circuit."""
    open_seconds: Annotated[float, Field(gt=0, le=600)] = 5.0
    """How long the circuit stays open the first time; each further time twice as long."""
    max_open_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """The longest that the circuit stays open."""
    trial_calls: Annotated[int, Field(ge=1, le=100)] = 3
    """How many trial calls a half-open circuit lets pass."""


class Call:
    """A call that passes; its caller reports the result."""

    def __init__(self) -> None:
        self.succeeded: bool | None = None
        """None where the caller cancelled the call: it is not counted."""


class CircuitBreaker:
    """The circuit breaker of one acquirer."""

    def __init__(
        self,
        settings: BreakerSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``clock`` returns seconds; ``jitter`` a number from 0 to 1, so that processes do not resume together."""
        self._settings = settings
        self._clock = clock
        self._jitter = jitter
        self._failures: deque[bool] = deque(maxlen=settings.window_calls)
        self._times_opened = 0  # in a row
        self._open_until: float | None = None
        self._trials_running = 0
        self._trials_succeeded = 0

    @property
    def state(self) -> CircuitState:
        """The state now."""
        if self._open_until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if self._clock() < self._open_until else CircuitState.HALF_OPEN

    def open_for_seconds(self) -> float:
        """For how long the circuit stays open; 0 where it is not."""
        return max(0.0, self._open_until - self._clock()) if self._open_until is not None else 0.0

    def half_open_for_seconds(self) -> float | None:
        """For how long the circuit has been half open; None where it is not."""
        if self.state is not CircuitState.HALF_OPEN or self._open_until is None:
            return None
        return self._clock() - self._open_until

    @contextmanager
    def call(self) -> Iterator[Call]:
        """Let a call pass; the block makes it, and sets ``succeeded``.

        Raises:
            CircuitOpen: the call does not pass.
        """
        trial = self._enter()
        made = Call()
        try:
            yield made
        finally:
            if trial:
                self._trials_running -= 1
            if made.succeeded is not None:
                self._count(trial=trial, succeeded=made.succeeded)

    def _enter(self) -> bool:
        """Let a call pass, or raise; returns whether it is a trial call."""
        state = self.state
        if state is CircuitState.CLOSED:
            return False
        if state is CircuitState.OPEN:
            raise CircuitOpen(self.open_for_seconds())
        if self._trials_running + self._trials_succeeded >= self._settings.trial_calls:
            raise CircuitOpen(self._settings.open_seconds)
        self._trials_running += 1
        return True

    def _count(self, *, trial: bool, succeeded: bool) -> None:
        if trial:
            self._count_trial(succeeded=succeeded)
        elif self.state is CircuitState.CLOSED:  # a call that began before the circuit opened is not counted
            self._failures.append(not succeeded)
            failed = sum(self._failures) * 100 >= self._settings.failed_percent * len(self._failures)
            if failed and len(self._failures) >= self._settings.min_calls:
                self._open()

    def _count_trial(self, *, succeeded: bool) -> None:
        if self.state is not CircuitState.HALF_OPEN:
            return  # another trial call has failed in the meantime
        if not succeeded:
            self._open()
            return
        self._trials_succeeded += 1
        if self._trials_succeeded >= self._settings.trial_calls:
            self._open_until = None
            self._times_opened = 0
            self._failures.clear()

    def _open(self) -> None:
        longest = min(self._settings.open_seconds * 2**self._times_opened, self._settings.max_open_seconds)
        self._open_until = self._clock() + longest * (0.75 + 0.25 * self._jitter())
        self._times_opened += 1
        self._trials_succeeded = 0
