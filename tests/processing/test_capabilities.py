"""48 hours with acquirers that differ: in how a lost response is looked up, and in how long a key is remembered.

Whatever an acquirer is capable of, nobody is charged twice, no payment fails, and what nobody can find out is a
person's, who was paged.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from payments import repository
from payments.acquirer.port import Capabilities, LookUp
from payments.messages import ProcessOperation
from tests.payments.conftest import Database
from tests.payments.support import BY
from tests.processing.simulation import HOUR, Fault, Simulation
from tests.processing.support import seen_by_acquirer
from tests.processing.test_simulation import begin

pytestmark = [pytest.mark.requirement("Q4", "Q7")]

Scenario = Callable[[Simulation], Awaitable[None]]
Run = Callable[..., None]
RETENTION = timedelta(hours=24)
SETS = [Capabilities(look_up=one, key_retention=RETENTION) for one in LookUp]
EVERY_SET = pytest.mark.parametrize("capabilities", SETS, ids=[one.look_up.value for one in SETS])
REQUESTS, LOST, CLAIMED, CHARGED = range(4)
STARTS = [
    start
    for start in itertools.product((0, 1, 12), (False, True), (False, True), (False, True))
    if start[REQUESTS] or not start[CHARGED]  # what was never requested is not charged
]
"""Requests so far, whether the message is lost, whether a claim is held, and whether the acquirer has charged it."""


@pytest.fixture
def run(database: Database) -> Run:
    def run(scenario: Scenario, *faults: Fault, **values: Any) -> None:
        with database.connect() as connection:
            asyncio.run(scenario(Simulation(connection, faults, **values)))  # type: ignore[arg-type]

    return run


def end_of(start: tuple[int, bool, bool, bool], look_up: LookUp) -> str:
    """The status after 48 hours; pending where nobody but a person can end it."""
    given_up = start[REQUESTS] == 12 and start[LOST]
    if look_up is LookUp.BY_FILE:  # a claim that is held is a request that may be on its way
        return "pending" if start[REQUESTS] or start[CLAIMED] else "succeeded"
    if not given_up or (start[CHARGED] and look_up is not LookUp.BY_REPEAT):
        return "succeeded"
    # A person had a day. By our reference the acquirer denies it for ever, by a key only while it remembers keys.
    return "failed" if look_up is LookUp.BY_REFERENCE else "pending"


@EVERY_SET
def test_every_starting_point_ends_with_a_decision_or_is_a_persons(run: Run, capabilities: Capabilities) -> None:
    async def scenario(simulation: Simulation) -> None:
        messages = {
            start: begin(simulation, start[0], lost=start[1], claimed=start[2], charged=start[3]) for start in STARTS
        }
        await simulation.run(48 * HOUR)
        statuses = simulation.statuses()
        ended = {start: statuses[message.operation_id] for start, message in messages.items()}
        assert ended == {start: end_of(start, capabilities.look_up) for start in STARTS}
        assert min(simulation.paged) < HOUR
        assert not simulation.twice()

    run(scenario, capabilities=capabilities)


LOST_RESPONSES = Fault(0, 30 * HOUR, "silent")
"""Longer than keys are remembered, everything is performed and no response comes."""


@EVERY_SET
def test_what_may_be_forgotten_is_not_requested_again(run: Run, capabilities: Capabilities) -> None:
    async def scenario(simulation: Simulation) -> None:
        message = simulation.accept()
        await simulation.run(48 * HOUR)
        assert len(simulation.acquirer.book.entries) == 1, "charged once"
        status = simulation.statuses()[message.operation_id]
        # By our reference it is found for ever. Elsewhere nobody can tell, and it is not taken for a failure.
        assert status == ("succeeded" if capabilities.look_up is LookUp.BY_REFERENCE else "pending")
        assert simulation.paged

    run(scenario, LOST_RESPONSES, capabilities=capabilities)


def test_simulation_notices_a_retention_that_is_set_too_long(run: Run) -> None:
    """Otherwise the test above would prove nothing."""

    async def scenario(simulation: Simulation) -> None:
        simulation.accept()
        await simulation.run(32 * HOUR)
        assert simulation.twice()

    forgets = Capabilities(look_up=LookUp.BY_REPEAT, key_retention=RETENTION)
    believed = Capabilities(look_up=LookUp.BY_REPEAT, key_retention=timedelta(days=30))
    run(scenario, LOST_RESPONSES, capabilities=forgets, believed=believed)


def payment_of(simulation: Simulation, message: ProcessOperation) -> repository.Payment:
    found = repository.get_payment(simulation.connection, BY.merchant_id, message.payment_id)
    assert found
    return found


@EVERY_SET
@pytest.mark.parametrize("promise", ["pending", "action_required"])
def test_decision_that_comes_later_is_found_or_a_persons_in_time(
    run: Run, capabilities: Capabilities, promise: str
) -> None:
    async def scenario(simulation: Simulation) -> None:
        message = simulation.accept()
        key = seen_by_acquirer(simulation.connection, message).key
        simulation.acquirer.promises[key] = promise
        await simulation.run(2 * HOUR)
        payment = payment_of(simulation, message)
        action = {
            "type": "redirect",
            "url": f"https://acs.example.com/{key}",
            "method": "POST",
            "data": {"creq": key},
        }
        expected = ("requires_action", action) if promise == "action_required" else ("accepted", None)
        assert (payment.status, payment.next_action) == expected
        assert not simulation.queue.messages, "its message has done its work"

        simulation.acquirer.book.decide(key)
        await simulation.run(4 * HOUR)
        assert not simulation.paged, "it had a day"
        if capabilities.can_look_up:
            assert payment_of(simulation, message).status == "captured"
            assert payment_of(simulation, message).next_action is None
        else:
            await simulation.run(25 * HOUR)
            assert simulation.paged, "no notification has come"
        assert simulation.acquirer.book.requests[key] == 1

    run(scenario, capabilities=capabilities)
