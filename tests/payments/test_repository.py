"""The repository: what it stores, and what the database rejects."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from payments import repository
from payments.application import PROBLEMS
from payments.identifiers import new_id
from payments.repository import IdempotencyKey, NewOperation, NewPayment, StoredResponse
from payments.states import TRANSITIONS, OperationKind, OperationStatus, PaymentStatus
from tests.payments.support import BY

Connection = psycopg.Connection[Any]

MINUTE = timedelta(minutes=1)
RESPONSE = StoredResponse(202, '{"a": 1}')


def key() -> IdempotencyKey:
    return IdempotencyKey(secrets.token_hex(8), secrets.token_bytes(32))


def operation(kind: OperationKind, amount: int, payment_id: UUID | None = None) -> NewOperation:
    now = datetime.now(UTC)
    return NewOperation(
        id=new_id(now),
        payment_id=payment_id or new_id(now),
        kind=kind,
        amount=amount,
        correlation_id="correlation",
        created_at=now,
    )


def accepted(connection: Connection, kind: OperationKind = OperationKind.SALE, amount: int = 1000) -> NewOperation:
    first = operation(kind, amount)
    repository.create_payment(connection, BY, NewPayment("USD", "tok_1", "order-1", first), key(), RESPONSE)
    return first


def captured(connection: Connection, amount: int = 1000) -> UUID:
    first = accepted(connection, amount=amount)
    assert repository.complete(connection, first.id, OperationStatus.SUCCEEDED, acquirer_reference="acq-1")
    return first.payment_id


def requested(connection: Connection, kind: OperationKind, payment_id: UUID, amount: int) -> NewOperation:
    new = operation(kind, amount, payment_id)
    repository.create_operation(connection, BY, new, key(), RESPONSE)
    return new


def stored(connection: Connection, payment_id: UUID) -> repository.Payment:
    found = repository.get_payment(connection, BY.merchant_id, payment_id)
    assert found
    return found


def test_created_payment_has_its_operation_and_outbox_message(connection: Connection) -> None:
    first = accepted(connection, OperationKind.AUTHORIZATION, 1234)

    payment = stored(connection, first.payment_id)
    assert (payment.status, payment.amount, payment.currency) == (PaymentStatus.ACCEPTED, 1234, "USD")
    assert isinstance(payment.status, PaymentStatus)
    (found,) = repository.list_operations(connection, first.payment_id)
    assert (found.id, found.kind, found.status, found.attempts) == (
        first.id,
        OperationKind.AUTHORIZATION,
        OperationStatus.PENDING,
        0,
    )
    with connection.transaction(force_rollback=True):
        assert first.id in {message.operation_id for message in repository.claim_outbox_messages(connection, 1000)}


def test_repeated_request_gets_the_stored_response_and_stores_nothing(connection: Connection) -> None:
    same = key()
    first, repeated = operation(OperationKind.SALE, 5), operation(OperationKind.SALE, 5)

    repository.create_payment(connection, BY, NewPayment("USD", "tok", None, first), same, RESPONSE)
    response = repository.create_payment(
        connection, BY, NewPayment("USD", "tok", None, repeated), same, StoredResponse(202, "other")
    )

    assert response == RESPONSE
    assert repository.get_payment(connection, BY.merchant_id, repeated.payment_id) is None


def test_idempotency_key_of_another_request_is_rejected(connection: Connection) -> None:
    used = key()
    repository.create_payment(
        connection, BY, NewPayment("USD", "tok", None, operation(OperationKind.SALE, 5)), used, RESPONSE
    )

    other = IdempotencyKey(used.key, b"other")
    with pytest.raises(repository.IdempotencyKeyReused):
        repository.create_payment(
            connection, BY, NewPayment("USD", "tok", None, operation(OperationKind.SALE, 5)), other, RESPONSE
        )


def test_rejected_operation_stores_nothing(connection: Connection) -> None:
    payment_id, used = captured(connection), key()

    with pytest.raises(repository.StatusConflict):
        repository.create_operation(connection, BY, operation(OperationKind.VOID, 1000, payment_id), used, RESPONSE)

    assert (
        repository.create_operation(connection, BY, operation(OperationKind.REFUND, 1000, payment_id), used, RESPONSE)
        == RESPONSE
    )
    assert len(repository.list_operations(connection, payment_id)) == 2


def test_refunds_cannot_exceed_the_captured_amount(connection: Connection) -> None:
    payment_id = captured(connection, 1000)
    first = requested(connection, OperationKind.REFUND, payment_id, 700)

    with pytest.raises(repository.AmountTooLarge) as rejected:
        requested(connection, OperationKind.REFUND, payment_id, 301)
    assert rejected.value.max_amount == 300

    repository.complete(connection, first.id, OperationStatus.DECLINED, reason="closed_account")
    second = requested(connection, OperationKind.REFUND, payment_id, 1000)
    assert stored(connection, payment_id).refunding_amount == 1000
    repository.complete(connection, second.id, OperationStatus.SUCCEEDED, acquirer_reference="acq-2")
    payment = stored(connection, payment_id)
    assert (payment.status, payment.refunded_amount, payment.refunding_amount) == (PaymentStatus.REFUNDED, 1000, 0)


def test_capture_can_be_partial_and_cannot_exceed_the_authorized_amount(connection: Connection) -> None:
    first = accepted(connection, OperationKind.AUTHORIZATION, 1000)
    repository.complete(connection, first.id, OperationStatus.SUCCEEDED, acquirer_reference="acq")

    with pytest.raises(repository.AmountTooLarge):
        requested(connection, OperationKind.CAPTURE, first.payment_id, 1001)
    capture = requested(connection, OperationKind.CAPTURE, first.payment_id, 400)
    assert stored(connection, first.payment_id).status is PaymentStatus.CAPTURING
    repository.complete(connection, capture.id, OperationStatus.SUCCEEDED, acquirer_reference="acq")

    payment = stored(connection, first.payment_id)
    assert (payment.status, payment.captured_amount) == (PaymentStatus.CAPTURED, 400)


def test_second_final_status_is_not_stored(connection: Connection) -> None:
    first = accepted(connection)
    assert repository.complete(connection, first.id, OperationStatus.SUCCEEDED, acquirer_reference="acq")

    assert not repository.complete(connection, first.id, OperationStatus.DECLINED, reason="late")
    assert stored(connection, first.payment_id).status is PaymentStatus.CAPTURED


def test_token_is_deleted_when_the_first_operation_completes(connection: Connection) -> None:
    first = accepted(connection)
    held = repository.claim(connection, first.id, MINUTE)
    assert held
    assert held.token == "tok_1"

    repository.complete(connection, first.id, OperationStatus.DECLINED, reason="insufficient_funds")

    query = "SELECT token FROM payments.payments WHERE id = %s"
    assert connection.execute(query, (first.payment_id,)).fetchone() == (None,)


def test_operation_is_claimed_by_one_process_at_a_time(connection: Connection) -> None:
    first = accepted(connection)
    held = repository.claim(connection, first.id, MINUTE)
    assert held
    assert held.operation.attempts == 1
    assert repository.claim(connection, first.id, MINUTE) is None

    assert repository.schedule_retry(connection, held, "timeout", timedelta(0))

    second = repository.claim(connection, first.id, timedelta(0))
    assert second
    assert second.operation.attempts == 2
    assert not repository.schedule_retry(connection, held, "timeout", timedelta(0)), (
        "another process has taken over the claim"
    )


def test_pending_operation_is_listed_when_it_is_overdue(connection: Connection) -> None:
    first = accepted(connection)

    def found() -> bool:
        return first.id in {one.id for one in repository.list_overdue(connection, timedelta(0), 1000)}

    assert not found(), "its message is still in the outbox"
    with connection.transaction():
        messages = repository.claim_outbox_messages(connection, 1000)
        repository.delete_outbox_messages(connection, [message.id for message in messages])
    assert found()
    held = repository.claim(connection, first.id, MINUTE)
    assert held
    assert not found(), "it is claimed"
    repository.schedule_retry(connection, held, "timeout", MINUTE)
    assert not found(), "its next attempt is not due"
    connection.execute("UPDATE payments.operations SET next_attempt_at = now() WHERE id = %s", (first.id,))
    repository.resend(connection, first.id, MINUTE)
    with connection.transaction():
        messages = repository.claim_outbox_messages(connection, 1000)
        assert first.id in {message.operation_id for message in messages}
        repository.delete_outbox_messages(connection, [message.id for message in messages])
    assert not found(), "its message was sent again"


def test_completed_operation_is_not_sent_again(connection: Connection) -> None:
    first = accepted(connection)
    with connection.transaction():
        repository.delete_outbox_messages(
            connection, [message.id for message in repository.claim_outbox_messages(connection, 1000)]
        )
    repository.complete(connection, first.id, OperationStatus.DECLINED, reason="insufficient_funds")

    repository.resend(connection, first.id, MINUTE)

    with connection.transaction(force_rollback=True):
        assert first.id not in {message.operation_id for message in repository.claim_outbox_messages(connection, 1000)}


def test_claim_status_has_the_status_and_the_remaining_claim(connection: Connection) -> None:
    assert repository.get_claim_status(connection, uuid4()) is None
    first = accepted(connection)
    assert repository.get_claim_status(connection, first.id) == repository.ClaimStatus(OperationStatus.PENDING, 0.0)

    repository.claim(connection, first.id, MINUTE)
    held = repository.get_claim_status(connection, first.id)
    assert held
    assert 50 < held.claimed_seconds <= 60

    repository.complete(connection, first.id, OperationStatus.SUCCEEDED, acquirer_reference="acq-1")
    assert repository.get_claim_status(connection, first.id) == repository.ClaimStatus(OperationStatus.SUCCEEDED, 0.0)


def test_database_has_the_transition_table(connection: Connection) -> None:
    found = connection.execute("SELECT kind, event, origin, target FROM payments.transitions").fetchall()
    assert set(found) == {tuple(map(str, transition)) for transition in TRANSITIONS}


BY_HAND: dict[str, Callable[[UUID, UUID], tuple[str, UUID]]] = {
    "payment_follows_transitions": lambda payment, _: (
        "UPDATE payments.payments SET status = 'voided' WHERE id = %s",
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
    "operation_is_completed_once": lambda _, operation: (
        "UPDATE payments.operations SET status = 'declined' WHERE id = %s",
        operation,
    ),
    "operation_is_lasting": lambda _, operation: (
        "UPDATE payments.operations SET amount = 999 WHERE id = %s",
        operation,
    ),
}


@pytest.mark.parametrize("constraint", BY_HAND)
def test_database_rejects_invalid_writes_by_hand(connection: Connection, constraint: str) -> None:
    first = accepted(connection)
    repository.complete(connection, first.id, OperationStatus.SUCCEEDED, acquirer_reference="acq")

    statement, target = BY_HAND[constraint](first.payment_id, first.id)
    with pytest.raises(psycopg.errors.CheckViolation) as rejected:
        connection.execute(statement, (target,))
    assert rejected.value.diag.constraint_name == constraint


def test_payments_are_listed_newest_first(connection: Connection) -> None:
    ids = [accepted(connection).payment_id for _ in range(5)]

    page = repository.list_payments(connection, BY.merchant_id, limit=3)
    rest = repository.list_payments(connection, BY.merchant_id, before=page[-1].id, limit=2)
    assert [payment.id for payment in [*page, *rest]] == sorted(ids, reverse=True)
    assert ids[0] not in {
        payment.id
        for payment in repository.list_payments(connection, BY.merchant_id, status=PaymentStatus.VOIDED, limit=100)
    }


def test_old_idempotency_keys_are_purged(connection: Connection) -> None:
    old = key()
    repository.create_payment(
        connection, BY, NewPayment("USD", "tok", None, operation(OperationKind.SALE, 5)), old, RESPONSE
    )
    assert repository.purge_idempotency_keys(connection, timedelta(days=1), 1000) == 0
    assert repository.purge_idempotency_keys(connection, timedelta(0), 1000) > 0
    assert repository.claim(connection, uuid4(), MINUTE) is None


def test_token_is_in_no_representation_of_a_record(connection: Connection) -> None:
    now = datetime.now(UTC)
    first = NewOperation(new_id(now), new_id(now), OperationKind.SALE, 100, "c", now)
    new = NewPayment("EUR", "tok_secret", None, first)
    repository.create_payment(connection, BY, new, key(), StoredResponse(202, "{}"))
    held = repository.claim(connection, first.id, MINUTE)
    assert held
    assert held.token == "tok_secret"
    assert "tok_secret" not in repr(new) + repr(held)


def test_database_that_has_become_read_only_is_temporary() -> None:
    problem = PROBLEMS[psycopg.Error](psycopg.errors.ReadOnlySqlTransaction())
    assert problem.status == 503
