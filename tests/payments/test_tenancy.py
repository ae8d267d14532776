"""What the database itself keeps apart: by row-level security, and by what each role of a process may do (Q3)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from payments import repository
from payments.database import Database as Reached
from payments.database import Pool
from payments.identifiers import new_id
from payments.migrate import migrate
from payments.repository import IdempotencyKey, NewOperation, NewPayment, Requester, StoredResponse
from payments.roles import API, HOUSEKEEPING, PROCESSING
from payments.states import OperationKind, OperationStatus
from tests.payments import version_before
from tests.payments.conftest import PASSWORD, Database
from tests.payments.test_standby import Known

pytestmark = [pytest.mark.requirement("Q3")]

TABLES = ("payments", "operations", "outbox", "idempotency_keys")
READS = 2000
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Stored:
    """A payment of a merchant."""

    merchant: UUID
    payment: UUID
    operation: UUID


def store(connection: psycopg.Connection[Any], merchant: UUID | None = None) -> Stored:
    """Store a payment of a merchant, of a new one unless one is given."""
    by = Requester(merchant or uuid4(), uuid4())
    now = datetime.now(UTC)
    first = NewOperation(new_id(now), new_id(now), OperationKind.SALE, 1000, "c-1", now)
    key = IdempotencyKey(secrets.token_hex(8), b"")
    repository.create_payment(connection, by, NewPayment("EUR", "tok_1", None, first), key, StoredResponse(202, "{}"))
    return Stored(by.merchant_id, first.payment_id, first.id)


@pytest.fixture(scope="module")
def login(shared_database: Database) -> Iterator[str]:
    """A login with the rights of every process, as the application's."""
    user = f"tenancy_{secrets.token_hex(4)}"
    with shared_database.connect() as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'")
    migrate(shared_database.connect, application_role=user)
    yield user
    with shared_database.connect() as connection:
        connection.execute(f"DROP ROLE {user}")


def reached(database: Database, user: str, role: str | None) -> Reached:
    return Reached(
        host=database.server.host,
        port=database.server.port,
        name=database.name,
        login=Known(user),
        certificates=database.server.ca,
        role=role,
    )


@pytest.fixture
def api(shared_database: Database, login: str) -> Iterator[psycopg.Connection[Any]]:
    """A session with the rights of the API."""
    with reached(shared_database, login, API).connect() as connection:
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
        WHERE nspname = 'payments' AND attname = 'merchant_id' AND relkind = 'r' AND NOT attisdropped
    """
    forced = dict(connection.execute(query).fetchall())
    assert [forced.pop(table) for table in ("credentials", "audit_events")] == [False, False]  # the API reads none
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


def test_pooled_connection_keeps_no_merchant_for_the_next_request(shared_database: Database, login: str) -> None:
    """Two connections, thousands of reads of twenty merchants in turns, each of its own rows and of others'."""
    pool = Pool(reached(shared_database, login, API), 2)
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


ALLOWED = {
    "SELECT id FROM payments.payments": {API, PROCESSING},
    "SELECT token FROM payments.payments": {PROCESSING},
    "INSERT INTO payments.payments SELECT (p).* FROM (SELECT NULL::payments.payments p) AS n WHERE false": {API},
    "UPDATE payments.payments SET refunded_amount = 0": set(),
    "DELETE FROM payments.payments": set(),
    "SELECT id FROM payments.operations": {API, PROCESSING, HOUSEKEEPING},
    "INSERT INTO payments.operations (id) SELECT gen_random_uuid() WHERE false": {API},
    "UPDATE payments.operations SET status = 'succeeded' WHERE false": {PROCESSING},
    "DELETE FROM payments.operations": set(),
    "INSERT INTO payments.outbox (operation_id) SELECT gen_random_uuid() WHERE false": {API, PROCESSING},
    "SELECT id FROM payments.outbox FOR UPDATE": {PROCESSING, HOUSEKEEPING},
    "DELETE FROM payments.outbox WHERE false": {PROCESSING, HOUSEKEEPING},
    "SELECT key FROM payments.idempotency_keys": {API, HOUSEKEEPING},
    "INSERT INTO payments.idempotency_keys (key) SELECT '' WHERE false": {API},
    "UPDATE payments.idempotency_keys SET answer = '' WHERE false": {HOUSEKEEPING},
    "DELETE FROM payments.idempotency_keys WHERE false": {HOUSEKEEPING},
    "SELECT id FROM payments.merchants": {HOUSEKEEPING},
    "INSERT INTO payments.merchants (id) SELECT gen_random_uuid() WHERE false": {HOUSEKEEPING},
    "DELETE FROM payments.merchants": set(),
    "SELECT secret_hash FROM payments.credentials": {HOUSEKEEPING},
    "INSERT INTO payments.credentials (id) SELECT gen_random_uuid() WHERE false": {HOUSEKEEPING},
    "UPDATE payments.credentials SET revoked_at = now() WHERE false": {HOUSEKEEPING},
    "UPDATE payments.credentials SET scopes = '{merchants:admin}' WHERE false": set(),
    "DELETE FROM payments.credentials": set(),
    "SELECT * FROM payments.credential_of('api_key', 'x')": {API},
    "SELECT payments.credential_used(gen_random_uuid())": {API},
    "SELECT id FROM payments.audit_events": set(),
    "INSERT INTO payments.audit_events (action) SELECT '' WHERE false": set(),
    "UPDATE payments.audit_events SET action = '' WHERE false": set(),
    "DELETE FROM payments.audit_events WHERE false": set(),
    "INSERT INTO payments.transitions VALUES ('sale', 'failed', 'captured', 'failed')": set(),
    "ALTER TABLE payments.payments DISABLE ROW LEVEL SECURITY": set(),
    "CREATE TABLE payments.anything (id int)": set(),
}
"""Every kind of statement, and the roles that may run it."""


