"""A payment goes through its states in the database as it does in a model of the table of transitions."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
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
from payments.repository import AmountTooLarge, Answer, Key, NewOperation, NewPayment, StateConflict
from payments.states import TRANSITIONS, Event, Kind, Progress, State

pytestmark = [pytest.mark.requirement("Q1")]

TABLE = {(kind, event, origin): target for kind, event, origin, target in TRANSITIONS}
FIRST = (Kind.AUTHORIZATION, Kind.SALE)
LATER = (Kind.CAPTURE, Kind.VOID, Kind.REFUND)
AMOUNTS = st.integers(1, 1200)


def test_every_state_is_reached_and_every_way_ends() -> None:
    reached, ends = {State.ACCEPTED}, set(State) - {transition.origin for transition in TRANSITIONS}
    while more := {target for (_, _, origin), target in TABLE.items() if origin in reached} - reached:
        reached |= more
    assert reached == set(State)
    assert ends == {State.REFUNDED, State.VOIDED, State.REFUSED, State.FAILED}


def test_what_is_asked_can_be_answered_in_each_way() -> None:
    """Nothing can be asked that no answer could end: also where another answer has come in between."""
    for kind, event, _, target in TRANSITIONS:
        if event is Event.ASKED:
            for answer in (Event.SUCCEEDED, Event.REFUSED, Event.FAILED):
                assert (kind, answer, target) in TABLE


class Machine(RuleBasedStateMachine):
    """One payment: what may befall it, in the model and in the database."""

    connection: ClassVar[psycopg.Connection[Any]]

    @initialize(kind=st.sampled_from(FIRST), amount=st.integers(1, 1000))
    def accept(self, kind: Kind, amount: int) -> None:
        now = datetime.now(UTC)
        self.payment = new_id(now)
        first = self.new(kind, amount)
        repository.accept(self.connection, NewPayment("USD", "token-12", None, first), key(), Answer(202, "{}"))
        self.state, self.amount, self.captured, self.refunded = State.ACCEPTED, amount, 0, 0
        self.asked = {first.id: first}
        self.answered: list[UUID] = []

    def new(self, kind: Kind, amount: int) -> NewOperation:
        now = datetime.now(UTC)
        return NewOperation(new_id(now), self.payment, kind, amount, "correlation", now)

    def refunding(self) -> int:
        return sum(operation.amount for operation in self.asked.values() if operation.kind is Kind.REFUND)

    @rule(kind=st.sampled_from(LATER), amount=AMOUNTS)
    def ask(self, kind: Kind, amount: int) -> None:
        operation = self.new(kind, self.amount if kind is Kind.VOID else amount)
        target = TABLE.get((kind, Event.ASKED, self.state))
        free = self.captured - self.refunded - self.refunding() if kind is Kind.REFUND else self.amount
        expected = StateConflict if target is None else AmountTooLarge if operation.amount > free else None
        if expected:
            with pytest.raises(expected):
                repository.ask(self.connection, operation, key(), Answer(202, "{}"))
            return
        repository.ask(self.connection, operation, key(), Answer(202, "{}"))
        assert target
        self.state = target
        self.asked[operation.id] = operation

    @precondition(lambda self: self.asked)
    @rule(outcome=st.sampled_from((Progress.SUCCEEDED, Progress.REFUSED, Progress.FAILED)), data=st.data())
    def answer(self, outcome: Any, data: st.DataObject) -> None:
        operation = self.asked.pop(data.draw(st.sampled_from(sorted(self.asked))))
        assert repository.settle(self.connection, operation.id, outcome, acquirer_reference="acq")
        event = Event(outcome.value)
        if outcome is Progress.SUCCEEDED:
            if operation.kind is Kind.REFUND:
                self.refunded += operation.amount
                event = Event.COMPLETED if self.refunded == self.captured else event
            elif operation.kind in {Kind.SALE, Kind.CAPTURE}:
                self.captured = operation.amount
        self.state = TABLE[operation.kind, event, self.state]
        self.answered.append(operation.id)

    @precondition(lambda self: self.answered)
    @rule(outcome=st.sampled_from((Progress.SUCCEEDED, Progress.REFUSED, Progress.FAILED)), data=st.data())
    def answer_again(self, outcome: Any, data: st.DataObject) -> None:
        again = data.draw(st.sampled_from(self.answered))
        assert not repository.settle(self.connection, again, outcome, acquirer_reference="again")

    @invariant()
    def both_are_the_same(self) -> None:
        found = repository.payment(self.connection, self.payment)
        assert found
        assert (found.state, found.captured_amount, found.refunded_amount, found.refunding_amount) == (
            self.state,
            self.captured,
            self.refunded,
            self.refunding(),
        )


def key() -> Key:
    return Key(secrets.token_hex(8), b"")


def test_the_database_goes_as_the_model_does(connection: psycopg.Connection[Any]) -> None:
    machine = type("Bound", (Machine,), {"connection": connection})
    run_state_machine_as_test(machine, settings=settings(max_examples=30, stateful_step_count=20, deadline=None))
