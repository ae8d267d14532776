"""48 hours and more of processing on a simulated clock: every operation is answered, or a person was paged in time.

None fails while the acquirer is well, none is charged twice, and an outage of the acquirer costs no dead letter.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from payments import repository
from payments.messages import ProcessOperation
from tests.payments.conftest import Database
from tests.processing.simulation import HOUR, MINUTE, Acquirer, Fault, Simulation
from tests.processing.support import accepted, seen_by_acquirer

pytestmark = [pytest.mark.requirement("P3.2", "Q4")]

DAY = 24 * HOUR
Scenario = Callable[[Simulation], Awaitable[None]]
Run = Callable[..., None]


@pytest.fixture
def run(database: Database) -> Run:
    def run(scenario: Scenario, *faults: Fault, **values: Any) -> None:
        with database.connect() as connection:
            asyncio.run(scenario(Simulation(connection, faults, **values)))  # type: ignore[arg-type]

    return run


STARTS = list(itertools.product((0, 1, 2, 5, 11, 12), (False, True), (False, True), (False, True)))
"""Requests so far, whether the message is lost, whether a claim is held, and whether the acquirer has charged it."""


def begin(simulation: Simulation, requests: int, *, lost: bool, claimed: bool, charged: bool) -> ProcessOperation:
    """An operation in the middle of its processing."""
    message = accepted(simulation.connection)
    if claimed:
        repository.claim(simulation.connection, message.operation_id, timedelta(seconds=35))
    simulation.connection.execute(
        "UPDATE payments.operations SET attempts = %s, tries = %s, requested_at = coalesce(%s, requested_at)"
        " WHERE id = %s",
        (requests, requests, simulation.clock.now() - timedelta(minutes=1) if requests else None, message.operation_id),
    )
    if not lost:
        simulation.queue.send({"": message.to_json()})
    if charged:
        request = seen_by_acquirer(simulation.connection, message)
        simulation.acquirer.book.enter(request.key, request.body, "")
    return message


def test_every_starting_point_ends_with_a_decision_or_a_page(run: Run) -> None:
    async def scenario(simulation: Simulation) -> None:
        messages = {
            start: begin(simulation, start[0], lost=start[1], claimed=start[2], charged=start[3])
            for start in STARTS
            if start[0] or not start[3]  # what was never requested is not charged
        }
        await simulation.run(48 * HOUR)
        statuses = simulation.statuses()
        ended = {start: statuses[message.operation_id] for start, message in messages.items()}
        wrong = {start: status for start, status in ended.items() if status != "succeeded"}
        assert set(wrong) <= {(simulation.settings.tries, True, claimed, False) for claimed in (False, True)}, (
            "only what was given up before, and whose message is lost, is a person's"
        )
        assert simulation.paged
        assert min(simulation.paged) < HOUR, "a person had a day, before anything was failed"
        assert not simulation.twice()

    run(scenario)


PAYMENTS = 10
OUTAGES = {"40 s": 40.0, "10 min": 10 * MINUTE, "6 h": 6 * HOUR, "3 days": 3 * DAY}


@pytest.mark.parametrize("seconds", OUTAGES.values(), ids=OUTAGES)
def test_outage_costs_no_dead_letter_and_ends_by_itself(run: Run, seconds: float) -> None:
    async def scenario(simulation: Simulation) -> None:
        arrivals = [number * (MINUTE + seconds) / PAYMENTS for number in range(PAYMENTS)]
        await simulation.run(MINUTE + seconds + HOUR, arrivals)
        assert simulation.queue.dead == []
        assert Counter(simulation.statuses().values()) == {"succeeded": PAYMENTS}
        assert not simulation.twice()
        if seconds > HOUR:
            (first, *_) = [at for at in arrivals if at > MINUTE]
            assert min(simulation.paged) < first + HOUR, "a person knows, and goes on knowing"

    run(scenario, Fault(MINUTE, MINUTE + seconds, 500))


@pytest.mark.parametrize("kind", [401, 403, 404, 429, 503, "page", "silent", "requests"])
def test_no_kind_of_outage_costs_a_dead_letter(run: Run, kind: int | str) -> None:
    async def scenario(simulation: Simulation) -> None:
        await simulation.run(2.5 * HOUR, [number * 200.0 for number in range(PAYMENTS)])
        assert simulation.queue.dead == []
        assert Counter(simulation.statuses().values()) == {"succeeded": PAYMENTS}
        assert not simulation.twice()
        made = calls(simulation.acquirer, kind)
        # Where look-ups are answered it may be a single operation's failure: tries are made, with growing delays.
        assert 0 < made < (1000 if kind == "requests" else 150), "two a minute and the first ones, however many wait"
        if kind in {401, 403}:
            assert min(simulation.paged) == 200.0, "with the first call"

    run(scenario, Fault(MINUTE, HOUR + MINUTE, kind))


def calls(acquirer: Acquirer, kind: int | str) -> int:
    return sum(number for call, number in acquirer.calls.items() if call.endswith(f" {kind}"))


def test_operation_that_fails_while_others_succeed_is_given_up_and_ends_nobody_else(run: Run) -> None:
    async def scenario(simulation: Simulation) -> None:
        poisoned = simulation.accept()
        key = seen_by_acquirer(simulation.connection, poisoned).key
        simulation.acquirer.faults.append(Fault(0, 100 * DAY, 500, key))
        await simulation.run(12 * HOUR, [number * MINUTE for number in range(60)])
        assert len(simulation.queue.dead) == 1
        assert Counter(simulation.statuses().values()) == {"succeeded": 60, "pending": 1}
        assert simulation.paged

    run(scenario)


def test_operation_that_fails_where_nobody_else_calls_is_given_up(run: Run) -> None:
    """Its look-ups are answered, so that it is no outage."""

    async def scenario(simulation: Simulation) -> None:
        simulation.accept()
        await simulation.run(12 * HOUR)
        assert len(simulation.queue.dead) == 1
        assert simulation.paged

    run(scenario, Fault(0, DAY, "requests"))


def test_gateway_page_is_no_word_of_the_acquirer(run: Run) -> None:
    """Charged, the answer lost, and then every look-up ends at a page of its gateway, for days."""

    async def scenario(simulation: Simulation) -> None:
        message = begin(simulation, 1, lost=True, claimed=False, charged=True)
        await simulation.run(2 * DAY)
        assert simulation.statuses()[message.operation_id] == "pending"
        assert simulation.paged
        await simulation.run(2 * DAY + 2 * HOUR)
        assert simulation.statuses()[message.operation_id] == "succeeded"

    run(scenario, Fault(0, 2 * DAY, "page"))
