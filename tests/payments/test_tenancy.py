"""What the database itself keeps apart by row-level security, of which login it may be (Q3)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from payments import repository
from payments.database import Pool
from payments.roles import Process
from tests.payments.conftest import LoggedIn
from tests.payments.support import store

pytestmark = [pytest.mark.requirement("Q3")]

TABLES = ("payments", "operations", "outbox", "idempotency_keys")
READS = 2000


@pytest.fixture
def api(logged_in: LoggedIn) -> Iterator[psycopg.Connection[Any]]:
    """A session with the rights of the API."""
    with logged_in(Process.API).connect() as connection:
        yield connection


@pytest.mark.parametrize("table", TABLES)
def test_transaction_without_a_merchant_sees_no_row(
    connection: psycopg.Connection[Any], api: psycopg.Connection[Any], table: str
) -> None:
    store(connection)
    if table == "outbox":  # which it cannot even read
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            api.execute("SELECT count(*) FROM payments.outbox")
        return
    assert connection.execute(f"SELECT count(*) FROM payments.{table}").fetchone() != (0,)
    assert api.execute(f"SELECT count(*) FROM payments.{table}").fetchone() == (0,)


def test_row_level_security_is_forced_on_every_table_with_a_merchant(connection: psycopg.Connection[Any]) -> None:
    query = """
        SELECT relname, relrowsecurity AND relforcerowsecurity
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = 'payments' AND attname = 'merchant_id' AND relkind IN ('r', 'p') AND NOT attisdropped
    """
    forced = dict(connection.execute(query).fetchall())
    unread = {table for table in forced if table == "credentials" or table.startswith("audit_events")}
    assert len(unread) > 3
    assert not any(forced.pop(table) for table in unread), "the API reads none"
    assert forced == dict.fromkeys(TABLES, True)


def test_api_stores_and_reads_rows_of_the_named_merchant_only(api: psycopg.Connection[Any]) -> None:
    own, other = store(api), store(api)
    assert repository.get_payment(api, own.merchant, own.payment)
    assert repository.get_payment(api, other.merchant, own.payment) is None
    assert repository.get_payment_with_operations(api, other.merchant, own.payment) is None
    assert [one.id for one in repository.list_payments(api, own.merchant, limit=10)] == [own.payment]
    # Explicit conditions left out, the net is there.
    with api.transaction():
        api.execute("SELECT set_config('payments.merchant', %s, true)", (str(own.merchant),))
        assert api.execute("SELECT id FROM payments.payments").fetchall() == [(own.payment,)]
        assert api.execute("SELECT id FROM payments.operations").fetchall() == [(own.operation,)]
    assert api.execute("SELECT count(*) FROM payments.payments").fetchone() == (0,), "the setting has ended with it"


def test_row_of_another_merchant_is_rejected(api: psycopg.Connection[Any]) -> None:
    own, other = store(api), uuid4()
    insert = """
        INSERT INTO payments.operations (id, merchant_id, payment_id, kind, amount, correlation_id, next_attempt_at,
            created_at) VALUES (%s, %s, %s, 'refund', 1, 'c', now(), now())
    """
    with api.transaction(force_rollback=True):
        api.execute("SELECT set_config('payments.merchant', %s, true)", (str(own.merchant),))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            api.execute(insert, (uuid4(), other, own.payment))
    # Nor does a row of one's own refer to a payment of another.
    with api.transaction(force_rollback=True):
        api.execute("SELECT set_config('payments.merchant', %s, true)", (str(other),))
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            api.execute(insert, (uuid4(), other, own.payment))


def test_merchant_of_a_row_cannot_be_changed(connection: psycopg.Connection[Any]) -> None:
    stored = store(connection)
    for table, id_ in (("payments", stored.payment), ("operations", stored.operation)):
        with pytest.raises(psycopg.errors.CheckViolation, match="merchant"):
            connection.execute(f"UPDATE payments.{table} SET merchant_id = %s WHERE id = %s", (uuid4(), id_))


def test_pooled_connection_keeps_no_merchant_for_the_next_request(logged_in: LoggedIn) -> None:
    """Two connections, thousands of reads of twenty merchants in turns, each of its own rows and of others'."""
    pool = Pool(logged_in(Process.API), 2)
    pool.open()
    try:
        stored = [pool.run(store, 10) for _ in range(20)]

        def read(number: int) -> bool:
            own, other = stored[number % 20], stored[(number * 7 + 1) % 20]
            found = pool.run(repository.list_payments, 10, own.merchant, limit=10)
            alone = pool.run(_count, 10)
            expected = own.payment if own == other else None
            got = pool.run(repository.get_payment, 10, own.merchant, other.payment)
            return [one.id for one in found] == [own.payment] and alone == 0 and (got and got.id) == expected

        with ThreadPoolExecutor(4) as clients:
            assert all(clients.map(read, range(READS)))
    finally:
        pool.close()


def _count(connection: psycopg.Connection[Any]) -> int:
    ((count,),) = connection.execute("SELECT count(*) FROM payments.payments").fetchall()
    return int(count)
