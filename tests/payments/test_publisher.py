"""The publisher: no transaction is open while it talks to the queue, and a slow or failing queue leaves it draining."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from botocore.exceptions import EndpointConnectionError
from psycopg.pq import TransactionStatus

from payments import logs, publisher, repository
from payments.identifiers import new_id
from payments.lifetimes import Lifetimes
from payments.repository import IdempotencyKey, NewOperation, NewPayment, StoredResponse
from payments.roles import Process
from payments.states import OperationKind
from shared.payment_metrics import OUTBOX_AGE, PUBLISHER_ROUNDS
from tests.payments.conftest import Database, LoggedIn
from tests.payments.support import BY

pytestmark = [pytest.mark.requirement("Q1", "Q4")]

Connection = psycopg.Connection[Any]
PATIENCE = 30  # seconds
KEPT = Lifetimes(idempotency_keys=timedelta(days=3), audit_months=13)


class SlowQueue:
    """A queue that takes its time, fails after so many calls, and notes the state of the publisher's transaction."""

    def __init__(self, connection: Connection, *, seconds: float = 0.0, calls: int = 1000) -> None:
        self._connection, self._seconds, self._calls = connection, seconds, calls
        self.statuses: set[TransactionStatus] = set()
        self.sent: list[str] = []
        self.calls_made = 0
        self.rejects: set[str] = set()

    def send(self, bodies: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        self.statuses.add(self._connection.info.transaction_status)
        self.calls_made += 1
        time.sleep(self._seconds)
        self._calls -= 1
        if self._calls < 0:
            raise EndpointConnectionError(endpoint_url="https://sqs")
        taken = [id_ for id_ in bodies if id_ not in self.rejects]
        self.sent += taken
        return taken, dict.fromkeys(self.rejects & set(bodies), "InvalidMessageContents")


@pytest.fixture
def outbox(connection: Connection) -> Connection:
    """An outbox of 35 messages."""
    connection.execute("DELETE FROM payments.outbox")
    for _ in range(35):
        now = datetime.now(UTC)
        first = NewOperation(new_id(now), new_id(now), OperationKind.SALE, 100, "c", now)
        key = IdempotencyKey(secrets.token_hex(8), b"")
        repository.create_payment(connection, BY, NewPayment("EUR", "tok", None, first), key, StoredResponse(202, "{}"))
    return connection


def left(connection: Connection) -> int:
    ((count,),) = connection.execute("SELECT count(*) FROM payments.outbox").fetchall()
    return int(count)


def publish(connection: Connection, queue: SlowQueue) -> int:
    return len(publisher.publish(connection, queue))  # type: ignore[arg-type]


def test_no_transaction_is_open_during_a_call_to_the_queue(outbox: Connection) -> None:
    queue = SlowQueue(outbox)
    assert publish(outbox, queue) == 35
    assert queue.statuses == {TransactionStatus.IDLE}
    assert left(outbox) == 0


def test_queue_that_is_slower_than_a_transaction_may_be_idle_is_drained(outbox: Connection) -> None:
    outbox.execute("SET idle_in_transaction_session_timeout = '100ms'")
    queue = SlowQueue(outbox, seconds=0.15)
    assert publish(outbox, queue) == 35
    assert left(outbox) == 0
    outbox.execute("RESET idle_in_transaction_session_timeout")


def test_what_was_sent_before_a_failure_is_not_sent_again_and_the_rest_is_at_once(outbox: Connection) -> None:
    failing, well = SlowQueue(outbox, calls=2), SlowQueue(outbox)
    assert publish(outbox, failing) == 20
    assert failing.calls_made == 3, "a queue that fails is left alone until the next poll"
    assert left(outbox) == 15
    assert publish(outbox, well) == 15
    assert not set(failing.sent) & set(well.sent)


def test_empty_outbox_is_asked_once_a_poll(outbox: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox.execute("DELETE FROM payments.outbox")
    claim, asked = repository.claim_outbox_messages, list[int]()

    def counted(connection: Connection, limit: int) -> list[repository.OutboxMessage]:
        asked.append(limit)
        return claim(connection, limit)

    monkeypatch.setattr(repository, "claim_outbox_messages", counted)
    assert publish(outbox, SlowQueue(outbox)) == 0
    assert len(asked) == 1


def test_rejected_messages_stand_in_front_of_no_others(outbox: Connection) -> None:
    queue = SlowQueue(outbox)
    ids = [str(id_) for (id_,) in outbox.execute("SELECT id FROM payments.outbox ORDER BY id LIMIT 12")]
    queue.rejects = set(ids)
    assert publish(outbox, queue) == 23
    assert publish(outbox, queue) == 0, "they are tried again later"
    assert left(outbox) == 12


def test_publishers_that_claim_at_the_same_time_get_the_oldest_each_their_own_without_waiting(
    outbox: Connection, shared_database: Database
) -> None:
    ids = [id_ for (id_,) in outbox.execute("SELECT id FROM payments.outbox ORDER BY id")]
    outbox.execute("SET lock_timeout = '5s'")
    with shared_database.connect() as other, other.transaction():
        first = repository.claim_outbox_messages(other, 10)
        second = repository.claim_outbox_messages(outbox, 10)
    assert [message.id for message in (*first, *second)] == ids[:20]


def test_stopped_publisher_sends_all_that_is_left_and_tells_its_age_in_milliseconds(
    outbox: Connection, logged_in: LoggedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.execute("UPDATE payments.outbox SET created_at = now() - interval '1 hour'")
    monkeypatch.setattr(publisher, "BATCHES_PER_POLL", 1)
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(logs, "info", lambda _, **values: told.append(values))
    one = publisher_of(logged_in, SlowQueue(outbox, seconds=0.1))
    one.start()
    one.stop(30)
    assert left(outbox) == 0
    sent = [values for values in told if "messages" in values]
    assert [values["messages"] for values in sent] == [10, 10, 10, 5]
    ages = [age for values in sent for age in values[OUTBOX_AGE.name]]
    assert len(ages) == 35
    hour = timedelta(hours=1) / timedelta(milliseconds=1)
    assert all(hour <= age < 2 * hour for age in ages)


class Unreachable:
    """A database that lets nobody in."""

    def connect(self) -> Connection:
        raise psycopg.OperationalError("no writer")


def test_publisher_beats_where_there_is_nothing_to_send_and_not_where_it_cannot_look(
    outbox: Connection, logged_in: LoggedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    done = threading.Event()
    monkeypatch.setattr(logs, "error", lambda *_, **__: done.set())

    def info(_message: str, **values: Any) -> None:
        told.append(values)
        done.set()

    monkeypatch.setattr(logs, "info", info)
    outbox.execute("DELETE FROM payments.outbox")

    def beats(database: Any) -> list[dict[str, Any]]:
        told.clear()
        done.clear()
        queue: Any = None  # nothing is sent
        one = publisher.Publisher(database, queue, environment="test", kept=KEPT)
        one.start()
        assert done.wait(60), "it has looked, or could not"
        one.stop(0)
        return list(told)

    (beat,) = beats(logged_in(Process.PUBLISHING))
    assert beat["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Environment"]], "of all publishers together"
    assert (beat["Environment"], beat[PUBLISHER_ROUNDS.name]) == ("test", 1.0)
    assert beats(Unreachable()) == []


def publisher_of(logged_in: LoggedIn, queue: SlowQueue) -> publisher.Publisher:
    one: Any = queue
    return publisher.Publisher(logged_in(Process.PUBLISHING), one, environment="test", kept=KEPT)


def test_publisher_ends_as_soon_as_nothing_is_left(outbox: Connection, logged_in: LoggedIn) -> None:
    one = publisher_of(logged_in, SlowQueue(outbox))
    one.start()
    begun = time.monotonic()
    one.stop(2 * PATIENCE)
    assert time.monotonic() - begun < PATIENCE
    assert left(outbox) == 0


def test_publisher_of_a_queue_that_fails_ends_at_its_time(outbox: Connection, logged_in: LoggedIn) -> None:
    one = publisher_of(logged_in, SlowQueue(outbox, calls=0))
    one.start()
    one.stop(0.1)
    one._thread.join(PATIENCE)
    assert not one._thread.is_alive()
    assert left(outbox) == 35


class Waiting(publisher.Publisher):
    """A publisher that notes how long it would wait, waits for nothing, and ends after so many times."""

    waits: list[float]
    times: int

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        if len(self.waits) == self.times:
            self._stopping.set()

    def waited(self, times: int) -> list[float]:
        self.waits, self.times = [], times
        self.start()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.waits


class Broken:
    """A database whose connections can do nothing, not even be closed."""

    def __init__(self) -> None:
        self.opened = self.closed = 0

    def connect(self) -> Broken:
        self.opened += 1
        return self

    def transaction(self) -> Any:
        raise psycopg.OperationalError("the connection is lost")

    execute = cursor = transaction

    def close(self) -> None:
        self.closed += 1
        raise psycopg.OperationalError("the connection is lost")


def test_failing_publisher_waits_twice_as_long_each_time_and_connects_anew() -> None:
    broken: Any = Broken()
    one = Waiting(broken, broken, environment="test", kept=KEPT)
    assert one.waited(7) == [0.5, 1, 2, 4, 8, 10, 10]
    assert (broken.opened, broken.closed) == (8, 8), "each connection is closed, whether it can be or not"


def test_publisher_purges_and_drops_months_at_times_of_their_own(
    outbox: Connection, logged_in: LoggedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(publisher, "purge", lambda *_: done.append("keys"))
    monkeypatch.setattr(repository, "keep_audit_months", lambda *_: done.append("months"))
    one = Waiting(logged_in(Process.PUBLISHING), SlowQueue(outbox), environment="test", kept=KEPT)  # type: ignore[arg-type]
    assert one.waited(5) == [publisher.POLL_SECONDS] * 5
    assert done == ["keys", "months"], "once in a minute and once in an hour, whatever is polled between"


def test_publisher_that_is_woken_polls_at_once_and_then_waits_again(
    outbox: Connection, logged_in: LoggedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    polls = list[int]()
    polled = threading.Event()
    publish_once = publisher.publish

    def counted(connection: Connection, queue: Any) -> Any:
        found = publish_once(connection, queue)
        polls.append(len(found))
        if not found:
            polled.set()
        return found

    monkeypatch.setattr(publisher, "publish", counted)
    monkeypatch.setattr(publisher, "POLL_SECONDS", 100 * PATIENCE)
    one = publisher_of(logged_in, SlowQueue(outbox))
    one.start()
    assert polled.wait(PATIENCE)
    assert polls == [35, 0]
    polled.clear()
    one.wake()
    assert polled.wait(PATIENCE), "it does not wait for the next poll's time"
    time.sleep(0.2)  # in which one that does not wait would poll again
    assert polls == [35, 0, 0]
    begun = time.monotonic()
    one.stop(2 * PATIENCE)
    assert time.monotonic() - begun < PATIENCE, "nor does its end"
    assert one._connection is None


def test_failure_of_the_first_call_is_the_callers(outbox: Connection) -> None:
    with pytest.raises(EndpointConnectionError):
        publish(outbox, SlowQueue(outbox, calls=0))
    assert left(outbox) == 35
    assert publish(outbox, SlowQueue(outbox)) == 35, "nothing stays claimed"


def test_claimed_messages_are_no_other_publishers_until_the_claim_expires(outbox: Connection) -> None:
    taken = repository.claim_outbox_messages(outbox, 10)
    assert publish(outbox, SlowQueue(outbox)) == 25
    outbox.execute("UPDATE payments.outbox SET claimed_until = now() - interval '1 second'")
    queue = SlowQueue(outbox)
    assert publish(outbox, queue) == 10
    assert queue.sent == [str(message.id) for message in taken], "in their order"


def test_keys_are_purged_as_fast_as_they_come(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.execute(
        """
        INSERT INTO payments.idempotency_keys (merchant_key, fingerprint, status, answer, created_at)
        SELECT 'purge-' || n, '', 202, '{}', now() - interval '4 days' FROM generate_series(1, 12000) AS n
        """
    )
    purge, asked = repository.purge_idempotency_keys, list[int]()

    def counted(connection: Connection, older_than: timedelta, limit: int) -> int:
        asked.append(limit)
        return purge(connection, older_than, limit)

    monkeypatch.setattr(repository, "purge_idempotency_keys", counted)
    assert publisher.purge(connection, timedelta(days=3)) == 12000
    assert len(asked) == 3, "a batch that is not full is the last"
    assert publisher.purge(connection, timedelta(days=3)) == 0
