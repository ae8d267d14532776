"""Processing against a real database and a real server: one answer each, whatever is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from payments import metrics, repository
from payments.acquirer.port import Approved
from payments.messages import ProcessOperation
from payments.processing.consumer import Later, consume
from payments.processing.processor import Again, NoSuchOperation
from payments.states import Kind, Progress
from tests.payments.conftest import Database
from tests.processing.support import World, accepted, asked, world

pytestmark = [pytest.mark.requirement("P3.2")]

SECONDS_TO_WAIT = 120
Scenario = Callable[[World], Awaitable[None]]
Run = Callable[..., None]


@pytest.fixture
def run(database: Database) -> Run:
    def run(scenario: Scenario, **values: Any) -> None:
        async def main() -> None:
            async with world(database, **values) as made:
                await scenario(made)

        asyncio.run(main())

    return run


def test_an_approval_is_stored_and_measured(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        await world.process(message)
        assert world.state(message) == "captured"
        assert world.simulator.book.summary()["sums"] == {"sale EUR": 1250}
        assert world.measured(metrics.SUCCEEDED) == [1]
        (milliseconds,) = world.measured(metrics.PROCESSING_TIME)
        assert 0 < milliseconds < 60_000

    run(scenario)


def test_a_decline_is_stored(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        await world.process(message)
        assert world.state(message) == "refused"
        (operation,) = repository.operations(world.connection, message.payment_id)
        assert operation.reason in {"insufficient_funds", "do_not_honor", "expired_card"}
        assert world.measured(metrics.FAILED) == [1]

    run(scenario, declined_percent=100)


def test_the_whole_life_of_a_payment(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection, Kind.AUTHORIZATION, 1000)
        await world.process(message)
        for kind, amount, state in (
            (Kind.CAPTURE, 900, "captured"),
            (Kind.REFUND, 400, "captured"),
            (Kind.REFUND, 500, "refunded"),
        ):
            await world.process(asked(world.connection, message.payment_id, kind, amount))
            assert world.state(message) == state
        (account,) = world.simulator.book.accounts.values()
        assert (account.reserved, account.taken, account.given_back) == (0, 900, 900)
        assert world.measured(metrics.SUCCEEDED) == [1], "one payment, whatever came after"

    run(scenario)


def test_a_second_message_asks_nobody(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        for _ in range(3):
            await world.process(message)
        assert world.asked(message) == 1
        assert world.attempts(message) == 1
        assert world.measured(metrics.SUCCEEDED) == [1]

    run(scenario)


def test_of_many_at_once_one_asks(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        ended = await asyncio.gather(*(world.process(message) for _ in range(20)), return_exceptions=True)
        assert None in ended
        others = [one for one in ended if one is not None]
        assert others
        assert all(isinstance(one, Again) and one.cause == "claimed by another" for one in others)
        assert all(5 < one.seconds <= 11 for one in others if isinstance(one, Again)), "as long as the claim"
        assert world.asked(message) == 1
        assert world.state(message) == "captured"

    run(scenario, seconds=0.2)


def test_a_lost_answer_is_looked_up_by_the_next_try(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        with pytest.raises(Again) as again:
            await world.process(message, 6.0)  # time for the request, and for no look-up
        assert again.value.cause == "TimeoutError"
        assert again.value.seconds == 4
        assert world.state(message) == "accepted"
        assert world.measured(metrics.ATTEMPTS_FAILED) == [1]

        await world.process(message)

        assert world.state(message) == "captured"
        assert world.asked(message) == 1, "the second try asked what had become of the first, and not again"

    run(scenario, adapter={"read_seconds": 5.0}, silent_percent=100)


def test_what_never_reached_the_acquirer_is_asked_again(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        with pytest.raises(Again):
            await world.process(message)
        assert world.state(message) == "accepted"
        world.behave()
        await world.process(message)
        assert world.state(message) == "captured"
        assert world.simulator.book.summary()["charged_twice"] == []

    run(scenario, failing_percent=100)


def test_each_delay_is_twice_as_long_up_to_a_bound(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        delays = []
        for _ in range(5):
            with pytest.raises(Again) as again:
                await world.process(message)
            delays.append(again.value.seconds)
        assert delays == [4, 8, 16, 20, 20]

    run(scenario, failing_percent=100, adapter={"tries": 1}, processing={"longest_delay_seconds": 20})


def test_an_open_circuit_costs_no_claim(run: Run) -> None:
    async def scenario(world: World) -> None:
        failing, waiting = accepted(world.connection), accepted(world.connection)
        with pytest.raises(Again):
            await world.process(failing)
        with pytest.raises(Again) as again:
            await world.process(waiting)
        assert again.value.cause == "circuit open"
        assert again.value.seconds > 10
        assert world.attempts(waiting) == 0

    breaker = {"window_calls": 1, "least_calls": 1, "open_seconds": 30}
    run(scenario, failing_percent=100, adapter={"tries": 1, "breaker": breaker})


def test_without_time_nothing_is_claimed(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        with pytest.raises(Again) as again:
            await world.process(message, 5.9)
        assert again.value.cause == "no time left"
        assert world.attempts(message) == 0

    run(scenario)


def test_a_claim_that_has_ended_passes_on(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        repository.claim(world.connection, message.operation_id, timedelta(seconds=-1))
        await world.process(message)
        assert world.state(message) == "captured"
        assert world.attempts(message) == 2

    run(scenario)


def test_an_answer_that_contradicts_what_is_stored_is_reported(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        claim = await world.processor.claim(message.operation_id, 1.0)
        assert claim
        repository.settle(world.connection, message.operation_id, Progress.FAILED, reason="given up")
        await world.processor.settle(claim, Approved("late"))
        assert world.measured(metrics.CONTRADICTED) == [1]
        assert world.state(message) == "failed"

    run(scenario)


def test_a_second_same_answer_is_no_contradiction(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        claim = await world.processor.claim(message.operation_id, 1.0)
        assert claim
        await world.processor.settle(claim, Approved("once"))
        await world.processor.settle(claim, Approved("once"))
        assert world.measured(metrics.CONTRADICTED) == []
        assert world.measured(metrics.SUCCEEDED) == [1]

    run(scenario)


def test_a_message_about_nothing(run: Run) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(NoSuchOperation):
            await world.process(ProcessOperation(uuid4(), uuid4(), "c"))

    run(scenario)


def test_no_connection_is_held_while_the_acquirer_is_asked(run: Run, database: Database) -> None:
    """Twenty calls that are not answered: the eight threads of the pool would not do, if each held one."""

    async def scenario(world: World) -> None:
        messages = [accepted(world.connection) for _ in range(20)]
        tasks = [asyncio.create_task(world.process(message, 300.0)) for message in messages]
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        async with asyncio.timeout(SECONDS_TO_WAIT):
            while world.simulator.in_flight < len(messages):
                await asyncio.sleep(0.01)
            while database.server.execute(query, (database.name,)) != [(1,)]:  # the test's own
                await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    patient = {"read_seconds": 100.0, "total_seconds": 200.0}
    run(scenario, adapter=patient, processing={"call_seconds": 200.0}, silent_percent=100)


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"version": 99}'])
def test_what_is_no_message_stays_for_the_dead_letters(run: Run, body: str) -> None:
    async def scenario(world: World) -> None:
        assert await consume(world.processor, "m", body, 1, 30.0) == Later(4.0, "NotUnderstood")
        assert world.measured(metrics.DEAD_LETTERS) == []
        await consume(world.processor, "m", body, 5, 30.0)
        assert world.measured(metrics.DEAD_LETTERS) == [1]

    run(scenario)


def test_an_answer_that_the_database_does_not_take_is_found_again(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        world.connection.execute(
            """
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE disk_full; END $$;
            CREATE TRIGGER fail BEFORE UPDATE ON payments.operations
                FOR EACH ROW WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION fail();
            """
        )
        later = await consume(world.processor, "m", message.to_json(), 1, 30.0)
        assert later == Later(4.0, "database: DiskFull")

        world.connection.execute("DROP TRIGGER fail ON payments.operations")
        world.connection.execute("UPDATE payments.operations SET claimed_until = now() - interval '1 second'")
        assert await consume(world.processor, "m", message.to_json(), 2, 30.0) is None
        assert world.state(message) == "captured"
        assert world.asked(message) == 1

    run(scenario)


def test_nothing_that_is_secret_is_logged(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    from payments import logs

    logs.configure()

    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        await consume(world.processor, "m", message.to_json(), 1, 30.0)
        world.behave()
        await consume(world.processor, "m", message.to_json(), 5, 30.0)
        world.processor.measures.flush()
        said = capfd.readouterr().out
        assert str(message.operation_id) in said
        assert "PaymentsSucceeded" in said
        assert f"tok_{message.payment_id}" not in said

    run(scenario, failing_percent=100)
