"""The database loses rows, by a failover or a restore, and the merchant repeats its requests: nothing is charged twice.

The acquirer's key of an operation is made of what the merchant has sent, so that the repeat meets the same charge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from payments import repository
from payments.acquirer.port import AcquirerRequest
from payments.identifiers import new_id
from payments.messages import ProcessOperation
from payments.processing.consumer import Redelivery, consume
from payments.processing.processor import TriesUsedUp
from payments.repository import (
    IdempotencyKey,
    IdempotencyKeyReused,
    NewOperation,
    NewPayment,
    Requester,
    StoredResponse,
)
from payments.states import OperationKind
from tests.payments.conftest import Database
from tests.payments.support import BY
from tests.processing.support import World, world

pytestmark = [pytest.mark.requirement("P3.2", "Q4")]

Scenario = Callable[[World], Awaitable[None]]
Run = Callable[..., None]
RESPONSE = StoredResponse(202, "{}")
PATIENT = {"read_seconds": 20.0, "total_seconds": 25.0}
STILL_NEW = {"call_seconds": 25.0, "new_seconds": 3600.0}
LOSE_EVERYTHING = "TRUNCATE payments.payments, payments.operations, payments.outbox, payments.idempotency_keys"


@pytest.fixture
def run(database: Database) -> Run:
    def run(scenario: Scenario, **values: Any) -> None:
        async def main() -> None:
            async with world(database, adapter=PATIENT, processing=STILL_NEW, **values) as made:
                await scenario(made)

        asyncio.run(main())

    return run


def pay(world: World, key: str, *, by: Requester = BY, age: timedelta = timedelta(0)) -> ProcessOperation:
    """A merchant's request, the same for the same key; returns its message."""
    at = datetime.now(UTC) - age
    first = NewOperation(new_id(at), new_id(at), OperationKind.SALE, 1250, "c", at)
    payment = NewPayment("EUR", f"tok_{key}", None, first)
    repository.create_payment(world.connection, by, payment, IdempotencyKey(key, b"f" * 32), RESPONSE)
    return sent(world)


def refund(world: World, payment_id: UUID, key: str) -> ProcessOperation:
    now = datetime.now(UTC)
    operation = NewOperation(new_id(now), payment_id, OperationKind.REFUND, 1000, "c", now)
    repository.create_operation(world.connection, BY, operation, IdempotencyKey(key, b"f" * 32), RESPONSE)
    return sent(world)


def sent(world: World) -> ProcessOperation:
    """The message of the outbox, as the publisher sends it."""
    with world.connection.transaction():
        (one,) = repository.claim_outbox_messages(world.connection, 10)
        repository.delete_outbox_messages(world.connection, [one.id])
    return ProcessOperation(one.operation_id, one.payment_id, one.correlation_id, one.trace, one.acquirer_key)


def test_repeat_after_lost_rows_meets_the_same_charge_and_the_same_refund(run: Run) -> None:
    async def scenario(world: World) -> None:
        first = pay(world, "order-1")
        await world.process(first)
        await world.process(refund(world, first.payment_id, "refund-1"))
        world.connection.execute(LOSE_EVERYTHING)

        again = pay(world, "order-1")
        assert again.operation_id != first.operation_id
        await world.process(again)
        await world.process(refund(world, again.payment_id, "refund-1"))

        summary = world.simulator.book.summary()
        assert summary["charged_twice"] == []
        assert summary["sums"] == {"sale EUR": 1250, "refund EUR": 1000}
        assert world.status(again) == "captured"

    run(scenario)


