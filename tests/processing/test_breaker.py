"""The circuit breaker, on a clock that only a test moves."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from payments.acquirer.breaker import Breaker, BreakerSettings, CircuitOpen, CircuitState


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def breaker(clock: Clock, **values: Any) -> Breaker:
    settings = {"window_calls": 10, "least_calls": 4, "open_seconds": 10, "longest_open_seconds": 30, "trial_calls": 2}
    return Breaker(BreakerSettings(**{**settings, **values}), clock=clock, chance=lambda: 1.0)


def make(breaker: Breaker, *answered: bool | None) -> None:
    for one in answered:
        with breaker.call() as call:
            call.answered = one


def opened(clock: Clock, **values: Any) -> Breaker:
    made = breaker(clock, **values)
    make(made, False, False, False, False)
    assert made.state is CircuitState.OPEN
    return made


def test_opens_when_too_many_of_the_last_calls_have_failed(clock: Clock) -> None:
    made = breaker(clock)

    make(made, True, True, False, False)

    assert made.state is CircuitState.OPEN
    with pytest.raises(CircuitOpen) as refused, made.call():
        pytest.fail("a call passed")
    assert refused.value.seconds == 10


@pytest.mark.parametrize(
    "answers",
    [
        (False, False, False),  # too few to judge
        (True, True, True, False, False),  # too few of them
        (False, True, True, True, *[True] * 10, False, False, False, False),  # the older ones are no longer judged
        (None, None, None, None, None, None),  # given up by us
    ],
)
def test_stays_closed(clock: Clock, answers: tuple[bool | None, ...]) -> None:
    made = breaker(clock)

    make(made, *answers)

    assert made.state is CircuitState.CLOSED
    assert made.closed_for_seconds() == 0


def test_tries_with_a_few_calls_and_closes(clock: Clock) -> None:
    made = opened(clock)

    clock.now += 9.9
    with pytest.raises(CircuitOpen), made.call():
        pytest.fail("a call passed")
    clock.now += 0.1
    with made.call() as first, made.call() as second:
        with pytest.raises(CircuitOpen), made.call():
            pytest.fail("a third call passed")
        first.answered = second.answered = True

    assert made.state is CircuitState.CLOSED
    make(made, False, False, False)  # what failed before it opened is forgotten
    assert made.state is CircuitState.CLOSED


def test_a_failed_trial_opens_it_again_for_longer_up_to_a_bound(clock: Clock) -> None:
    made = opened(clock)

    waits = []
    for _ in range(3):
        clock.now += made.closed_for_seconds()
        make(made, False)
        waits.append(made.closed_for_seconds())

    assert waits == [20, 30, 30]


def test_closing_makes_the_next_opening_short_again(clock: Clock) -> None:
    made = opened(clock)
    clock.now += 10
    make(made, False)
    clock.now += 20
    make(made, True, True)

    make(made, False, False, False, False)

    assert made.closed_for_seconds() == 10


def test_a_trial_that_was_given_up_makes_room_for_another(clock: Clock) -> None:
    made = opened(clock)
    clock.now += 10

    make(made, None, None, None, True, True)

    assert made.state is CircuitState.CLOSED


def test_a_trial_that_raises_makes_room_too(clock: Clock) -> None:
    made = opened(clock)
    clock.now += 10

    for _ in range(3):
        with contextlib.suppress(RuntimeError), made.call():
            raise RuntimeError

    make(made, True, True)
    assert made.state is CircuitState.CLOSED


def test_calls_from_before_it_opened_are_no_news(clock: Clock) -> None:
    made = breaker(clock)
    with made.call() as late:
        make(made, False, False, False, False)
        late.answered = True

    assert made.state is CircuitState.OPEN


def test_processes_do_not_try_at_the_same_moment(clock: Clock) -> None:
    settings = BreakerSettings(window_calls=1, least_calls=1, open_seconds=10)
    waits = set()
    for chance in (0.0, 0.5, 1.0):
        made = Breaker(settings, clock=clock, chance=lambda chance=chance: chance)  # type: ignore[misc]
        make(made, False)
        waits.add(made.closed_for_seconds())

    assert waits == {7.5, 8.75, 10.0}
