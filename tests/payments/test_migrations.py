"""Migrations: atomic, without the timeouts of requests, and safe while the version before serves."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event

from payments import repository
from payments.migrate import MIGRATIONS, migrate
from payments.states import OperationStatus, PaymentStatus
from tests.payments import version_before
from tests.payments.conftest import Database
from tests.payments.support import BY

pytestmark = [pytest.mark.requirement("Q1")]

MINUTE = timedelta(minutes=1)
HEAD = max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
"""The last one."""
Directory = Callable[..., Path]


@pytest.fixture
def migrations(tmp_path: Path) -> Directory:
    """Makes a folder of the migrations up to a revision, and with another one after the last."""

    def make(*, until: str = "9998", then: str = "") -> Path:
        folder = tmp_path / f"until-{until}-{bool(then)}" / "migrations"
        shutil.copytree(MIGRATIONS, folder)
        versions = sorted((folder / "versions").glob("[0-9]*.py"))
        for path in versions:
            if path.name > until and not path.name.startswith(until):
                path.unlink()
        if then:
            head = sorted((folder / "versions").glob("[0-9]*.py"))[-1].name.partition("_")[0]
            text = f"from alembic import op\nrevision, down_revision = '9999', '{head}'\n\n\ndef upgrade():\n{then}"
            (folder / "versions" / "9999_next.py").write_text(text)
        return folder

    return make


def status(connection: psycopg.Connection[Any], payment_id: Any) -> tuple[str, list[str]]:
    """The statuses of a payment and its operations, as this version reads them."""
    found = repository.get_payment_with_operations(connection, BY.merchant_id, payment_id)
    assert found
    return found[0].status.value, [one.status.value for one in found[1]]


def test_failed_migration_leaves_nothing_behind(database: Database, migrations: Directory) -> None:
    failing = "    op.execute('CREATE TABLE payments.half (id int)')\n    op.execute('SELECT 1 / 0')\n"
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(database.connect, directory=migrations(then=failing))
    with database.connect() as connection:
        assert connection.execute("SELECT to_regclass('payments.half')").fetchone() == (None,)
    assert migrate(database.connect) == HEAD


@pytest.mark.requirement("Q4")
def test_request_that_is_under_way_and_a_migration_do_not_wait_for_each_other(
    empty_database: Database, migrations: Directory
) -> None:
    """The version before locks its tables one after the other, the idempotency key's first."""
    assert migrate(empty_database.connect, directory=migrations(until="0003")) == "0003"
    with ThreadPoolExecutor(1) as other, empty_database.connect() as request, empty_database.connect() as watcher:
        request.execute("SET lock_timeout = '20s'")
        with request.transaction():
            request.execute("LOCK TABLE payments.idempotency_keys IN ROW EXCLUSIVE MODE")
            migrating = other.submit(migrate, empty_database.connect)
            while not watcher.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'relation'").fetchone():
                assert not migrating.done(), migrating.result()
                time.sleep(0.01)
            for table in ("payments", "operations", "outbox"):
                request.execute(f"LOCK TABLE payments.{table} IN ROW EXCLUSIVE MODE NOWAIT")
        assert migrating.result() == HEAD


REQUEST = ("idempotency_keys", "payments", "operations", "outbox")
"""The tables that a request writes, in the order in which it locks them."""
FOREIGN_KEY = re.compile(r"ALTER TABLE payments\.(operations|outbox) DROP CONSTRAINT")


