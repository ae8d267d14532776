"""A read-only database, as in a standby region and for moments after a failover: nothing is lost.

What cannot be written waits, and resumes once the database is writable.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from mypy_boto3_sqs import SQSClient
from psycopg_pool import PoolTimeout

from payments import repository
from payments.database import Database as Reached
from payments.database import Pool
from payments.identifiers import new_id
from payments.lifetimes import Lifetimes
from payments.publisher import Publisher
from payments.queue import Queue
from payments.repository import IdempotencyKey, NewOperation, NewPayment, StoredResponse
from payments.roles import API, PROCESSING, PUBLISHING
from payments.states import OperationKind
from tests.payments.conftest import Database
from tests.payments.logins import PASSWORD, Known
from tests.payments.support import BY, REGION

pytestmark = [pytest.mark.requirement("W3.5", "P3.2")]


@dataclass(frozen=True)
class Standby:
    """A database that lets its user write, or not."""

    database: Database
    user: str

    def writes(self, *, allowed: bool, connections_stay: bool = False) -> None:
        """Let sessions write from now on, or not; those that are open end, as in a failover of Aurora."""
        with self.database.connect() as connection:
            connection.execute(f"ALTER ROLE {self.user} SET default_transaction_read_only = {not allowed}")
            if not connections_stay:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (self.user,)
                )

    @property
    def reached(self) -> Reached:
        server = self.database.server
        return Reached(
            host=server.host,
            port=server.port,
            name=self.database.name,
            login=Known(self.user),
            certificates=server.ca,
        )

    def outbox_size(self) -> int:
        with self.database.connect() as connection:
            ((count,),) = connection.execute("SELECT count(*) FROM payments.outbox").fetchall()
        return int(count)


@pytest.fixture
def standby(database: Database) -> Iterator[Standby]:
    user = f"standby_{secrets.token_hex(4)}"
    with database.connect() as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'")
        connection.execute(f"GRANT {API}, {PROCESSING}, {PUBLISHING} TO {user}")
        yield Standby(database, user)
        connection.execute(f"DROP OWNED BY {user}")
        connection.execute(f"DROP ROLE {user}")


def accept(connection: psycopg.Connection[Any]) -> None:
    """Store a payment and its outbox message."""
    now = datetime.now(UTC)
    first = NewOperation(
        id=new_id(now),
        payment_id=new_id(now),
        kind=OperationKind.SALE,
        amount=1250,
        correlation_id="c-1",
        created_at=now,
    )
    key = IdempotencyKey(secrets.token_hex(8), secrets.token_bytes(32))
    repository.create_payment(connection, BY, NewPayment("EUR", "tok_1", None, first), key, StoredResponse(202, "{}"))


def received(sqs: SQSClient, queue_url: str, seconds: int) -> int:
    answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=seconds)
    return len(answer.get("Messages", []))


def test_connection_to_a_read_only_instance_is_rejected(standby: Standby) -> None:
    standby.writes(allowed=False)
    with pytest.raises(psycopg.OperationalError, match="read-only"):
        standby.reached.connect()
    standby.writes(allowed=True)
    standby.reached.connect().close()


def test_publisher_backs_off_from_a_read_only_database_and_resumes(
    standby: Standby, sqs: SQSClient, queue_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with standby.database.connect() as connection:
        accept(connection)
    standby.writes(allowed=False)
    publisher = Publisher(
        standby.reached, Queue(queue_url, region=REGION), environment="test", kept=Lifetimes(timedelta(days=3), 12)
    )
    publisher.start()
    try:
        assert received(sqs, queue_url, seconds=3) == 0
        assert standby.outbox_size() == 1
        # Each try waits twice as long as the one before: in three seconds, at 0, 0.5, 1.5 and perhaps 3.5.
        assert 1 <= caplog.messages.count("outbox not sent") <= 5
        standby.writes(allowed=True)
        assert received(sqs, queue_url, seconds=15) == 1
        deadline = time.monotonic() + 10
        while standby.outbox_size():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        publisher.stop(5)


def test_pool_leaves_an_instance_that_has_become_read_only(standby: Standby) -> None:
    pool = Pool(standby.reached, 2)
    pool.open()
    try:
        pool.run(accept, 10)
        # The session itself turns, as on an instance that no longer writes and has not ended it.
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            pool.run(_turn_and_accept, 10)
        pool.run(accept, 10)
        standby.writes(allowed=False)
        with pytest.raises(PoolTimeout):
            pool.run(accept, 2)
        standby.writes(allowed=True)
        pool.run(accept, 30)
    finally:
        pool.close()
    assert standby.outbox_size() == 3


def _turn_and_accept(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SET default_transaction_read_only = on")
    accept(connection)
