"""The reconciler: overdue operations are completed, sent again or failed; dead letters are left to a person."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from payments import repository
from payments.acquirer.port import AcquirerRequest, Approved, Unknown
from payments.messages import ProcessOperation
from payments.processing.processor import RetryLater
from payments.processing.reconciler import Reconciler, Report
from payments.processing.settings import ReconciliationSettings
from payments.states import OperationKind
from shared import payment_metrics as metrics
from tests.payments.conftest import Database
from tests.processing.support import World, accepted, world

pytestmark = [pytest.mark.requirement("P3.2")]

HOUR, DAY = 3600.0, 86400.0
PATIENT = {"read_seconds": 20.0, "total_seconds": 25.0}
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


def due(world: World, seconds: float = 1.0) -> None:
    """Make every pending operation overdue for so long, and let every claim expire."""
    world.connection.execute(
        f"UPDATE payments.operations SET next_attempt_at = now() - interval '{seconds} seconds',"
        " next_look_up_at = NULL, claimed_until = claimed_until - interval '1 hour' WHERE status = 'pending'"
    )


def outbox(world: World) -> set[str]:
    with world.connection.transaction(force_rollback=True):
        return {str(one.operation_id) for one in repository.claim_outbox_messages(world.connection, 100)}


async def charged_without_response(world: World, age_seconds: float = HOUR) -> ProcessOperation:
    """A payment that the acquirer has charged, and whose response is lost."""
    message = accepted(world.connection, age_seconds=age_seconds)
    world.behave(silent_percent=100)
    with pytest.raises(RetryLater):
        await world.process(message, 6.0)  # time for the request, and for no look-up
    world.behave()
    due(world)
    return message


def test_lost_response_is_looked_up_and_completed(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = await charged_without_response(world)

        report = await reconcile(world)

        assert report.results == Counter(completed=1)
        assert world.status(message) == "captured"
        assert world.requests(message) == 1
        assert world.measured(metrics.RECONCILED) == [1]
        assert world.measured(metrics.SUCCEEDED) == [1]
        assert not outbox(world)
        assert (await reconcile(world)).found == 0

    run(scenario, adapter={"read_seconds": 5.0})


def test_lost_message_is_sent_again_once(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection, age_seconds=HOUR)
        assert (await reconcile(world)).results == Counter(resent=1)
        assert outbox(world) == {str(message.operation_id)}
        world.connection.execute("DELETE FROM payments.outbox")
        assert (await reconcile(world)).found == 0
        assert not world.simulator.book.requests

    run(scenario)


@pytest.mark.requirement("W5.2")
def test_pending_amounts_are_measured_by_currency(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(world: World) -> None:
        await reconcile(world)
        assert world.measured(metrics.PENDING) == [0], "zero is measured, too"

        young = accepted(world.connection, amount=1250)
        accepted(world.connection, amount=50, age_seconds=HOUR)
        accepted(world.connection, amount=700, currency="JPY", age_seconds=2 * DAY)
        answered = accepted(world.connection, amount=9999)
        await world.process(answered)
        world.processor.metrics.flush()
        await reconcile(world, fail_after_seconds=30 * DAY)
        assert world.status(young) == "accepted"
        assert world.measured(metrics.PENDING) == [3]

        caplog.clear()
        world.processor.metrics.flush()
        written = [record.values for record in caplog.records if hasattr(record, "values")]
        amounts = [one for one in written if metrics.PENDING_AMOUNT.name in one]
        assert [(one["Currency"], one["AmountPending"]) for one in amounts] == [("EUR", 1300), ("JPY", 700)]
        for one in amounts:
            (directive,) = one["_aws"]["CloudWatchMetrics"]
            assert directive["Dimensions"] == [["Environment", "Currency"]]
            assert directive["Metrics"] == [{"Name": "AmountPending", "Unit": "None"}]

    with caplog.at_level(logging.INFO, "payments"):
        run(scenario)


def test_young_operation_is_left_to_the_queue(run: Run) -> None:
    async def scenario(world: World) -> None:
        accepted(world.connection, age_seconds=60)
        assert (await reconcile(world)).found == 0
        accepted(world.connection, age_seconds=600)
        assert (await reconcile(world)).results == Counter(waiting=1)
        assert not outbox(world)

    run(scenario)


def test_operation_without_a_record_is_sent_again(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection, age_seconds=HOUR)
        with pytest.raises(RetryLater):
            await world.process(message)
        due(world)
        world.behave()
        assert (await reconcile(world)).results == Counter(waiting=1), "the queue may have it"
        due(world, HOUR)
        assert (await reconcile(world)).results == Counter(resent=1)
        assert world.status(message) == "accepted"
        await world.process(message)
        assert world.status(message) == "captured"

    run(scenario, failing_percent=100)


def test_dead_letter_is_looked_up_and_not_sent_again(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection, age_seconds=HOUR)
        for _ in range(5):
            with pytest.raises(RetryLater):
                await world.process(message)
        due(world)
        world.behave()
        world.connection.execute("UPDATE payments.operations SET tries = 12")
        due(world, HOUR)
        assert (await reconcile(world)).results == Counter(waiting=1)
        assert not outbox(world)
        assert world.requests(message) == 5

    run(scenario, failing_percent=100, adapter={"tries": 1})


async def given_up(world: World, age_seconds: float = DAY) -> ProcessOperation:
    """An operation whose tries are used up, and that the acquirer has no record of."""
    message = accepted(world.connection, age_seconds=age_seconds)
    world.connection.execute(
        "UPDATE payments.operations SET attempts = 12, tries = 12 WHERE id = %s", (message.operation_id,)
    )
    return message


async def deny(world: World, times: int) -> list[str]:
    """Runs of the reconciler, hours apart; returns their results."""
    results = []
    for _ in range(times):
        world.connection.execute("UPDATE payments.operations SET not_found_at = not_found_at - interval '1 hour'")
        due(world, HOUR)
        (result,) = (await reconcile(world)).results
        results.append(result)
    return results


def test_operation_fails_that_was_given_up_and_denied_for_hours(run: Run) -> None:
    async def scenario(world: World) -> None:
        await world.process(accepted(world.connection))  # what the acquirer is known to have performed
        message = await given_up(world)
        assert await deny(world, 5) == [*["waiting"] * 4, "failed"]
        (operation,) = repository.list_operations(world.connection, message.payment_id)
        assert (world.status(message), operation.reason) == ("failed", "not_known_to_acquirer")
        await world.process(message)
        assert len(world.simulator.book.entries) == 1, "a late message changes nothing"

    run(scenario, adapter=PATIENT)


def test_denials_within_an_hour_count_once(run: Run) -> None:
    async def scenario(world: World) -> None:
        await world.process(accepted(world.connection))
        message = await given_up(world)
        for _ in range(8):
            due(world, HOUR)
            await reconcile(world)
        assert world.status(message) == "accepted"

    run(scenario, adapter=PATIENT)


def test_nothing_fails_while_the_acquirer_does_not_find_what_it_has_performed(run: Run) -> None:
    """Another tenant, an empty book, a blue copy of theirs: each denies everything, in its own well-formed words."""

    async def scenario(world: World) -> None:
        message = await given_up(world)
        assert set(await deny(world, 8)) == {"waiting"}, "nothing is known that could be found"
        await world.process(accepted(world.connection))
        world.simulator.book.entries.clear()
        assert set(await deny(world, 3)) == {"waiting"}
        assert world.status(message) == "accepted"

    run(scenario, adapter=PATIENT)


def test_old_operation_that_was_never_given_up_is_sent_again(run: Run) -> None:
    async def scenario(world: World) -> None:
        never, tried = (accepted(world.connection, age_seconds=10 * DAY) for _ in range(2))
        world.connection.execute("UPDATE payments.operations SET attempts = 30 WHERE id = %s", (tried.operation_id,))
        due(world, HOUR)
        assert (await reconcile(world)).results == Counter(resent=2)
        for message in (never, tried):
            await world.process(message)
            assert world.status(message) == "captured"

    run(scenario, adapter=PATIENT)


def test_look_ups_are_no_tries(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection, age_seconds=HOUR)
        with pytest.raises(RetryLater):
            await world.process(message)
        before = world.attempts(message)
        for _ in range(20):
            due(world)
            await reconcile(world)
        assert world.attempts(message) == before

    run(scenario, failing_percent=100, adapter={"tries": 1})


def test_nothing_is_done_while_the_circuit_is_open(run: Run) -> None:
    async def scenario(world: World) -> None:
        accepted(world.connection, age_seconds=HOUR)
        world.connection.execute("UPDATE payments.circuits SET open_until = now() + interval '1 minute'")
        assert (await reconcile(world)).results == Counter(suspended=1)
        assert not outbox(world)
        (oldest,) = world.measured(metrics.OLDEST_PENDING)
        assert oldest >= HOUR, "its age is measured all the same"

    run(scenario)


def test_poisoned_answer_and_row_touch_no_other_and_metrics_are_written(run: Run) -> None:
    async def scenario(world: World) -> None:
        poisoned, locked, well = [await charged_without_response(world) for _ in range(3)]
        look_up = world.processor.acquirer.look_up

        async def poison(request: AcquirerRequest, seconds: float) -> Any:
            found = await look_up(request, seconds)
            return Approved("a\0b") if request.key == poisoned.acquirer_key else found

        world.processor.acquirer.look_up = poison  # type: ignore[method-assign]
        world.connection.execute(
            f"""
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE lock_not_available; END $$;
            CREATE TRIGGER fail BEFORE UPDATE ON payments.operations
                FOR EACH ROW WHEN (NEW.id = '{locked.operation_id}') EXECUTE FUNCTION fail();
            """
        )
        assert (await reconcile(world)).results == Counter(error=2, completed=1)
        assert world.status(well) == "captured"
        assert len(world.measured(metrics.OLDEST_PENDING)) == len(world.measured(metrics.PENDING)) == 1

    run(scenario, adapter={"read_seconds": 5.0})


def test_expired_operation_that_was_charged_is_completed(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = await charged_without_response(world, age_seconds=10 * DAY)
        assert (await reconcile(world)).results == Counter(completed=1)
        assert world.status(message) == "captured"

    run(scenario, adapter={"read_seconds": 5.0})


def test_failed_look_up_leaves_the_operation_pending(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = await charged_without_response(world, age_seconds=10 * DAY)

        async def fail(request: AcquirerRequest, seconds: float) -> Any:
            return Unknown("status 500")

        world.processor.acquirer.look_up = fail  # type: ignore[method-assign]
        assert (await reconcile(world)).results == Counter(unknown=1)
        assert world.status(message) == "accepted"
        assert not outbox(world)
        assert (await reconcile(world)).found == 0, "it is due later"

    run(scenario, adapter={"read_seconds": 5.0})


def test_claimed_operation_is_left_alone(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection, age_seconds=10 * DAY)
        assert await world.processor.claim(message.operation_id, 5.0)
        assert (await reconcile(world)).found == 0
        assert world.status(message) == "accepted"

    run(scenario)


def test_reconciler_run_without_time_starts_nothing(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = await charged_without_response(world)
        report = await reconcile(world, seconds=4.0)
        assert report.results == Counter(not_reached=1)
        assert world.attempts(message) == 1

    run(scenario, adapter={"read_seconds": 5.0})


def test_run_is_limited_and_reports_the_oldest_age(run: Run) -> None:
    async def scenario(world: World) -> None:
        messages = [accepted(world.connection, OperationKind.SALE, age_seconds=DAY + number) for number in range(30)]
        report = await reconcile(world, concurrency=8, max_operations=20)
        assert (report.found, report.results) == (20, Counter(resent=20))
        assert DAY < report.oldest_seconds < DAY + 120
        await reconcile(world)
        assert outbox(world) == {str(message.operation_id) for message in messages}

    run(scenario)