@pytest.mark.requirement("W3.3")
@pytest.mark.parametrize("role", [API, PROCESSING, HOUSEKEEPING])
def test_role_has_the_rights_of_its_process_and_no_others(shared_database: Database, login: str, role: str) -> None:
    done = set()
    with reached(shared_database, login, role).connect() as connection:
        for statement in ALLOWED:
            try:
                connection.execute(statement)
            except psycopg.errors.InsufficientPrivilege:
                continue
            done.add(statement)
    assert done == {statement for statement, roles in ALLOWED.items() if role in roles}


def test_processes_work_with_the_rights_of_their_roles(shared_database: Database, login: str) -> None:
    with reached(shared_database, login, API).connect() as api:
        stored = store(api)
    with reached(shared_database, login, PROCESSING).connect() as processing:
        held = repository.claim(processing, stored.operation, MINUTE)
        assert held
        assert held.token == "tok_1"
        assert repository.schedule_retry(processing, held, "again", timedelta(0))
        repository.resend(processing, stored.operation, timedelta(0))
        assert repository.complete(processing, stored.operation, OperationStatus.SUCCEEDED, acquirer_reference="a")
        assert repository.total_pending(processing) is not None
    with reached(shared_database, login, HOUSEKEEPING).connect() as housekeeping:
        with housekeeping.transaction():
            messages = repository.claim_outbox_messages(housekeeping, 1000)
            own = [one.id for one in messages if one.operation_id == stored.operation]
            repository.delete_outbox_messages(housekeeping, own)
        assert len(own) == 2
        assert repository.purge_idempotency_keys(housekeeping, timedelta(days=30), 10) == 0
    with shared_database.connect() as connection:
        found = repository.get_payment(connection, stored.merchant, stored.payment)
        assert found
        assert found.captured_amount == 1000


def test_previous_version_continues_with_its_login(shared_database: Database, login: str) -> None:
    """It takes on no role, names no merchant, and knows no column of this version's."""
    with reached(shared_database, login, None).connect() as before:
        payment, operation = version_before.accept(before)
        assert version_before.claim(before, operation)
        assert version_before.settle(before, operation, "succeeded")
        refund = version_before.ask(before, payment, "refund", 400)
        assert version_before.settle(before, refund, "succeeded")
        assert version_before.states(before, payment) == ("captured", ["succeeded", "succeeded"])
    with reached(shared_database, login, API).connect() as api:
        found = repository.get_payment(api, repository.FIRST_MERCHANT_ID, payment)
        assert found
        assert found.refunded_amount == 400
        # A request that the version before has answered is known, and the other way round.
        now = datetime.now(UTC)
        first = NewOperation(new_id(now), new_id(now), OperationKind.SALE, 1000, "c-1", now)
        by = Requester(repository.FIRST_MERCHANT_ID, None)
        new, same = NewPayment("EUR", "tok_1", None, first), IdempotencyKey(str(payment), b"")
        answered = repository.create_payment(api, by, new, same, StoredResponse(202, "another"))
        assert answered == StoredResponse(202, "{}")
        key = IdempotencyKey(secrets.token_hex(8), b"")
        repository.create_payment(api, by, new, key, StoredResponse(202, "{}"))
    with shared_database.connect() as connection:
        query = "SELECT merchant_key FROM payments.idempotency_keys WHERE key = %s"
        assert connection.execute(query, (key.key,)).fetchone() == (key.key,)
