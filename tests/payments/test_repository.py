"""What is stored of payments, and what the database refuses."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from payments import repository
from payments.identifiers import new_id
from payments.repository import Answer, Key, NewOperation, NewPayment
from payments.states import TRANSITIONS, Kind, Progress, State

Connection = psycopg.Connection[Any]

MINUTE = timedelta(minutes=1)
ANSWER = Answer(202, '{"a": 1}')


def key() -> Key:
    return Key(secrets.token_hex(8), secrets.token_bytes(32))


def operation(kind: Kind, amount: int, payment_id: UUID | None = None) -> NewOperation:
    now = datetime.now(UTC)
    return NewOperation(
        id=new_id(now),
        payment_id=payment_id or new_id(now),
        kind=kind,
        amount=amount,
        correlation_id="correlation",
        created_at=now,
    )


def accepted(connection: Connection, kind: Kind = Kind.SALE, amount: int = 1000) -> NewOperation:
    first = operation(kind, amount)
    repository.accept(connection, NewPayment("USD", "tok_1", "order-1", first), key(), ANSWER)
    return first


def captured(connection: Connection, amount: int = 1000) -> UUID:
    first = accepted(connection, amount=amount)
    assert repository.settle(connection, first.id, Progress.SUCCEEDED, acquirer_reference="acq-1")
    return first.payment_id


def ask(connection: Connection, kind: Kind, payment_id: UUID, amount: int) -> NewOperation:
    asked = operation(kind, amount, payment_id)
    repository.ask(connection, asked, key(), ANSWER)
    return asked


def stored(connection: Connection, payment_id: UUID) -> repository.Payment:
    found = repository.payment(connection, payment_id)
    assert found
    return found


def test_a_payment_is_stored_with_its_operation_and_its_letter(connection: Connection) -> None:
    first = accepted(connection, Kind.AUTHORIZATION, 1234)

    payment = stored(connection, first.payment_id)
    assert (payment.state, payment.amount, payment.currency) == (State.ACCEPTED, 1234, "USD")
    assert isinstance(payment.state, State)
    (found,) = repository.operations(connection, first.payment_id)
    assert (found.id, found.kind, found.state, found.attempts) == (first.id, Kind.AUTHORIZATION, Progress.ASKED, 0)
    with connection.transaction():
        assert first.id in {letter.operation_id for letter in repository.letters(connection, 1000)}


def test_the_same_request_is_answered_the_same_and_stored_once(connection: Connection) -> None:
    same = key()
    first, again = operation(Kind.SALE, 5), operation(Kind.SALE, 5)

    repository.accept(connection, NewPayment("USD", "tok", None, first), same, ANSWER)
    answer = repository.accept(connection, NewPayment("USD", "tok", None, again), same, Answer(202, "other"))

    assert answer == ANSWER
    assert repository.payment(connection, again.payment_id) is None


def test_a_key_that_comes_with_another_request_is_refused(connection: Connection) -> None:
    used = key()
    repository.accept(connection, NewPayment("USD", "tok", None, operation(Kind.SALE, 5)), used, ANSWER)

    other = Key(used.key, b"other")
    with pytest.raises(repository.KeyReused):
        repository.accept(connection, NewPayment("USD", "tok", None, operation(Kind.SALE, 5)), other, ANSWER)


def test_a_refused_operation_leaves_nothing_behind(connection: Connection) -> None:
    payment_id, used = captured(connection), key()

    with pytest.raises(repository.StateConflict):
        repository.ask(connection, operation(Kind.VOID, 1000, payment_id), used, ANSWER)

    assert repository.ask(connection, operation(Kind.REFUND, 1000, payment_id), used, ANSWER) == ANSWER
    assert len(repository.operations(connection, payment_id)) == 2


def test_refunds_are_never_more_than_what_was_captured(connection: Connection) -> None:
    payment_id = captured(connection, 1000)
    first = ask(connection, Kind.REFUND, payment_id, 700)

    with pytest.raises(repository.AmountTooLarge) as refused:
        ask(connection, Kind.REFUND, payment_id, 301)
    assert refused.value.most == 300

    repository.settle(connection, first.id, Progress.REFUSED, reason="closed_account")
    second = ask(connection, Kind.REFUND, payment_id, 1000)
    assert stored(connection, payment_id).refunding_amount == 1000
    repository.settle(connection, second.id, Progress.SUCCEEDED, acquirer_reference="acq-2")
    payment = stored(connection, payment_id)
    assert (payment.state, payment.refunded_amount, payment.refunding_amount) == (State.REFUNDED, 1000, 0)


def test_less_than_the_authorized_amount_can_be_captured(connection: Connection) -> None:
    first = accepted(connection, Kind.AUTHORIZATION, 1000)
    repository.settle(connection, first.id, Progress.SUCCEEDED, acquirer_reference="acq")

    with pytest.raises(repository.AmountTooLarge):
        ask(connection, Kind.CAPTURE, first.payment_id, 1001)
    capture = ask(connection, Kind.CAPTURE, first.payment_id, 400)
    assert stored(connection, first.payment_id).state is State.CAPTURING
    repository.settle(connection, capture.id, Progress.SUCCEEDED, acquirer_reference="acq")

    payment = stored(connection, first.payment_id)
    assert (payment.state, payment.captured_amount) == (State.CAPTURED, 400)


def test_an_answer_counts_once(connection: Connection) -> None:
    first = accepted(connection)
    assert repository.settle(connection, first.id, Progress.SUCCEEDED, acquirer_reference="acq")

    assert not repository.settle(connection, first.id, Progress.REFUSED, reason="late")
    assert stored(connection, first.payment_id).state is State.CAPTURED


def test_the_token_is_kept_until_the_acquirer_has_answered(connection: Connection) -> None:
    first = accepted(connection)
    held = repository.claim(connection, first.id, MINUTE)
    assert held
    assert held.token == "tok_1"

    repository.settle(connection, first.id, Progress.REFUSED, reason="insufficient_funds")

    query = "SELECT token FROM payments.payments WHERE id = %s"
    assert connection.execute(query, (first.payment_id,)).fetchone() == (None,)


def test_an_operation_is_claimed_by_one_at_a_time(connection: Connection) -> None:
    first = accepted(connection)
    held = repository.claim(connection, first.id, MINUTE)
    assert held
    assert held.operation.attempts == 1
    assert repository.claim(connection, first.id, MINUTE) is None

    assert repository.postpone(connection, held, "timeout", timedelta(0))

    second = repository.claim(connection, first.id, timedelta(0))
    assert second
    assert second.operation.attempts == 2
    assert not repository.postpone(connection, held, "timeout", timedelta(0)), "the claim has passed on"


def test_what_has_no_answer_is_found_when_it_is_due(connection: Connection) -> None:
    first = accepted(connection)

    def found() -> bool:
        return first.id in {one.id for one in repository.unsettled(connection, timedelta(0), 1000)}

    assert not found(), "its letter has not been sent"
    with connection.transaction():
        letters = repository.letters(connection, 1000)
        repository.sent(connection, [letter.id for letter in letters])
    assert found()
    held = repository.claim(connection, first.id, MINUTE)
    assert held
    assert not found(), "it is being called for"
    repository.postpone(connection, held, "timeout", MINUTE)
    assert not found(), "it is not due"
    connection.execute("UPDATE payments.operations SET next_attempt_at = now() WHERE id = %s", (first.id,))
    repository.send_again(connection, first.id, MINUTE)
    with connection.transaction():
        letters = repository.letters(connection, 1000)
        assert first.id in {letter.operation_id for letter in letters}
        repository.sent(connection, [letter.id for letter in letters])
    assert not found(), "it was sent again"


def test_what_is_answered_is_not_sent_again(connection: Connection) -> None:
    first = accepted(connection)
    with connection.transaction():
        repository.sent(connection, [letter.id for letter in repository.letters(connection, 1000)])
    repository.settle(connection, first.id, Progress.REFUSED, reason="insufficient_funds")

    repository.send_again(connection, first.id, MINUTE)

    with connection.transaction():
        assert first.id not in {letter.operation_id for letter in repository.letters(connection, 1000)}


def test_how_an_operation_stands(connection: Connection) -> None:
    assert repository.standing(connection, uuid4()) is None
    first = accepted(connection)
    assert repository.standing(connection, first.id) == repository.Standing(Progress.ASKED, 0.0)

    repository.claim(connection, first.id, MINUTE)
    held = repository.standing(connection, first.id)
    assert held
    assert 50 < held.claimed_seconds <= 60

    repository.settle(connection, first.id, Progress.SUCCEEDED, acquirer_reference="acq-1")
    assert repository.standing(connection, first.id) == repository.Standing(Progress.SUCCEEDED, 0.0)


def test_the_database_has_the_table_of_transitions(connection: Connection) -> None:
    found = connection.execute("SELECT kind, event, origin, target FROM payments.transitions").fetchall()
    assert set(found) == {tuple(map(str, transition)) for transition in TRANSITIONS}


def set_state(payment_id: UUID, operation_id: UUID) -> tuple[str, UUID]:
    return "UPDATE payments.payments SET state = 'authorized', token = NULL WHERE id = %s", payment_id


BY_HAND: dict[str, Callable[[UUID, UUID], tuple[str, UUID]]] = {
    "payment_follows_transitions": lambda payment, _: (
        "UPDATE payments.payments SET state = 'voided' WHERE id = %s",
        payment,
    ),
    "payment_is_lasting": lambda payment, _: ("UPDATE payments.payments SET amount = 5 WHERE id = %s", payment),
    "payments_refunded_within_captured": lambda payment, _: (
        "UPDATE payments.payments SET refunding_amount = 1001 WHERE id = %s",
        payment,
    ),
    "payments_captured_within_amount": lambda payment, _: (
        "UPDATE payments.payments SET captured_amount = 1001 WHERE id = %s",
        payment,
    ),
    "operation_is_answered_once": lambda _, operation: (
        "UPDATE payments.operations SET state = 'refused' WHERE id = %s",
        operation,
    ),
    "operation_is_lasting": lambda _, operation: (
        "UPDATE payments.operations SET amount = 999 WHERE id = %s",
        operation,
    ),
}


@pytest.mark.parametrize("constraint", BY_HAND)
def test_the_database_refuses_what_no_function_would_do(connection: Connection, constraint: str) -> None:
    first = accepted(connection)
    repository.settle(connection, first.id, Progress.SUCCEEDED, acquirer_reference="acq")

    statement, target = BY_HAND[constraint](first.payment_id, first.id)
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        connection.execute(statement, (target,))
    assert refused.value.diag.constraint_name == constraint


def test_payments_are_listed_from_the_newest(connection: Connection) -> None:
    ids = [accepted(connection).payment_id for _ in range(5)]

    page = repository.payments(connection, limit=3)
    rest = repository.payments(connection, before=page[-1].id, limit=2)
    assert [payment.id for payment in [*page, *rest]] == sorted(ids, reverse=True)
    assert ids[0] not in {payment.id for payment in repository.payments(connection, state=State.VOIDED, limit=100)}


def test_keys_are_forgotten_when_they_are_old(connection: Connection) -> None:
    old = key()
    repository.accept(connection, NewPayment("USD", "tok", None, operation(Kind.SALE, 5)), old, ANSWER)
    assert repository.purge_keys(connection, timedelta(days=1), 1000) == 0
    assert repository.purge_keys(connection, timedelta(0), 1000) > 0
    assert repository.claim(connection, uuid4(), MINUTE) is None
