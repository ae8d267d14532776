"""The circuit breaker, on a clock that the tests set."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from payments.acquirer.breaker import BreakerSettings, CircuitBreaker, CircuitOpen, CircuitState


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def breaker(clock: Clock, **values: Any) -> CircuitBreaker:
    settings = {"window_calls": 10, "min_calls": 4, "open_seconds": 10, "max_open_seconds": 30, "trial_calls": 2}
    return CircuitBreaker(BreakerSettings(**{**settings, **values}), clock=clock, jitter=lambda: 1.0)


def make(breaker: CircuitBreaker, *succeeded: bool | None) -> None:
    for one in succeeded:
        with breaker.call() as call:
            call.succeeded = one


def opened(clock: Clock, **values: Any) -> CircuitBreaker:
    made = breaker(clock, **values)
    make(made, False, False, False, False)
    assert made.state is CircuitState.OPEN
    return made


def test_circuit_opens_when_too_many_recent_calls_have_failed(clock: Clock) -> None:
    made = breaker(clock)

    make(made, True, True, False, False)

    assert made.state is CircuitState.OPEN
    with pytest.raises(CircuitOpen) as rejected, made.call():
        pytest.fail("a call passed")
    assert rejected.value.seconds == 10


@pytest.mark.parametrize(
    "results",
    [
        (False, False, False),  # too few to judge
        (True, True, True, False, False),  # too few of them
        (False, True, True, True, *[True] * 10, False, False, False, False),  # the older ones are no longer judged
        (None, None, None, None, None, None),  # given up by us
    ],
)
def test_circuit_stays_closed_below_its_limits(clock: Clock, results: tuple[bool | None, ...]) -> None:
    made = breaker(clock)

    make(made, *results)

    assert made.state is CircuitState.CLOSED
    assert made.open_for_seconds() == 0


def test_half_open_circuit_closes_after_its_trial_calls(clock: Clock) -> None:
    made = opened(clock)

    clock.now += 9.9
    with pytest.raises(CircuitOpen), made.call():
        pytest.fail("a call passed")
    clock.now += 0.1
    with made.call() as first, made.call() as second:
        with pytest.raises(CircuitOpen), made.call():
            pytest.fail("a third call passed")
        first.succeeded = second.succeeded = True

    assert made.state is CircuitState.CLOSED
    make(made, False, False, False)  # what failed before it opened is forgotten
    assert made.state is CircuitState.CLOSED


def test_failed_trial_opens_the_circuit_for_longer_up_to_a_maximum(clock: Clock) -> None:
    made = opened(clock)

    waits = []
    for _ in range(3):
        clock.now += made.open_for_seconds()
        make(made, False)
        waits.append(made.open_for_seconds())

    assert waits == [20, 30, 30]


def test_closed_circuit_opens_for_the_first_duration_again(clock: Clock) -> None:
    made = opened(clock)
    clock.now += 10
    make(made, False)
    clock.now += 20
    make(made, True, True)

    make(made, False, False, False, False)

    assert made.open_for_seconds() == 10


def test_cancelled_trial_makes_room_for_another(clock: Clock) -> None:
    made = opened(clock)
    clock.now += 10

    make(made, None, None, None, True, True)

    assert made.state is CircuitState.CLOSED


def test_trial_that_raises_makes_room_for_another(clock: Clock) -> None:
    made = opened(clock)
    clock.now += 10

    for _ in range(3):
        with contextlib.suppress(RuntimeError), made.call():
            raise RuntimeError

    make(made, True, True)
    assert made.state is CircuitState.CLOSED


def test_call_from_before_the_opening_is_not_counted(clock: Clock) -> None:
    made = breaker(clock)
    with made.call() as late:
        make(made, False, False, False, False)
        late.succeeded = True

    assert made.state is CircuitState.OPEN


def test_jitter_spreads_the_ends_of_open_circuits(clock: Clock) -> None:
    settings = BreakerSettings(window_calls=1, min_calls=1, open_seconds=10)
    waits = set()
    for fraction in (0.0, 0.5, 1.0):
        made = CircuitBreaker(settings, clock=clock, jitter=lambda fraction=fraction: fraction)  # type: ignore[misc]
        make(made, False)
        waits.add(made.open_for_seconds())

    assert waits == {7.5, 8.75, 10.0}
