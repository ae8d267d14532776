"""No request fails or is lost during a stop, a secret rotation, a migration or a restart of the database."""

from __future__ import annotations

import json
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from mypy_boto3_sqs import SQSClient

from payments import repository
from payments.identifiers import new_id
from payments.messages import ProcessOperation
from payments.migrate import migrate
from payments.repository import IdempotencyKey, NewOperation, NewPayment, StoredResponse
from payments.roles import Process
from payments.states import OperationKind
from tests.payments.conftest import Database, Platform, Start
from tests.payments.load import Load, load, until
from tests.payments.logins import PASSWORD
from tests.payments.support import BY, REGION, SERVICE

pytestmark = [pytest.mark.requirement("Q1")]

PAYMENTS = 100


def stored(platform: Platform) -> set[str]:
    with platform.database.connect() as connection:
        return {str(id_) for (id_,) in connection.execute("SELECT id FROM payments.payments")}


def waiting(platform: Platform) -> set[str]:
    """The payments that the outbox has messages for."""
    query = (
        "SELECT payment_id FROM payments.outbox JOIN payments.operations AS operation ON operation.id = operation_id"
    )
    with platform.database.connect() as connection:
        return {str(payment_id) for (payment_id,) in connection.execute(query)}


def sent(sqs: SQSClient, platform: Platform) -> set[str]:
    """The payments that the queue has messages for."""
    found = set()
    while messages := sqs.receive_message(
        QueueUrl=platform.queue_url, MaxNumberOfMessages=10, VisibilityTimeout=600
    ).get("Messages"):
        found |= {str(ProcessOperation.from_json(message["Body"]).payment_id) for message in messages}
    return found


