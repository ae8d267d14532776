"""Partitions of audit events: made ahead, dropped after the retention and never before, append-only each (Q3, W5)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from payments import repository
from payments.lifetimes import Lifetimes
from payments.publisher import Publisher
from payments.roles import Process
from tests.payments import version_before
from tests.payments.conftest import Database, LoggedIn

pytestmark = [pytest.mark.requirement("Q3")]

PARTITIONS = """
SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'payments.audit_events'::regclass ORDER BY relname
"""
WRITES = (
    "UPDATE payments.{} SET action = 'nothing'",
    "DELETE FROM payments.{}",
    "TRUNCATE payments.{}",
    "INSERT INTO payments.{} (action) SELECT 'x'",
    "SELECT id FROM payments.{}",
)


def partitions(connection: psycopg.Connection[Any]) -> list[str]:
    return [str(name) for (name,) in connection.execute(PARTITIONS)]


def months_from_now(months: int) -> datetime:
    now = datetime.now(UTC)
    count = now.year * 12 + now.month - 1 + months
    return datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)


def named(months: int) -> str:
    return f"audit_events_{months_from_now(months):%Y_%m}"


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """The owner's, on a database of its own."""
    with database.connect() as connection:
        yield connection


def add_month(connection: psycopg.Connection[Any], months: int) -> None:
    """A month of long ago, as if the table had been there: before those of the migration, which must make room."""
    begin, end = months_from_now(months), months_from_now(months + 1)
    connection.execute(
        f"CREATE TABLE payments.{named(months)} PARTITION OF payments.audit_events "
        f"FOR VALUES FROM ('{begin}') TO ('{end}')"
    )
    connection.execute(
        "INSERT INTO payments.audit_events (at, merchant_id, login, action, object_id) "
        "SELECT %s, gen_random_uuid(), 'x', 'x', gen_random_uuid()",
        (begin,),
    )


def without_what_was_before(connection: psycopg.Connection[Any]) -> None:
    """As some months after the migration, when its first partition has been dropped."""
    connection.execute("DROP TABLE payments.audit_events_before")
    connection.execute("SELECT payments.keep_audit_months(12)")


def test_months_are_made_ahead_and_dropped_once_their_last_event_is_older_than_what_is_kept(
    owner: psycopg.Connection[Any],
) -> None:
    without_what_was_before(owner)
    assert {named(months) for months in range(4)} <= set(partitions(owner))
    for months in range(-15, 0):
        add_month(owner, months)
    assert repository.keep_audit_months(owner, 13) == 2
    assert repository.keep_audit_months(owner, 12) == 1
    kept = set(partitions(owner))
    assert {named(months) for months in range(-15, 4)} & kept == {named(months) for months in range(-12, 4)}
    oldest = owner.execute("SELECT min(at) FROM payments.audit_events").fetchone()
    assert oldest == (months_from_now(-12),), "the month of which the last days are kept is kept whole"
    assert repository.keep_audit_months(owner, 12) == 0


def test_publisher_drops_what_is_older_than_its_settings_keep(
    database: Database, owner: psycopg.Connection[Any]
) -> None:
    without_what_was_before(owner)
    for months in range(-15, -12):
        add_month(owner, months)
    kept = Lifetimes(idempotency_keys=timedelta(days=3), audit_months=13)
    reached: Any = database
    queue: Any = None  # nothing is in the outbox
    publisher = Publisher(reached, queue, environment="test", kept=kept)
    publisher.start()
    publisher.stop(30)
    assert {named(months) for months in (-15, -14, -13)} & set(partitions(owner)) == {named(-13)}


@pytest.mark.parametrize("months", [11, 0, -1, None])
def test_no_process_drops_what_twelve_months_keep(logged_in: LoggedIn, months: int | None) -> None:
    with (
        logged_in(Process.PUBLISHING).connect() as publishing,
        pytest.raises(psycopg.errors.CheckViolation, match="twelve months at least"),
    ):
        publishing.execute("SELECT payments.keep_audit_months(%s::integer)", (months,))


def test_event_of_a_month_without_a_partition_is_kept_for_good(owner: psycopg.Connection[Any]) -> None:
    without_what_was_before(owner)
    owner.execute(f"DROP TABLE payments.{named(0)}")
    _, operation = version_before.accept(owner)
    where = "SELECT tableoid::regclass::text FROM payments.audit_events WHERE object_id = %s"
    assert owner.execute(where, (operation,)).fetchall() == [("payments.audit_events_of_no_month",)]
    repository.keep_audit_months(owner, 12)
    assert named(0) not in partitions(owner)
    assert owner.execute(where, (operation,)).fetchall() == [("payments.audit_events_of_no_month",)]


@pytest.mark.parametrize("process", list(Process))
def test_no_login_reads_or_writes_a_partition(shared_database: Database, logged_in: LoggedIn, process: Process) -> None:
    with shared_database.connect() as owner:
        found = ["audit_events", *partitions(owner)]
    assert len(found) > 3
    with logged_in(process).connect() as connection:
        for table in found:
            for statement in WRITES:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.format(table).encode())


def test_owner_changes_no_event_of_any_partition(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT payments.keep_audit_months(12)")
    found = ["audit_events", *partitions(connection)]
    assert len(found) > 3
    for table in found:
        for statement in WRITES[:3]:
            with pytest.raises(psycopg.errors.CheckViolation, match="neither changed nor deleted"):
                connection.execute(statement.format(table).encode())
