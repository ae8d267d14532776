"""The reconciler: what nobody has answered is answered, sent again or ended; what lies in the dead letters rests."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from payments import metrics, repository
from payments.acquirer.port import Demand, Unknown
from payments.messages import ProcessOperation
from payments.processing.processor import Again
from payments.processing.reconciler import Reconciler, Report
from payments.processing.settings import ReconciliationSettings
from payments.states import Kind
from tests.payments.conftest import Database
from tests.processing.support import World, accepted, world

pytestmark = [pytest.mark.requirement("P3.2")]

HOUR, DAY = 3600.0, 86400.0
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


async def reconcile(world: World, seconds: float = 60.0, **settings: Any) -> Report:
    return await Reconciler(world.processor, ReconciliationSettings(**settings)).run(lambda: seconds)


def due(world: World) -> None:
    """Let time pass until everything is due, and no claim holds any more."""
    world.connection.execute(
        "UPDATE payments.operations SET next_attempt_at = now() - interval '1 second',"
        " claimed_until = claimed_until - interval '1 hour' WHERE state = 'asked'"
    )


def letters(world: World) -> set[str]:
    with world.connection.transaction():
        return {str(one.operation_id) for one in repository.letters(world.connection, 100)}


async def charged_without_answer(world: World, age_seconds: float = HOUR) -> ProcessOperation:
    """A payment that the acquirer has charged, and of which we do not know it."""
    message = accepted(world.connection, age_seconds=age_seconds)
    world.behave(silent_percent=100)
    with pytest.raises(Again):
        await world.process(message, 6.0)  # time for the request, and for no look-up
    world.behave()
    due(world)
    return message


def test_a_lost_answer_is_found(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = await charged_without_answer(world)

        report = await reconcile(world)

        assert report.results == Counter(answered=1)
        assert world.state(message) == "captured"
        assert world.asked(message) == 1
        assert world.measured(metrics.RECONCILED) == [1]
        assert world.measured(metrics.SUCCEEDED) == [1]
        assert not letters(world)
        assert (await reconcile(world)).found == 0

    run(scenario, adapter={"read_seconds": 5.0})


def test_a_lost_message_is_sent_again_and_not_at_once_once_more(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection, age_seconds=HOUR)
        assert (await reconcile(world)).results == Counter(sent_again=1)
        assert letters(world) == {str(message.operation_id)}
        world.connection.execute("DELETE FROM payments.outbox")
        assert (await reconcile(world)).found == 0
        assert not world.simulator.book.asked

    run(scenario)


@pytest.mark.requirement("W5.2")
def test_what_has_no_answer_is_measured_by_currency_wherever_its_message_is(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(world: World) -> None:
        await reconcile(world)
        assert world.measured(metrics.UNSETTLED) == [0], "nothing at risk is said, too"

        young = accepted(world.connection, amount=1250)
        accepted(world.connection, amount=50, age_seconds=HOUR)
        accepted(world.connection, amount=700, currency="JPY", age_seconds=2 * DAY)
        answered = accepted(world.connection, amount=9999)
        await world.process(answered)
        world.processor.measures.flush()
        await reconcile(world, give_up_seconds=30 * DAY)
        assert world.state(young) == "accepted"
        assert world.measured(metrics.UNSETTLED) == [3]

        caplog.clear()
        world.processor.measures.flush()
        written = [record.values for record in caplog.records if hasattr(record, "values")]
        amounts = [one for one in written if metrics.AMOUNT_AT_RISK.name in one]
        assert [(one["Currency"], one["AmountUnsettled"]) for one in amounts] == [("EUR", 1300), ("JPY", 700)]
        for one in amounts:
            (directive,) = one["_aws"]["CloudWatchMetrics"]
            assert directive["Dimensions"] == [["Environment", "Currency"]]
            assert directive["Metrics"] == [{"Name": "AmountUnsettled", "Unit": "None"}]

    with caplog.at_level(logging.INFO, "payments"):
        run(scenario)


def test_what_the_queue_still_has_time_for_is_left_to_it(run: Run) -> None:
    async def scenario(world: World) -> None:
        accepted(world.connection, age_seconds=60)
        assert (await reconcile(world)).found == 0
        accepted(world.connection, age_seconds=600)
        assert (await reconcile(world)).results == Counter(waiting=1)
        assert not letters(world)

    run(scenario)


def test_what_was_tried_and_is_not_known_is_sent_again(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection, age_seconds=HOUR)
        with pytest.raises(Again):
            await world.process(message)
        due(world)
        world.behave()
        assert (await reconcile(world)).results == Counter(sent_again=1)
        assert world.state(message) == "accepted"
        await world.process(message)
        assert world.state(message) == "captured"

    run(scenario, failing_percent=100)


def test_what_lies_in_the_dead_letters_is_looked_up_and_not_sent(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection, age_seconds=HOUR)
        for _ in range(5):
            with pytest.raises(Again):
                await world.process(message)
        due(world)
        world.behave()
        assert (await reconcile(world)).results == Counter(waiting=1)
        assert not letters(world)
        assert world.simulator.book.asked[str(message.operation_id)] == 5

    run(scenario, failing_percent=100, adapter={"tries": 1})


def test_what_the_acquirer_does_not_know_of_after_a_day_has_failed(run: Run) -> None:
    async def scenario(world: World) -> None:
        never, tried = (accepted(world.connection, age_seconds=DAY) for _ in range(2))
        with pytest.raises(Again):
            await world.process(tried)
        due(world)
        world.behave()
        assert (await reconcile(world)).results == Counter(failed=2)
        for message in (never, tried):
            assert world.state(message) == "failed"
            (operation,) = repository.operations(world.connection, message.payment_id)
            assert operation.reason == "not_known_to_acquirer"
        assert not world.simulator.book.entries
        await world.process(never)
        assert not world.simulator.book.entries, "a late message changes nothing"

    run(scenario, failing_percent=100)


def test_what_was_charged_is_never_given_up(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = await charged_without_answer(world, age_seconds=10 * DAY)
        assert (await reconcile(world)).results == Counter(answered=1)
        assert world.state(message) == "captured"

    run(scenario, adapter={"read_seconds": 5.0})


def test_when_the_acquirer_cannot_say_nothing_is_decided(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = await charged_without_answer(world, age_seconds=10 * DAY)

        async def cannot_say(demand: Demand, seconds: float) -> Any:
            return Unknown("status 500")

        world.processor.acquirer.look_up = cannot_say  # type: ignore[method-assign]
        assert (await reconcile(world)).results == Counter(unknown=1)
        assert world.state(message) == "accepted"
        assert not letters(world)
        assert (await reconcile(world)).found == 0, "it is due later"

    run(scenario, adapter={"read_seconds": 5.0})


def test_what_somebody_is_at_is_left_alone(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection, age_seconds=10 * DAY)
        assert await world.processor.claim(message.operation_id, 5.0)
        assert (await reconcile(world)).found == 0
        assert world.state(message) == "accepted"

    run(scenario)


def test_without_time_nothing_is_begun(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = await charged_without_answer(world)
        report = await reconcile(world, seconds=4.0)
        assert report.results == Counter(not_reached=1)
        assert world.attempts(message) == 1

    run(scenario, adapter={"read_seconds": 5.0})


def test_many_at_once_and_the_age_of_the_oldest(run: Run) -> None:
    async def scenario(world: World) -> None:
        messages = [accepted(world.connection, Kind.SALE, age_seconds=DAY + number) for number in range(30)]
        report = await reconcile(world, at_once=8, most_operations=20)
        assert (report.found, report.results) == (20, Counter(failed=20))
        assert DAY < report.oldest_seconds < DAY + 120
        await reconcile(world)
        assert {world.state(message) for message in messages} == {"failed"}

    run(scenario)