def queued(sqs: SQSClient, platform: Platform) -> int:
    """How many messages the queue has."""
    answer = sqs.get_queue_attributes(QueueUrl=platform.queue_url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def assert_nothing_lost(load: Load, platform: Platform) -> None:
    assert load.failed == []
    assert stored(platform) == set(load.accepted)


def test_stop_under_load_loses_no_request_and_no_message(
    service_platform: Platform, start: Start, sqs: SQSClient
) -> None:
    # Until the load balancer knows: a second signal, not a time, says here that it does.
    first, second = start(service_platform, DRAIN_SECONDS="60"), start(service_platform)

    with load(first, second) as clients:
        clients.wait_for(PAYMENTS)
        first.process.terminate()
        until(lambda: first.url in clients.leaving and not clients.under_way[first.url], "word that it leaves")
        assert first.stop() == 0
        clients.wait_for(PAYMENTS)
    assert second.stop() == 0

    assert_nothing_lost(clients, service_platform)
    # What the queue could not take in time is still in the outbox, for the next process.
    assert queued(sqs, service_platform) + len(waiting(service_platform)) >= len(clients.accepted)


def test_running_request_completes_before_the_process_ends(service_platform: Platform, start: Start) -> None:
    running = start(service_platform, DRAIN_SECONDS="0")
    with ThreadPoolExecutor(1) as client, service_platform.database.connect() as blocker:
        with blocker.transaction():
            blocker.execute("LOCK TABLE payments.payments IN ACCESS EXCLUSIVE MODE")
            answer = client.submit(running.create)
            until(lambda: held(service_platform) == 1, "request that the database holds")
            running.process.terminate()
            until(lambda: '"draining"' in running.log.read_text(), "word that it stops")
        assert answer.result().status_code == 202
        assert running.process.wait(30) == 0
    assert stored(service_platform) == {answer.result().json()["id"]}


def held(platform: Platform) -> int:
    """How many statements wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    with platform.database.server.connect() as connection:
        row = connection.execute(query, (platform.database.name,)).fetchone()
    assert row
    return int(row[0])


def test_outbox_is_sent_before_the_process_ends(service_platform: Platform, start: Start, sqs: SQSClient) -> None:
    with service_platform.database.connect() as connection:
        for _ in range(300):
            accept(connection)
        with connection.transaction(force_rollback=True):
            ids = {str(message.payment_id) for message in repository.claim_outbox_messages(connection, 1000)}
            running = start(service_platform, DRAIN_SECONDS="0", STOP_SECONDS="60")  # what is locked is passed over
        assert running.stop(60) == 0

    assert len(ids) == 300
    assert waiting(service_platform) == set()
    assert sent(sqs, service_platform) == ids


def accept(connection: psycopg.Connection[Any]) -> None:
    now = datetime.now(UTC)
    id_ = new_id(now)
    first = NewOperation(id_, id_, OperationKind.SALE, 100, "correlation", now)
    key = IdempotencyKey(str(id_), b"")
    repository.create_payment(
        connection, BY, NewPayment("USD", "tok_visa_1", None, first), key, StoredResponse(202, "{}")
    )


def test_outbox_of_a_killed_process_is_sent_by_another(
    service_platform: Platform, start: Start, sqs: SQSClient
) -> None:
    first = start(service_platform, PUBLISHES="false")
    ids = {first.create().json()["id"] for _ in range(25)}
    first.process.kill()
    assert waiting(service_platform) == ids

    second = start(service_platform)
    until(lambda: not waiting(service_platform), "sent messages")

    assert sent(sqs, service_platform) == ids
    assert second.stop() == 0


def rotate(platform: Platform, user: str, password: str) -> None:
    """As the rotation function does: a second user, the same rights, and then the secret."""
    with platform.database.connect() as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
        migrate(platform.database.connect, logins={user: Process.API})
    boto3.client("secretsmanager", region_name=REGION).put_secret_value(
        SecretId=platform.secrets[Process.API], SecretString=json.dumps({"username": user, "password": password})
    )


def test_secret_rotation_under_load_fails_no_request(service_platform: Platform, start: Start) -> None:
    before, after = (f"payments_{secrets.token_hex(4)}" for _ in range(2))
    rotate(service_platform, before, "Password-1")
    running = start(service_platform)

    with load(running) as clients:
        clients.wait_for(PAYMENTS)
        rotate(service_platform, after, "Password-2")
        with service_platform.database.connect() as connection:
            # The user of before must not get in any more, and its connections are ended one by one, as they are when
            # their time is over.
            connection.execute(f"ALTER ROLE {before} PASSWORD 'gone'")
            sessions = "SELECT pid FROM pg_stat_activity WHERE usename = %s"
            for (pid,) in connection.execute(sessions, (before,)).fetchall():
                connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
                clients.wait_for(10)
        clients.wait_for(PAYMENTS)

    assert_nothing_lost(clients, service_platform)
    with service_platform.database.connect() as connection:
        users = connection.execute(
            "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = %s AND application_name = 'payments'",
            (service_platform.database.name,),
        ).fetchall()
    assert users == [(after,)]
    assert "Password-" not in running.log.read_text()


def test_database_restart_under_load_fails_no_request(service_platform: Platform, start: Start) -> None:
    running = start(service_platform)

    with load(running) as clients:
        clients.wait_for(PAYMENTS)
        with service_platform.database.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                (service_platform.database.name,),
            )
        clients.wait_for(PAYMENTS)

    assert_nothing_lost(clients, service_platform)


EXPANDING = '''
"""A column, an index and a transition."""

from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    op.execute("ALTER TABLE payments.payments ADD COLUMN note text")
    op.execute("INSERT INTO payments.transitions VALUES ('void', 'pending', 'accepted', 'voiding')")
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY payments_of_reference ON payments.payments (reference)")
'''


@pytest.fixture
def migrations_of_the_next_version(tmp_path: Path) -> Path:
    """The package as it would be with one step more."""
    copied = tmp_path / "next" / "payments"
    shutil.copytree(SERVICE / "payments", copied)
    heads = sorted(path.name.partition("_")[0] for path in (copied / "migrations" / "versions").glob("[0-9]*.py"))
    (copied / "migrations" / "versions" / "9999_next.py").write_text(EXPANDING.format(head=heads[-1]))
    return copied


def test_next_migration_under_load_fails_no_request(
    service_platform: Platform, start: Start, migrations_of_the_next_version: Path
) -> None:
    running = start(service_platform)

    with load(running) as clients:
        clients.wait_for(PAYMENTS)
        version = migrate(service_platform.database.connect, directory=migrations_of_the_next_version / "migrations")
        clients.wait_for(PAYMENTS)

    assert version == "9999"
    assert_nothing_lost(clients, service_platform)


def test_migration_that_waits_for_a_lock_gives_up_and_is_retried(
    database: Database, migrations_of_the_next_version: Path
) -> None:
    directory = migrations_of_the_next_version / "migrations"
    with database.connect() as reader, database.connect() as other, reader.transaction():
        reader.execute("SELECT count(*) FROM payments.payments")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            migrate(database.connect, directory=directory, attempts=1)
        # Nobody waits behind the one that gave up.
        other.execute("SET lock_timeout = '2s'")
        assert other.execute("SELECT count(*) FROM payments.payments").fetchone() == (0,)
    assert migrate(database.connect, directory=directory) == "9999"


def test_application_user_cannot_update_payments(service_platform: Platform, start: Start) -> None:
    payment = start(service_platform).create().json()["id"]
    database = service_platform.database
    values: dict[str, Any] = {"user": "payments_app", "password": PASSWORD, "database": database.name}

    with database.server.connect(**values) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("UPDATE payments.payments SET refunded_amount = 0 WHERE id = %s", (payment,))