def test_message_of_lost_rows_says_by_which_key_the_acquirer_knows_the_charge(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = pay(world, "order-1")
        await world.process(message)
        world.connection.execute(LOSE_EVERYTHING)
        (key,) = world.simulator.book.entries
        kept = ProcessOperation.from_json(message.to_json())
        assert str(kept.acquirer_key) == key
        assert isinstance(await consume(world.processor, "m", message.to_json(), 1, 30.0), Redelivery)

    run(scenario)


def test_equal_keys_of_two_merchants_and_of_two_kinds_are_different_charges(run: Run) -> None:
    async def scenario(world: World) -> None:
        other = Requester(new_id(datetime.now(UTC)), None)
        first = pay(world, "one")
        await world.process(first)
        theirs = pay(world, "one", by=other)
        assert theirs.acquirer_key != first.acquirer_key
        await world.process(theirs)
        assert world.simulator.book.summary()["counts"] == {"sale EUR": 2}

    run(scenario)


def test_purged_key_is_refused_for_ever_as_the_acquirer_may_know_it(run: Run) -> None:
    async def scenario(world: World) -> None:
        await world.process(pay(world, "order-1"))
        world.connection.execute("DELETE FROM payments.idempotency_keys")
        with pytest.raises(IdempotencyKeyReused):
            pay(world, "order-1")

    run(scenario)


def test_operation_that_is_not_new_is_looked_up_before_it_is_requested(run: Run) -> None:
    """A snapshot is restored whose operations have no attempts yet, and the acquirer has performed them since."""

    async def scenario(world: World) -> None:
        restored, new = pay(world, "order-1", age=timedelta(hours=30)), pay(world, "order-2")
        looked_up: list[UUID] = []
        look_up = world.processor.acquirer.look_up

        async def record(request: AcquirerRequest, seconds: float) -> Any:
            looked_up.append(request.key)
            return await look_up(request, seconds)

        world.processor.acquirer.look_up = record  # type: ignore[method-assign]
        world.simulator.book.enter(
            str(restored.acquirer_key),
            {"kind": "sale", "amount": 1250, "currency": "EUR", "token": "tok_order-1"},
            "",
        )
        for message in (restored, new):
            await world.process(message)
            assert world.status(message) == "captured"
        assert looked_up == [restored.acquirer_key]
        assert world.requests(restored) == 1, "the one of before"

    run(scenario)


LOST_BY_FAILOVER = "UPDATE payments.epochs SET cause = 'server of the lost region'"


@pytest.mark.parametrize("look_up", ["key", "file"])
def test_what_is_older_than_the_epoch_is_looked_up_before_it_is_requested_however_new_it_is(
    database: Database, look_up: str
) -> None:
    """Another server is the writer: the last seconds are lost, in which the acquirer was requested."""

    async def scenario(world: World) -> None:
        await world.process(pay(world, "order-0"))
        message = pay(world, "order-1")
        body = {"kind": "sale", "amount": 1250, "currency": "EUR", "token": "tok_order-1"}
        world.simulator.book.enter(str(message.acquirer_key), body, "")
        world.connection.execute(LOST_BY_FAILOVER)
        if look_up == "key":
            await world.process(message)
            assert world.status(message) == "captured"
        else:  # nobody can tell: it is a person's, and not requested a second time
            with pytest.raises(TriesUsedUp):
                await world.process(message)
        after = pay(world, "order-2")
        await world.process(after)
        assert world.status(after) == "captured"
        assert world.simulator.book.summary()["charged_twice"] == []
        assert world.simulator.book.summary()["sums"] == {"sale EUR": 3 * 1250}

    async def main() -> None:
        adapter = {**PATIENT, "look_up": look_up}
        async with world(database, adapter=adapter, processing=STILL_NEW, look_up=look_up) as made:
            await scenario(made)

    asyncio.run(main())


def test_epoch_begins_once_for_a_writer(run: Run) -> None:
    async def scenario(world: World) -> None:
        for number in range(3):
            await world.process(pay(world, f"order-{number}"))
        assert world.connection.execute("SELECT count(*) FROM payments.epochs").fetchone() == (1,)
        repository.begin_epoch(world.connection, "restored")
        await world.process(pay(world, "order-4"))
        await world.process(pay(world, "order-5"))
        causes = world.connection.execute("SELECT cause FROM payments.epochs ORDER BY began_at").fetchall()
        assert [cause.split()[0] for (cause,) in causes] == ["server", "restored", "server"]

    run(scenario)