@pytest.mark.requirement("Q4")
def test_foreign_keys_replaced_under_a_request_that_is_under_way_do_not_wait_for_it_with_locks(
    empty_database: Database, migrations: Directory
) -> None:
    migrate(empty_database.connect, directory=migrations(until="0004"))
    requests: list[Future[None]] = []
    with ThreadPoolExecutor(1) as other, empty_database.connect() as watcher:

        def end(request: psycopg.Connection[Any], rest: tuple[str, ...]) -> None:
            with request:
                while not watcher.execute(
                    "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
                ).fetchone():
                    time.sleep(0.01)
                for table in rest:
                    request.execute(f"LOCK TABLE payments.{table} IN ROW EXCLUSIVE MODE NOWAIT")

        def begin(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if not (found := FOREIGN_KEY.search(statement)):
                return
            place = REQUEST.index(found[1])
            request = empty_database.connect()
            request.autocommit = False
            for table in REQUEST[:place]:
                request.execute(f"LOCK TABLE payments.{table} IN ROW EXCLUSIVE MODE")
            requests.append(other.submit(end, request, REQUEST[place:]))

        event.listen(Engine, "before_cursor_execute", begin)
        try:
            assert migrate(empty_database.connect) == HEAD
        finally:
            event.remove(Engine, "before_cursor_execute", begin)
        assert len(requests) == 4  # each of two is added, and one before it dropped
        for one in requests:
            one.result()


def test_migration_that_a_deadlock_ends_is_tried_again(
    database: Database, migrations: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payments.migrate.SECONDS_BETWEEN_ATTEMPTS", 0.0)
    with database.connect() as connection:
        connection.execute("CREATE SEQUENCE payments.tries")  # counts on when a transaction is rolled back
    fails_once = (
        "    op.execute(\"DO $$ BEGIN IF nextval('payments.tries') = 1 THEN \"\n"
        "        \"RAISE EXCEPTION 'a deadlock' USING ERRCODE = 'deadlock_detected'; END IF; END $$\")\n"
    )
    assert migrate(database.connect, directory=migrations(then=fails_once)) == "9999"


@pytest.mark.parametrize("kind", ["sale", "authorization"])
def test_rows_of_the_previous_version_get_their_statuses(
    empty_database: Database, migrations: Directory, kind: str
) -> None:
    assert migrate(empty_database.connect, directory=migrations(until="0001")) == "0001"
    with empty_database.connect() as connection:
        pending, declined, succeeded = (version_before.accept(connection, kind) for _ in range(3))
        assert version_before.settle(connection, declined[1], "refused")
        assert version_before.settle(connection, succeeded[1], "succeeded")

        # Between the two migrations the version before still writes rows that have no status yet.
        assert migrate(empty_database.connect, directory=migrations(until="0002")) == "0002"
        between = version_before.accept(connection, kind)
        assert version_before.claim(connection, pending[1])
        assert version_before.settle(connection, between[1], "refused")

        assert migrate(empty_database.connect) == HEAD
        assert status(connection, pending[0]) == ("accepted", ["pending"])
        assert status(connection, declined[0]) == status(connection, between[0]) == ("declined", ["declined"])
        after = "captured" if kind == "sale" else "authorized"
        assert status(connection, succeeded[0]) == (after, ["succeeded"])
        (operation,) = repository.list_operations(connection, declined[0])
        assert operation.completed_at
        assert repository.complete(connection, pending[1], OperationStatus.SUCCEEDED, acquirer_reference="acq")
        assert version_before.states(connection, pending[0]) == (after, ["succeeded"])


def test_both_versions_read_rows_of_the_other(connection: psycopg.Connection[Any]) -> None:
    payment, operation = version_before.accept(connection)
    assert status(connection, payment) == ("accepted", ["pending"])
    assert operation in version_before.unsettled(connection)
    held = repository.claim(connection, operation, MINUTE)
    assert held
    assert version_before.claim(connection, operation) is None, "the claim holds for both"
    assert repository.complete(connection, operation, OperationStatus.DECLINED, reason="insufficient_funds")
    assert version_before.states(connection, payment) == ("refused", ["refused"])
    assert not version_before.settle(connection, operation, "succeeded"), "completed once, by either"

    other, second = version_before.accept(connection)
    assert version_before.claim(connection, second) == ("asked", None, "tok_1")
    assert version_before.settle(connection, second, "succeeded")
    refund = version_before.ask(connection, other, "refund", 400)
    assert status(connection, other) == ("captured", ["succeeded", "pending"])
    assert repository.complete(connection, refund, OperationStatus.SUCCEEDED, acquirer_reference="acq")
    rest = version_before.ask(connection, other, "refund", 600)
    assert version_before.settle(connection, rest, "succeeded")
    assert status(connection, other)[0] == PaymentStatus.REFUNDED
    assert version_before.states(connection, other)[0] == "refunded"
    found = repository.list_payments(connection, BY.merchant_id, status=PaymentStatus.REFUNDED, limit=100)
    assert other in {one.id for one in found}


def test_previous_version_gets_its_own_constraint_names_in_rejections(connection: psycopg.Connection[Any]) -> None:
    payment, operation = version_before.accept(connection)
    for kind, amount, constraint in (("refund", 1, "operation_fits_state"), ("refund", 2000, "operation_fits_amount")):
        with pytest.raises(psycopg.errors.CheckViolation) as rejected:
            version_before.ask(connection, payment, kind, amount)
        assert rejected.value.diag.constraint_name == constraint
        version_before.settle(connection, operation, "succeeded")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payments.operations SET status = 'declined', state = 'succeeded' WHERE id = %s",
        "UPDATE payments.operations SET status = 'succeeded', completed_at = NULL WHERE id = %s",
        "UPDATE payments.operations SET status = 'unheard_of', completed_at = now() WHERE id = %s",
    ],
)
def test_old_and_new_columns_cannot_differ(connection: psycopg.Connection[Any], statement: str) -> None:
    _, operation = version_before.accept(connection)
    with suppress(psycopg.errors.CheckViolation):
        connection.execute(statement, (operation,))
    same = """
        SELECT state = payments.state_of(status), settled_at IS NOT DISTINCT FROM completed_at
        FROM payments.operations WHERE id = %s
    """
    assert connection.execute(same, (operation,)).fetchone() == (True, True)


@pytest.mark.requirement("Q4")
def test_events_of_before_stay_and_are_followed_by_those_of_the_version_before(
    empty_database: Database, migrations: Directory
) -> None:
    assert migrate(empty_database.connect, directory=migrations(until="0018")) == "0018"
    query = "SELECT id, action, source_address FROM payments.audit_events ORDER BY id"
    with empty_database.connect() as running:
        _, first = version_before.accept(running)
        before = running.execute("SELECT id, action, NULL FROM payments.audit_events ORDER BY id").fetchall()
        migrate(empty_database.connect)
        version_before.settle(running, first, "succeeded")  # in the session that knew the table as it was
        version_before.accept(running)
        after = running.execute(query).fetchall()
    assert before
    assert after[: len(before)] == before
    assert [action for _, action, _ in after[len(before) :]] == ["sale.succeeded", "sale.pending"]
    assert [id_ for id_, _, _ in after] == list(range(1, len(after) + 1))
