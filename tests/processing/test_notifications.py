"""Notifications of the acquirer: verified, stored once, and applied in whichever order they come."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from payments import repository
from payments.acquirer.notifications import (
    TOLERANCE_SECONDS,
    NotAuthentic,
    Notification,
    NotUnderstood,
    PlainNotifications,
    signature,
)
from payments.acquirer.port import Approved, Decision, Declined
from payments.messages import ProcessOperation
from payments.processing.reconciler import Reconciler
from payments.processing.settings import ReconciliationSettings
from shared import payment_metrics as metrics
from tests.payments.conftest import Database
from tests.processing.support import KEY, World, accepted, world

pytestmark = [pytest.mark.requirement("Q7")]

SECRET, OTHER = b"k" * 32, b"o" * 32
NOW = 1_800_000_000
OPERATION = {"key": str(KEY), "kind": "sale", "amount": 1250, "currency": "EUR", "status": "approved"}
BODY = json.dumps({"id": "evt_1", "operation": {**OPERATION, "reference": "ref-1"}}).encode()


def signed(body: bytes, *keys: bytes, at: int = NOW) -> dict[str, str]:
    return {"acquirer-signature": ",".join([f"t={at}", *(f"v1={signature(key, at, body)}" for key in keys)])}


def read(headers: dict[str, str], body: bytes = BODY, *keys: bytes, now: float = NOW) -> Any:
    return PlainNotifications(keys or (SECRET,)).read(headers, body, now)


def test_signed_notification_is_read() -> None:
    (found,) = read(signed(BODY, SECRET))
    assert found == Notification(event_id="evt_1", key=KEY, decision=Approved("ref-1"), amount=1250, currency="EUR")


def test_key_is_replaced_by_having_two_at_either_end() -> None:
    assert read(signed(BODY, SECRET), BODY, OTHER, SECRET)
    assert read(signed(BODY, OTHER, SECRET))


@pytest.mark.parametrize(
    ("headers", "body", "now"),
    [
        ({}, BODY, NOW),
        (signed(BODY, OTHER), BODY, NOW),
        (signed(BODY, SECRET), BODY.replace(b"1250", b"1251"), NOW),
        (signed(BODY, SECRET), BODY, NOW + TOLERANCE_SECONDS + 1),
        (signed(BODY, SECRET), BODY, NOW - TOLERANCE_SECONDS - 1),
        ({"acquirer-signature": signed(BODY, SECRET)["acquirer-signature"].replace(str(NOW), str(NOW + 1))}, BODY, NOW),
        ({"acquirer-signature": f"t={NOW}"}, BODY, NOW),
        ({"acquirer-signature": f"t={NOW},v1="}, BODY, NOW),
    ],
    ids=["none", "other key", "other body", "old", "future", "other time", "no signature", "empty"],
)
def test_what_the_acquirer_has_not_signed_lately_is_refused(headers: dict[str, str], body: bytes, now: float) -> None:
    with pytest.raises(NotAuthentic):
        read(headers, body, now=now)


@pytest.mark.parametrize(
    "change",
    [{"amount": "1250"}, {"amount": 0}, {"key": "1"}, {"currency": "euro"}, {"status": "odd"}, {"reference": "\x00"}],
    ids=str,
)
def test_form_that_is_unknown_is_not_taken(change: dict[str, Any]) -> None:
    body = json.dumps({"id": "evt_1", "operation": {**OPERATION, "reference": "ref-1", **change}}).encode()
    with pytest.raises(NotUnderstood):
        read(signed(body, SECRET), body)


Scenario = Callable[[World], Awaitable[None]]
Run = Callable[..., None]


@pytest.fixture
def run(database: Database) -> Run:
    def run(scenario: Scenario, **behaviour: Any) -> None:
        async def main() -> None:
            async with world(database, **behaviour) as made:
                await scenario(made)

        asyncio.run(main())

    return run


def notify(
    world: World, message: ProcessOperation, decision: Decision, *, event: str = "evt_1", amount: int = 1250
) -> bool:
    assert message.acquirer_key
    return receive(world, message.acquirer_key, decision, event, amount)


def receive(world: World, key: UUID, decision: Decision, event: str, amount: int) -> bool:
    note = Notification(event_id=event, key=key, decision=decision, amount=amount, currency="EUR")
    return repository.receive_notification(world.connection, note)


async def reconcile(world: World) -> None:
    await Reconciler(world.processor, ReconciliationSettings(min_notification_seconds=0)).run(lambda: 60.0)


def test_notification_has_its_operation_processed_and_a_repeat_changes_nothing(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        await world.process(message)
        assert world.status(message) == "requires_action"
        assert notify(world, message, Approved("ref-9"))
        assert not notify(world, message, Approved("ref-9"))
        (sent,) = repository.claim_outbox_messages(world.connection, 10)
        assert sent.operation_id == message.operation_id
        await world.process(message)
        assert world.status(message) == "captured"
        assert world.requests(message) == 1
        await reconcile(world)
        assert not world.measured(metrics.CONTRADICTED)

    run(scenario, action_percent=100)


DECISIONS = (Approved("ref-9"), Declined("authentication_failed"))


@pytest.mark.parametrize("order", list(itertools.permutations(("answer", "notification", "reconciler"))), ids=str)
@pytest.mark.parametrize("decision", DECISIONS, ids=["approved", "declined"])
def test_order_of_answer_and_notification_does_not_matter(run: Run, order: tuple[str, ...], decision: Decision) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        for step in order:
            if step == "answer":
                await world.process(message)
            elif step == "notification":
                assert notify(world, message, decision)
            else:
                await reconcile(world)
        await world.process(message)
        assert world.status(message) == ("captured" if isinstance(decision, Approved) else "declined")
        assert world.requests(message) <= 1
        await reconcile(world)
        assert not world.measured(metrics.CONTRADICTED)

    run(scenario, pending_percent=100)


def test_notification_that_contradicts_what_is_stored_pages(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        await world.process(message)
        assert world.status(message) == "captured"
        notify(world, message, Declined("fraud"))
        await reconcile(world)
        assert world.measured(metrics.CONTRADICTED) == [1]
        assert world.status(message) == "captured"
        await reconcile(world)
        assert world.measured(metrics.CONTRADICTED) == [1], "once"

    run(scenario)


def test_notification_of_another_amount_decides_nothing_and_pages(run: Run) -> None:
    async def scenario(world: World) -> None:
        message = accepted(world.connection)
        await world.process(message)
        notify(world, message, Approved("ref-9"), amount=12500)
        await world.process(message)
        assert world.status(message) == "accepted"
        assert world.measured(metrics.CONTRADICTED) == [1]

    run(scenario, pending_percent=100)


def test_notification_of_an_operation_that_is_not_in_the_database_pages_and_stays(run: Run) -> None:
    async def scenario(world: World) -> None:
        assert receive(world, uuid4(), Approved("ref-9"), "evt_1", 1250)
        for _ in range(2):
            await reconcile(world)
        assert world.measured(metrics.NOT_IN_DATABASE) == [1, 1]
        assert repository.list_notified(world.connection, min_age=timedelta(0))

    run(scenario)
