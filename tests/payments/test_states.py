"""The database moves payments between statuses exactly as a model of the transition table does."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import psycopg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from payments import repository
from payments.identifiers import new_id
from payments.repository import (
    AmountTooLarge,
    Awaited,
    IdempotencyKey,
    NewOperation,
    NewPayment,
    StatusConflict,
    StoredResponse,
)
from payments.states import TRANSITIONS, Event, OperationKind, OperationStatus, PaymentStatus
from tests.payments.support import BY

pytestmark = [pytest.mark.requirement("Q1")]

TABLE = {(kind, event, origin): target for kind, event, origin, target in TRANSITIONS}
FIRST = (OperationKind.AUTHORIZATION, OperationKind.SALE)
LATER = (OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND)
AMOUNTS = st.integers(1, 1200)
RESPONSE = StoredResponse(202, "{}")
PAST = datetime(2026, 1, 1, tzinfo=UTC)
CAPTURABLE = {PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURING, PaymentStatus.VOIDING}


def test_every_status_is_reachable_and_final_statuses_are_those_of_the_field() -> None:
    reached, ends = {PaymentStatus.ACCEPTED}, set(PaymentStatus) - {transition.origin for transition in TRANSITIONS}
    while more := {target for (_, _, origin), target in TABLE.items() if origin in reached} - reached:
        reached |= more
    assert reached == set(PaymentStatus)
    assert {status.value for status in ends} == {"refunded", "voided", "declined", "failed", "expired"}


def test_every_pending_operation_can_end_in_each_final_status() -> None:
    """Also where another operation of the payment has ended in between, or the cardholder has to act before."""
    for kind, event, _, target in TRANSITIONS:
        if event in {Event.PENDING, Event.ACTION_REQUIRED}:
            for final in (Event.SUCCEEDED, Event.DECLINED, Event.FAILED):
                assert (kind, final, target) in TABLE


class Machine(RuleBasedStateMachine):
    """One payment: its operations, in the model and in the database."""

    connection: ClassVar[psycopg.Connection[Any]]

    @initialize(kind=st.sampled_from(FIRST), amount=st.integers(1, 1000))
    def accept(self, kind: OperationKind, amount: int) -> None:
        now = datetime.now(UTC)
        self.payment = new_id(now)
        first = self.new(kind, amount)
        repository.create_payment(self.connection, BY, NewPayment("USD", "token-12", None, first), key(), RESPONSE)
        self.status, self.amount, self.captured, self.refunded = PaymentStatus.ACCEPTED, amount, 0, 0
        self.pending = {first.id: first}
        self.completed: list[UUID] = []

    def new(self, kind: OperationKind, amount: int) -> NewOperation:
        now = datetime.now(UTC)
        return NewOperation(new_id(now), self.payment, kind, amount, "correlation", now)

    def refunding(self) -> int:
        return sum(operation.amount for operation in self.pending.values() if operation.kind is OperationKind.REFUND)

    @rule(kind=st.sampled_from(LATER), amount=AMOUNTS)
    def create_operation(self, kind: OperationKind, amount: int) -> None:
        operation = self.new(kind, self.amount if kind is OperationKind.VOID else amount)
        target = TABLE.get((kind, Event.PENDING, self.status))
        free = self.captured - self.refunded - self.refunding() if kind is OperationKind.REFUND else self.amount
        expected = StatusConflict if target is None else AmountTooLarge if operation.amount > free else None
        if expected:
            with pytest.raises(expected):
                repository.create_operation(self.connection, BY, operation, key(), RESPONSE)
            return
        repository.create_operation(self.connection, BY, operation, key(), RESPONSE)
        assert target
        self.status = target
        self.pending[operation.id] = operation

    @precondition(lambda self: self.pending)
    @rule(
        outcome=st.sampled_from((OperationStatus.SUCCEEDED, OperationStatus.DECLINED, OperationStatus.FAILED)),
        data=st.data(),
    )
    def complete(self, outcome: Any, data: st.DataObject) -> None:
        operation = self.pending.pop(data.draw(st.sampled_from(sorted(self.pending))))
        assert repository.complete(self.connection, operation.id, outcome, acquirer_reference="acq", expires_at=PAST)
        event = Event(outcome.value)
        if outcome is OperationStatus.SUCCEEDED:
            if operation.kind is OperationKind.REFUND:
                self.refunded += operation.amount
                event = Event.FULLY_REFUNDED if self.refunded == self.captured else event
            elif operation.kind in {OperationKind.SALE, OperationKind.CAPTURE}:
                self.captured = operation.amount
        self.status = TABLE[operation.kind, event, self.status]
        self.completed.append(operation.id)

    @precondition(lambda self: self.status is PaymentStatus.ACCEPTED)
    @rule()
    def require_action(self) -> None:
        (operation,) = self.pending.values()
        claim = repository.claim(self.connection, operation.id, timedelta(minutes=1))
        assert claim
        awaited = Awaited("cardholder", "acq", timedelta(hours=1), {"url": "https://acs.example.com"})
        assert repository.await_decision(self.connection, claim, awaited)
        self.status = TABLE[operation.kind, Event.ACTION_REQUIRED, self.status]

    @rule()
    def expire(self) -> None:
        """Every authorization of this machine is released at once, unless a capture or void of it is pending."""
        repository.expire_authorizations(self.connection, 100)
        if target := TABLE.get((OperationKind.AUTHORIZATION, Event.EXPIRED, self.status)):
            self.status = target

    @precondition(lambda self: self.completed)
    @rule(
        outcome=st.sampled_from((OperationStatus.SUCCEEDED, OperationStatus.DECLINED, OperationStatus.FAILED)),
        data=st.data(),
    )
    def complete_again(self, outcome: Any, data: st.DataObject) -> None:
        again = data.draw(st.sampled_from(self.completed))
        assert not repository.complete(self.connection, again, outcome, acquirer_reference="again")

    @invariant()
    def database_equals_model(self) -> None:
        found = repository.get_payment(self.connection, BY.merchant_id, self.payment)
        assert found
        assert (found.next_action is not None) == (found.status is PaymentStatus.REQUIRES_ACTION)
        assert (found.capture_before == PAST) == (found.status in CAPTURABLE)
        assert (found.status, found.captured_amount, found.refunded_amount, found.refunding_amount) == (
            self.status,
            self.captured,
            self.refunded,
            self.refunding(),
        )


def key() -> IdempotencyKey:
    return IdempotencyKey(secrets.token_hex(8), b"")


def test_database_follows_the_model_through_random_operations(connection: psycopg.Connection[Any]) -> None:
    machine = type("Bound", (Machine,), {"connection": connection})
    run_state_machine_as_test(machine, settings=settings(max_examples=30, stateful_step_count=20, deadline=None))
