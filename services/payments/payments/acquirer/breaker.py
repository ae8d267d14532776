"""A circuit breaker: who does not answer is left alone for a while, and then tried with a few calls.

Closed, calls pass; when of the last ones too many have failed, it opens. Open, none passes. After a while it is half
open: a few calls may try, and when all of them are answered it closes; one that fails opens it again, for longer.

There is one for each acquirer in a process, used by one event loop.
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
    """No call passes for another ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"open for {seconds:.1f} s")
        self.seconds = seconds


class BreakerSettings(BaseSettings):
    """When the circuit opens, and for how long. Variables begin with BREAKER_, such as BREAKER_OPEN_SECONDS."""

    model_config = SettingsConfigDict(env_prefix="breaker_", frozen=True, hide_input_in_errors=True)

    window_calls: Annotated[int, Field(ge=1, le=1000)] = 40
    """How many of the last calls are judged."""
    least_calls: Annotated[int, Field(ge=1, le=1000)] = 20
    """Before so many there is no judgement."""
    failed_percent: Annotated[int, Field(ge=1, le=100)] = 50
    """The share of failed calls that opens it."""
    open_seconds: Annotated[float, Field(gt=0, le=600)] = 5.0
    """How long it stays open the first time; each further time twice as long."""
    longest_open_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """The longest that it stays open."""
    trial_calls: Annotated[int, Field(ge=1, le=100)] = 3
    """How many calls try, half open, whether it may close."""


class Call:
    """A call that was let through; whoever makes it says how it went."""

    def __init__(self) -> None:
        self.answered: bool | None = None
        """None says nothing of the other side: the call was given up by us."""


class Breaker:
    """The breaker of one acquirer."""

    def __init__(
        self,
        settings: BreakerSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``clock`` gives seconds; ``chance`` a number from 0 to 1, so that processes do not try at the same moment."""
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._failures: deque[bool] = deque(maxlen=settings.window_calls)
        self._opened = 0  # times in a row
        self._opens_until: float | None = None
        self._trying = 0
        self._tried = 0

    @property
    def state(self) -> CircuitState:
        """Whether calls pass now."""
        if self._opens_until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if self._clock() < self._opens_until else CircuitState.HALF_OPEN

    def closed_for_seconds(self) -> float:
        """How long no call passes; 0 when one does."""
        return max(0.0, self._opens_until - self._clock()) if self._opens_until is not None else 0.0

    @contextmanager
    def call(self) -> Iterator[Call]:
        """Let a call through; the block makes it, and says how it went.

        Raises:
            CircuitOpen: it is not let through.
        """
        trial = self._admit()
        made = Call()
        try:
            yield made
        finally:
            if trial:
                self._trying -= 1
            if made.answered is not None:
                self._judge(trial=trial, answered=made.answered)

    def _admit(self) -> bool:
        """Whether the call is a trial."""
        state = self.state
        if state is CircuitState.CLOSED:
            return False
        if state is CircuitState.OPEN:
            raise CircuitOpen(self.closed_for_seconds())
        if self._trying + self._tried >= self._settings.trial_calls:
            raise CircuitOpen(self._settings.open_seconds)
        self._trying += 1
        return True

    def _judge(self, *, trial: bool, answered: bool) -> None:
        if trial:
            self._judge_trial(answered=answered)
        elif self.state is CircuitState.CLOSED:  # a call from before it opened is no news
            self._failures.append(not answered)
            failed = sum(self._failures) * 100 >= self._settings.failed_percent * len(self._failures)
            if failed and len(self._failures) >= self._settings.least_calls:
                self._open()

    def _judge_trial(self, *, answered: bool) -> None:
        if self.state is not CircuitState.HALF_OPEN:
            return  # another trial has failed meanwhile
        if not answered:
            self._open()
            return
        self._tried += 1
        if self._tried >= self._settings.trial_calls:
            self._opens_until = None
            self._opened = 0
            self._failures.clear()

    def _open(self) -> None:
        longest = min(self._settings.open_seconds * 2**self._opened, self._settings.longest_open_seconds)
        self._opens_until = self._clock() + longest * (0.75 + 0.25 * self._chance())
        self._opened += 1
        self._tried = 0
