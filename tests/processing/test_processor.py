"""The processor with a real database and HTTP server: each operation completes once, whatever is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from payments import repository
from payments.acquirer.port import Approved, NotPerformed, Unserved
from payments.messages import ProcessOperation
from payments.processing.circuit import SharedCircuit
from payments.processing.consumer import GivenUp, Redelivery, consume
from payments.processing.processor import OperationNotFound, RetryLater
from payments.states import OperationKind, OperationStatus
from shared import payment_metrics as metrics
from tests.payments.conftest import Database
from tests.processing.support import World, accepted, requested, world

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


def test_approval_is_stored_and_measured(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        await world.process(message)
        assert world.status(message) == "captured"
        assert world.simulator.book.summary()["sums"] == {"sale EUR": 1250}
        assert world.measured(metrics.SUCCEEDED) == [1]
        (milliseconds,) = world.measured(metrics.PROCESSING_TIME)
        assert 0 < milliseconds < 60_000

    run(scenario)


def test_decline_is_stored_and_measured(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        await world.process(message)
        assert world.status(message) == "declined"
        (operation,) = repository.list_operations(world.connection, message.payment_id)
        assert operation.reason in {"insufficient_funds", "do_not_honor", "expired_card"}
        assert world.measured(metrics.FAILED) == [1]

    run(scenario, declined_percent=100)


def test_authorization_capture_and_refunds_complete_in_turn(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection, OperationKind.AUTHORIZATION, 1000)
        await world.process(message)
        for kind, amount, status in (
            (OperationKind.CAPTURE, 900, "captured"),
            (OperationKind.REFUND, 400, "captured"),
            (OperationKind.REFUND, 500, "refunded"),
        ):
            await world.process(requested(world.connection, message.payment_id, kind, amount))
            assert world.status(message) == status
        (account,) = world.simulator.book.accounts.values()
        assert (account.authorized, account.captured, account.refunded) == (0, 900, 900)
        assert world.measured(metrics.SUCCEEDED) == [1], "one payment, whatever came after"

    run(scenario)


def test_repeated_message_sends_no_request(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        for _ in range(3):
            await world.process(message)
        assert world.requests(message) == 1
        assert world.attempts(message) == 1
        assert world.measured(metrics.SUCCEEDED) == [1]

    run(scenario)


def test_concurrent_messages_send_one_request(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        ended = await asyncio.gather(*(world.process(message) for _ in range(20)), return_exceptions=True)
        assert None in ended
        others = [one for one in ended if one is not None]
        assert others
        assert all(isinstance(one, RetryLater) and one.cause == "claimed by another" for one in others)
        assert all(5 < one.seconds <= 11 for one in others if isinstance(one, RetryLater)), "as long as the claim"
        assert world.requests(message) == 1
        assert world.status(message) == "captured"

    run(scenario, seconds=0.2)


def test_lost_response_is_looked_up_by_the_next_attempt(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        with pytest.raises(RetryLater) as retry:
            await world.process(message, 6.0)  # time for the request, and for no look-up
        assert retry.value.cause == "TimeoutError"
        assert retry.value.seconds == 4
        assert world.status(message) == "accepted"
        assert world.measured(metrics.ATTEMPTS_FAILED) == [1]

        await world.process(message)

        assert world.status(message) == "captured"
        assert world.requests(message) == 1, "the second attempt looked up the first one's decision"

    run(scenario, adapter={"read_seconds": 5.0}, silent_percent=100)


def test_operation_that_was_not_performed_is_retried(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        with pytest.raises(RetryLater):
            await world.process(message)
        assert world.status(message) == "accepted"
        world.behave()
        await world.process(message)
        assert world.status(message) == "captured"
        assert world.simulator.book.summary()["charged_twice"] == []

    run(scenario, failing_percent=100)


def test_delay_doubles_up_to_the_maximum(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        delays = []
        for _ in range(5):
            with pytest.raises(RetryLater) as retry:
                await world.process(message)
            delays.append(retry.value.seconds)
        assert delays == [4, 8, 16, 20, 20]

    run(scenario, failing_percent=100, adapter={"tries": 1}, processing={"max_delay_seconds": 20})


def test_open_circuit_costs_no_attempt(run: Run) -> None:
    async def scenario(world: World) -> None:
        failing, waiting = accepted(world.connection), accepted(world.connection)
        with pytest.raises(RetryLater):
            await world.process(failing)
        with pytest.raises(RetryLater) as retry:
            await world.process(waiting)
        assert retry.value.cause == "circuit open"
        assert retry.value.seconds > 10
        assert world.attempts(waiting) == 0

    breaker = {"window_calls": 1, "min_calls": 1, "open_seconds": 30}
    run(scenario, failing_percent=100, adapter={"tries": 1, "breaker": breaker})


def test_without_time_nothing_is_claimed(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        with pytest.raises(RetryLater) as retry:
            await world.process(message, 5.9)
        assert retry.value.cause == "no time left"
        assert retry.value.seconds == 4, "as after a first attempt"
        assert world.attempts(message) == 0

    run(scenario)


def test_error_of_any_type_is_of_its_message_alone(run: Run) -> None:
    async def scenario(world: World) -> None:
        async def fail(request: object, seconds: float) -> Any:
            return Approved("\ud800")  # as of an acquirer that nobody has checked

        world.processor.acquirer.perform = fail  # type: ignore[method-assign]
        ended = await consume(world.processor, "m", accepted(world.connection).to_json(), 1, 30.0)
        assert ended == Redelivery(4.0, "UnicodeEncodeError")

    run(scenario)


def test_operation_is_given_up_after_its_tries_and_not_for_an_outage(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        outcomes = iter([*[NotPerformed("429", unserved=Unserved.THROTTLED)] * 5, *[NotPerformed("status 400")] * 5])

        async def perform(request: object, seconds: float) -> Any:
            return next(outcomes)

        world.processor.acquirer.perform = perform  # type: ignore[method-assign]
        ended = []
        for receives in range(1, 9):
            world.connection.execute(
                "UPDATE payments.circuits SET open_until = now() - interval '1 minute' WHERE open_until IS NOT NULL"
            )
            world.processor.circuit = SharedCircuit(world.processor.database)
            ended.append(await consume(world.processor, "m", message.to_json(), receives, 30.0))
        assert [type(one) for one in ended] == [*[Redelivery] * 7, GivenUp]
        assert world.measured(metrics.DEAD_LETTERS) == [1]
        assert world.status(message) == "accepted"

    run(scenario, processing={"tries": 3})


def test_expired_claim_is_taken_over(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        repository.claim(world.connection, message.operation_id, timedelta(seconds=-1))
        await world.process(message)
        assert world.status(message) == "captured"
        assert world.attempts(message) == 2

    run(scenario)


def test_decision_that_contradicts_the_stored_one_is_reported(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        claim = await world.processor.claim(message.operation_id, 1.0)
        assert claim
        repository.complete(world.connection, message.operation_id, OperationStatus.FAILED, reason="given up")
        await world.processor.store_decision(claim.operation, Approved("late"))
        assert world.measured(metrics.CONTRADICTED) == [1]
        assert world.status(message) == "failed"

    run(scenario)


def test_repeated_decision_is_no_contradiction(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        claim = await world.processor.claim(message.operation_id, 1.0)
        assert claim
        await world.processor.store_decision(claim.operation, Approved("once"))
        await world.processor.store_decision(claim.operation, Approved("once"))
        assert world.measured(metrics.CONTRADICTED) == []
        assert world.measured(metrics.SUCCEEDED) == [1]

    run(scenario)


def test_message_of_an_unknown_operation_is_rejected(run: Run) -> None:
    async def scenario(world: World) -> None:
        lost = ProcessOperation(uuid4(), uuid4(), "c")
        with pytest.raises(OperationNotFound):
            await world.process(lost)
        assert isinstance(await consume(world.processor, "m", lost.to_json(), 1, 30.0), Redelivery)
        assert world.measured(metrics.NOT_IN_DATABASE) == [1], "it may be charged, and its row lost: a person knows"

    run(scenario)


def test_no_database_connection_is_held_during_a_call_to_the_acquirer(run: Run, database: Database) -> None:
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
def test_invalid_message_is_given_up_in_the_end(run: Run, body: str) -> None:
    async def scenario(world: World) -> None:
        assert await consume(world.processor, "m", body, 1, 30.0) == Redelivery(4.0, "InvalidMessage")
        assert world.measured(metrics.DEAD_LETTERS) == []
        ended = await consume(world.processor, "m", body, world.processor.settings.tries, 30.0)
        assert isinstance(ended, GivenUp)
        assert world.measured(metrics.DEAD_LETTERS) == [1]

    run(scenario)


def test_decision_that_could_not_be_stored_is_looked_up_again(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        world.connection.execute(
            """
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE disk_full; END $$;
            CREATE TRIGGER fail BEFORE UPDATE ON payments.operations
                FOR EACH ROW WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION fail();
            """
        )
        redelivery = await consume(world.processor, "m", message.to_json(), 1, 30.0)
        assert redelivery == Redelivery(4.0, "database: DiskFull")

        world.connection.execute("DROP TRIGGER fail ON payments.operations")
        world.connection.execute("UPDATE payments.operations SET claimed_until = now() - interval '1 second'")
        assert await consume(world.processor, "m", message.to_json(), 2, 30.0) is None
        assert world.status(message) == "captured"
        assert world.requests(message) == 1

    run(scenario)


def test_token_is_not_logged(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    from payments import logs

    logs.configure()

    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        await consume(world.processor, "m", message.to_json(), 1, 30.0)
        world.behave()
        await consume(world.processor, "m", message.to_json(), 5, 30.0)
        world.processor.metrics.flush()
        said = capfd.readouterr().out
        assert str(message.operation_id) in said
        assert "PaymentsSucceeded" in said
        assert f"tok_{message.payment_id}" not in said

    run(scenario, failing_percent=100)
