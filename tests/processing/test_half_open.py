"""A half-open circuit, shared or of a process, is tried by an operation that others' fate does not hang on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from payments import repository
from payments.acquirer.breaker import BreakerSettings, CircuitBreaker
from payments.acquirer.http_client import HttpAcquirer
from payments.acquirer.port import AcquirerRequest, NotPerformed, Unserved
from payments.processing.circuit import SharedCircuit
from payments.processing.consumer import consume
from tests.payments.conftest import Database
from tests.processing.support import World, accepted, world

pytestmark = [pytest.mark.requirement("P3.2", "Q4")]

Scenario = Callable[[World], Awaitable[None]]
Run = Callable[..., None]


@pytest.fixture
def run(database: Database) -> Run:
    def run(scenario: Scenario) -> None:
        async def main() -> None:
            async with world(database) as made:
                await scenario(made)

        asyncio.run(main())

    return run


def half_open(world: World, interval: str) -> None:
    world.connection.execute(
        "UPDATE payments.circuits SET failures = 10, times_opened = 1, open_until = now() - %s::interval", (interval,)
    )


def test_operation_that_alone_fails_does_not_keep_the_circuit_open_for_those_behind_it(run: Run) -> None:
    async def scenario(world: World) -> None:
        poisoned, healthy = accepted(world.connection), accepted(world.connection)
        perform = world.processor.acquirer.perform
        requested: list[UUID] = []

        async def fail_for_one(request: AcquirerRequest, seconds: float) -> Any:
            requested.append(request.key)
            if request.key == requested[0]:
                return NotPerformed("status 500", unserved=Unserved.FAILED)
            return await perform(request, seconds)

        world.processor.acquirer.perform = fail_for_one  # type: ignore[method-assign]
        await consume(world.processor, "m", poisoned.to_json(), 1, 30.0)
        half_open(world, "0 seconds")
        for message in (poisoned, healthy):  # the older one first, as a queue mostly delivers them
            world.processor.circuit = SharedCircuit(world.processor.database)
            await consume(world.processor, "m", message.to_json(), 2, 30.0)
        assert world.status(healthy) == "captured"
        assert repository.get_circuit(world.connection).open_seconds is None
        assert world.attempts(poisoned) == 1

    run(scenario)


def test_operation_that_alone_fails_makes_no_trial_call_of_a_process_whose_own_breaker_is_half_open(run: Run) -> None:
    """The shared circuit is closed: others are served. The failure would open it for all of them again."""

    async def scenario(world: World) -> None:
        seconds = 0.0
        acquirer = world.processor.acquirer
        assert isinstance(acquirer, HttpAcquirer)
        acquirer.breaker = CircuitBreaker(BreakerSettings(min_calls=1, trial_calls=1), clock=lambda: seconds)
        with acquirer.breaker.call() as call:
            call.succeeded = False
        seconds = 5.0
        assert acquirer.half_open_for_seconds() is not None
        poisoned, healthy = accepted(world.connection), accepted(world.connection)
        repository.claim(world.connection, poisoned.operation_id, timedelta(seconds=-1))
        world.behave(down=True)
        await consume(world.processor, "m", poisoned.to_json(), 2, 30.0)
        assert acquirer.half_open_for_seconds() is not None
        world.behave()
        await consume(world.processor, "m", healthy.to_json(), 1, 30.0)
        assert world.status(healthy) == "captured"
        assert acquirer.half_open_for_seconds() is None
        assert repository.get_circuit(world.connection).times_opened == 0
        await consume(world.processor, "m", poisoned.to_json(), 3, 30.0)
        assert world.status(poisoned) == "captured"

    run(scenario)


def test_operation_that_failed_before_makes_the_trial_call_where_no_other_does(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        repository.claim(world.connection, message.operation_id, timedelta(seconds=-1))
        half_open(world, "1 minute")
        world.processor.circuit = SharedCircuit(world.processor.database)
        await world.process(message)
        assert world.status(message) == "captured"

    run(scenario)
