"""What the acquirer answers besides a decision, as the HTTP client understands it and the payment follows it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from payments import repository
from payments.acquirer.dialect import Plain
from payments.acquirer.http_client import HttpAcquirer
from payments.acquirer.port import (
    ActionRequired,
    Approved,
    Capabilities,
    LookUp,
    NotPerformed,
    Outcome,
    Pending,
    Unknown,
)
from payments.processing.reconciler import Reconciler
from payments.processing.settings import ReconciliationSettings
from payments.states import OperationKind, OperationStatus
from tests.payments.conftest import Database
from tests.processing.support import KEY, World, accepted, request, requested, settings, world

pytestmark = [pytest.mark.requirement("Q7")]

SUBJECT = {"key": str(KEY), "kind": "sale", "amount": 1250, "currency": "EUR"}
URL = "https://acs.example.com/challenge"


def understood(**values: Any) -> object:
    content = json.dumps({**SUBJECT, **values}).encode()
    return Plain(Capabilities()).interpreted(HTTPStatus.OK, httpx.Headers(), content, request())


def test_each_answer_is_understood() -> None:
    until = datetime(2026, 11, 29, 12, tzinfo=UTC)
    assert understood(status="pending", reference="ref-1") == Pending("ref-1")
    assert understood(status="approved", reference="ref-1", expires_at=until.isoformat()) == Approved("ref-1", until)
    action = {"url": URL, "method": "POST", "data": {"creq": "e30"}, "expires_at": until.isoformat()}
    assert understood(status="action_required", reference="ref-1", action=action) == ActionRequired(
        "ref-1", URL, "POST", {"creq": "e30"}, until
    )


@pytest.mark.parametrize(
    "values",
    [
        {"status": "pending"},
        {"status": "pending", "reference": "a\x00b"},
        {"status": "approved", "reference": "ref-1", "expires_at": "soon"},
        {"status": "approved", "reference": "ref-1", "expires_at": "2026-11-29T12:00:00"},
        {"status": "action_required", "reference": "ref-1"},
        *(
            {"status": "action_required", "reference": "ref-1", "action": {"url": URL, **wrong}}
            for wrong in (
                {"url": "http://acs.example.com"},
                {"url": "javascript:alert(1)"},
                {"url": "https://user:word@acs.example.com"},
                {"url": "https://acs.example.com/\r\nSet-Cookie:a"},
                {"url": 7},
                {"method": "DELETE"},
                {"data": ["creq"]},
                {"data": {"creq": 7}},
                {"data": {"creq": "\x00"}},
                {"data": {"creq": "e" * 9000}},
            )
        ),
        {"status": "settled", "reference": "ref-1"},
    ],
    ids=str,
)
def test_answer_that_cannot_be_stored_or_shown_is_no_decision(values: dict[str, Any]) -> None:
    assert understood(**values) == Unknown("invalid response")


def performed(look_up: LookUp, *statuses: int) -> tuple[Outcome, int]:
    """The outcome of a request to an acquirer that answers with these statuses, and the number of its requests."""
    left = list(statuses)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(left.pop(0), json={**SUBJECT, "status": "approved", "reference": "ref-1"})

    async def perform() -> Outcome:
        dialect = Plain(Capabilities(look_up=look_up))
        acquirer = HttpAcquirer(
            settings("https://acquirer"), dialect=dialect, transport=httpx.MockTransport(answer), jitter=lambda: 0.0
        )
        try:
            return await acquirer.perform(request(), 5.0)
        finally:
            await acquirer.close()

    outcome = asyncio.run(perform())
    return outcome, len(statuses) - len(left)


def test_call_repeats_only_where_a_repeat_is_performed_once() -> None:
    assert performed(LookUp.BY_REPEAT, 500, 200) == (Approved("ref-1"), 2)
    outcome, requests = performed(LookUp.BY_FILE, 500, 200)
    assert isinstance(outcome, Unknown)
    assert requests == 1


def test_attempt_that_was_not_performed_says_nothing_of_the_one_before() -> None:
    outcome, requests = performed(LookUp.BY_REPEAT, 500, 503, 503)
    assert isinstance(outcome, Unknown), "the first may have been performed"
    assert requests == 2
    assert isinstance(performed(LookUp.BY_REPEAT, 503, 503, 503)[0], NotPerformed)


def test_authorization_expires_when_the_acquirer_releases_it_and_not_while_a_capture_is_pending(
    database: Database,
) -> None:
    async def scenario(world: World) -> None:
        first, second = (accepted(world.connection, kind=OperationKind.AUTHORIZATION) for _ in range(2))
        for message, hours in ((first, -1), (second, 1)):
            claim = repository.claim(world.connection, message.operation_id, timedelta(seconds=30))
            assert claim
            until = datetime.now(UTC) + timedelta(hours=hours)
            await world.processor.store_decision(claim.operation, Approved(f"ref-{hours}", until))
        capture = requested(world.connection, first.payment_id, OperationKind.CAPTURE, 1250)
        await Reconciler(world.processor, ReconciliationSettings()).run(lambda: 60.0)
        assert (world.status(first), world.status(second)) == ("capturing", "authorized")

        repository.complete(world.connection, capture.operation_id, OperationStatus.DECLINED, reason="expired_card")
        await Reconciler(world.processor, ReconciliationSettings()).run(lambda: 60.0)
        assert (world.status(first), world.status(second)) == ("expired", "authorized")

    async def run() -> None:
        async with world(database) as made:
            await scenario(made)

    asyncio.run(run())
