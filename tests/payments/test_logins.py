"""What each process's own login of the database may do: statement by statement, on a real PostgreSQL (Q3, W3.3)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
import pytest

from payments import repository
from payments.database import Database as Reached
from payments.identifiers import new_id
from payments.migrate import migrate
from payments.repository import IdempotencyKey, NewOperation, NewPayment, Requester, StoredResponse
from payments.roles import API, GRANTS, HOUSEKEEPING, PROCESSING, PUBLISHING, RIGHTS, Process
from payments.states import OperationKind, OperationStatus
from tests.payments import version_before
from tests.payments.conftest import Database, LoggedIn
from tests.payments.logins import PASSWORD, Known, create_logins, logins
from tests.payments.support import store

pytestmark = [pytest.mark.requirement("Q3", "W3.3")]

BEFORE = "0016"
"""The migration before the one that gives each process a login."""
MINUTE = timedelta(minutes=1)
KEYS: LiteralString = "SELECT key FROM payments.idempotency_keys WHERE key"
NOBODY: set[Process] = set()
A, P, S, M = Process.API, Process.PROCESSING, Process.PUBLISHING, Process.ADMINISTRATION  # S sends the outbox
ALLOWED: dict[LiteralString, set[Process]] = {
    "SELECT id, amount FROM payments.payments": {A, P, M},
    "SELECT token FROM payments.payments": {P},
    "SELECT acquirer_reference FROM payments.payments": {P},
    "INSERT INTO payments.payments SELECT (p).* FROM (SELECT NULL::payments.payments p) AS n WHERE false": {A},
    "UPDATE payments.payments SET refunded_amount = 0": NOBODY,
    "UPDATE payments.payments SET status = 'captured'": NOBODY,
    "DELETE FROM payments.payments": NOBODY,
    "SELECT id FROM payments.operations": {A, P, S, M},
    "SELECT amount FROM payments.operations": {A, P, M},
    "INSERT INTO payments.operations (id) SELECT gen_random_uuid() WHERE false": {A},
    "UPDATE payments.operations SET status = 'succeeded' WHERE false": {P},
    "UPDATE payments.operations SET amount = 1 WHERE false": NOBODY,
    "UPDATE payments.operations SET requested_by = NULL WHERE false": NOBODY,
    "DELETE FROM payments.operations": NOBODY,
    "INSERT INTO payments.outbox (operation_id) SELECT gen_random_uuid() WHERE false": {A, P},
    "SELECT id FROM payments.outbox FOR UPDATE": {P, S},
    "UPDATE payments.outbox SET claimed_until = NULL WHERE false": {P, S},
    "UPDATE payments.outbox SET operation_id = gen_random_uuid() WHERE false": {P},
    "DELETE FROM payments.outbox WHERE false": {P, S},
    "SELECT key FROM payments.idempotency_keys": {A, S},
    "SELECT answer FROM payments.idempotency_keys": {A},
    "INSERT INTO payments.idempotency_keys (key) SELECT '' WHERE false": {A},
    "UPDATE payments.idempotency_keys SET answer = '' WHERE false": NOBODY,
    "DELETE FROM payments.idempotency_keys WHERE false": {S},
    "SELECT * FROM payments.circuits": {P},
    "UPDATE payments.circuits SET failures = 0 WHERE false": {P},
    "INSERT INTO payments.circuits (name) SELECT '' WHERE false": {P},
    "INSERT INTO payments.circuits (name, failures) SELECT '', 0 WHERE false": NOBODY,
    "UPDATE payments.operations SET acquirer = NULL WHERE false": {P},
    "SELECT * FROM payments.epochs": {P, M},
    "INSERT INTO payments.epochs (cause) VALUES ('x')": {P, M},
    "DELETE FROM payments.epochs": NOBODY,
    "SELECT * FROM payments.acquirer_notifications": {P},
    "UPDATE payments.acquirer_notifications SET applied_at = now() WHERE false": {P},
    "UPDATE payments.acquirer_notifications SET approved = true WHERE false": NOBODY,
    "INSERT INTO payments.acquirer_notifications (event_id) SELECT '' WHERE false": NOBODY,
    "DELETE FROM payments.acquirer_notifications": NOBODY,
    "SELECT payments.receive_notification('e', gen_random_uuid(), true, 1, 'EUR', 'r', NULL, NULL)": {A},
    "SELECT id FROM payments.merchants": {M},
    "INSERT INTO payments.merchants (id) SELECT gen_random_uuid() WHERE false": {M},
    "UPDATE payments.merchants SET name = 'x' WHERE false": NOBODY,
    "DELETE FROM payments.merchants": NOBODY,
    "SELECT secret_hash FROM payments.credentials": {M},
    "INSERT INTO payments.credentials (id) SELECT gen_random_uuid() WHERE false": {M},
    "UPDATE payments.credentials SET revoked_at = now() WHERE false": {M},
    "UPDATE payments.credentials SET scopes = '{merchants:admin}' WHERE false": NOBODY,
    "UPDATE payments.credentials SET secret_hash = '' WHERE false": NOBODY,
    "DELETE FROM payments.credentials": NOBODY,
    "SELECT * FROM payments.credential_of('api_key', 'x')": {A},
    "SELECT payments.credential_used(gen_random_uuid())": {A},
    "SELECT id FROM payments.audit_events": NOBODY,
    "INSERT INTO payments.audit_events (action) SELECT '' WHERE false": NOBODY,
    "UPDATE payments.audit_events SET action = '' WHERE false": NOBODY,
    "DELETE FROM payments.audit_events WHERE false": NOBODY,
    "SELECT payments.keep_audit_months(12)": {S},
    "DROP TABLE payments.audit_events_of_no_month": NOBODY,
    "ALTER TABLE payments.audit_events DETACH PARTITION payments.audit_events_before": NOBODY,
    "ALTER TABLE payments.audit_events_before DISABLE TRIGGER ALL": NOBODY,
    "SELECT id FROM payments.settlement_differences": {P, M},
    "UPDATE payments.settlement_differences SET explanation = '' WHERE false": {P, M},
    "UPDATE payments.settlement_differences SET there = '' WHERE false": NOBODY,
    "INSERT INTO payments.settlement_differences (subject) SELECT '' WHERE false": {P},
    "DELETE FROM payments.settlement_differences WHERE false": NOBODY,
    "SELECT id FROM payments.settlement_files": {P, M},
    "UPDATE payments.settlement_files SET next_byte = 0 WHERE false": {P},
    "INSERT INTO payments.settlement_lines (line) SELECT 1 WHERE false": {P},
    "SELECT * FROM payments.transitions": {A, P},
    "INSERT INTO payments.transitions VALUES ('sale', 'failed', 'captured', 'failed')": NOBODY,
    "SELECT * FROM payments.schema_version": {A, P, S, M},
    "UPDATE payments.schema_version SET version_num = '0001'": NOBODY,
    "ALTER TABLE payments.payments DISABLE ROW LEVEL SECURITY": NOBODY,
    "DROP POLICY own_rows ON payments.payments": NOBODY,
    "ALTER TABLE payments.operations DISABLE TRIGGER ALL": NOBODY,
    "CREATE TABLE payments.anything (id int)": NOBODY,
    "CREATE SCHEMA another": NOBODY,
    "CREATE ROLE another": NOBODY,
    "SELECT rolpassword FROM pg_authid": NOBODY,
    "SET SESSION AUTHORIZATION postgres": NOBODY,
    **{f"SET ROLE {role}": {process for process in Process if process.rights == role} for role in RIGHTS},
}
"""Every kind of statement, and the processes whose login may run it."""


def may(connection: psycopg.Connection[Any], statement: LiteralString) -> bool:
    """Whether a session may run a statement, which is taken back."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


@pytest.mark.parametrize("process", list(Process))
@pytest.mark.parametrize("assumed", [True, False], ids=["with-its-role", "as-it-logs-in"])
def test_login_may_do_what_its_process_does_and_nothing_else(
    logged_in: LoggedIn, process: Process, assumed: bool
) -> None:
    reached = logged_in(process)
    own = reached if assumed else replace(reached, role=None)
    with own.connect() as connection:
        done = {statement for statement in ALLOWED if may(connection, statement)}
    assert done == {statement for statement, processes in ALLOWED.items() if process in processes}


def test_table_of_statements_asks_for_each_right_that_is_granted() -> None:
    """A right that no statement of the table needs could be taken away, or a statement is missing."""
    words = {word for statement in ALLOWED for word in statement.replace("(", " ").split() if "payments." in word}
    named = {one for rights in GRANTS.values() for grant in rights for one in re.findall(r"payments\.\w+", grant)}
    assert named
    assert named <= words


def test_processes_work_with_the_rights_of_their_roles(shared_database: Database, logged_in: LoggedIn) -> None:
    with logged_in(Process.API).connect() as api:
        stored = store(api)
    with logged_in(Process.PROCESSING).connect() as processing:
        held = repository.claim(processing, stored.operation, MINUTE)
        assert held
        assert held.token == "tok_1"
        assert repository.schedule_retry(processing, held, "again", timedelta(0))
        repository.resend(processing, stored.operation, timedelta(0))
        assert repository.complete(processing, stored.operation, OperationStatus.SUCCEEDED, acquirer_reference="a")
        assert repository.total_pending(processing) is not None
    expired = [expire_a_key(shared_database), expire_a_key(shared_database)]
    with logged_in(Process.PUBLISHING).connect() as publishing:
        with publishing.transaction():
            messages = repository.claim_outbox_messages(publishing, 1000)
            own = [one.id for one in messages if one.operation_id == stored.operation]
            repository.delete_outbox_messages(publishing, own)
        assert len(own) == 2
        purged = repository.purge_idempotency_keys(publishing, timedelta(days=1), 1000)
        assert purged == len(expired)
    with logged_in(Process.ADMINISTRATION).connect() as administration:
        (details,) = repository.get_details(administration, [stored.operation])
        assert details.status is OperationStatus.SUCCEEDED
    with shared_database.connect() as connection:
        assert not connection.execute(f"{KEYS} = ANY(%s)", (expired,)).fetchall()
        found = repository.get_payment(connection, stored.merchant, stored.payment)
        assert found
        assert found.captured_amount == 1000


def expire_a_key(database: Database) -> str:
    """An idempotency key of two days ago."""
    key = secrets.token_hex(8)
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO payments.idempotency_keys (key, fingerprint, status, answer, created_at) "
            "VALUES (%s, '', 202, '{}', now() - interval '2 days')",
            (key,),
        )
    return key


def test_publisher_sees_no_key_that_a_request_may_repeat(shared_database: Database, logged_in: LoggedIn) -> None:
    store(shared_database.connect())
    expired = expire_a_key(shared_database)
    with logged_in(Process.PUBLISHING).connect() as publishing, publishing.transaction(force_rollback=True):
        assert publishing.execute(f"{KEYS} IS NOT NULL").fetchall() == [(expired,)]
        assert publishing.execute("DELETE FROM payments.idempotency_keys").rowcount == 1
    with logged_in(Process.PUBLISHING).connect() as publishing:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            publishing.execute("UPDATE payments.idempotency_keys SET created_at = now()")
        assert repository.purge_idempotency_keys(publishing, timedelta(0), 10) == 1


@pytest.fixture
def shared_login(shared_database: Database) -> Iterator[Reached]:
    """The login that all processes had before each had its own."""
    user = f"shared_{secrets.token_hex(4)}"
    with shared_database.connect() as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'")
        connection.execute(f"GRANT {', '.join(RIGHTS)} TO {user}")
    server = shared_database.server
    yield Reached(
        host=server.host, port=server.port, name=shared_database.name, login=Known(user), certificates=server.ca
    )
    with shared_database.connect() as connection:
        connection.execute(f"DROP OWNED BY {user}")
        connection.execute(f"DROP ROLE {user}")


def test_previous_version_continues_with_its_login(
    shared_database: Database, logged_in: LoggedIn, shared_login: Reached
) -> None:
    """It takes on no role, names no merchant, and knows no column of this version's."""
    with shared_login.connect() as before:
        payment, operation = version_before.accept(before)
        assert version_before.claim(before, operation)
        assert version_before.settle(before, operation, "succeeded")
        refund = version_before.ask(before, payment, "refund", 400)
        assert version_before.settle(before, refund, "succeeded")
        assert version_before.states(before, payment) == ("captured", ["succeeded", "succeeded"])
    with logged_in(Process.API).connect() as api:
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


def rights_of(database: Database, login: str) -> set[str]:
    """The roles that a login is a member of, itself or by another one."""
    query = "SELECT rolname FROM pg_roles WHERE pg_has_role(%s, oid, 'MEMBER') AND rolname <> %s AND rolname = ANY(%s)"
    with database.connect() as connection:
        return {str(name) for (name,) in connection.execute(query, (login, login, list(RIGHTS)))}


def test_login_for_all_keeps_its_rights_in_the_run_that_separates_them_and_loses_them_in_the_next(
    empty_database: Database,
) -> None:
    """As of an environment that runs: the version before is served until it is replaced."""
    first = f"upgraded_{secrets.token_hex(4)}"
    with empty_database.connect() as connection:
        create_logins(connection, first)
        connection.execute(f"CREATE ROLE {first}_group NOLOGIN")
    migrate(empty_database.connect)
    with empty_database.connect() as connection:  # back to before the migration
        for table, name in connection.execute(
            "SELECT tablename, policyname FROM pg_policies WHERE policyname ~ '^(published|expired|every_row_is)'"
        ).fetchall():
            connection.execute(f"DROP POLICY {name} ON payments.{table}")
        for table in ("operations", "settlement_files"):
            connection.execute(f"ALTER TABLE payments.{table} DROP COLUMN acquirer")
        connection.execute("UPDATE payments.schema_version SET version_num = %s", (BEFORE,))
        connection.execute(f"GRANT {PROCESSING}, {HOUSEKEEPING} TO {first}")  # as the platform had it
        connection.execute(f"GRANT {', '.join(RIGHTS)} TO {first}_group")  # as the payment API had it
        connection.execute(f"GRANT {first}_group TO {first}_processing")
        connection.execute(f"GRANT ALL ON DATABASE {empty_database.name} TO {first}")

    migrate(empty_database.connect, logins=logins(first))
    assert rights_of(empty_database, first) == {API, PROCESSING, HOUSEKEEPING}
    assert rights_of(empty_database, f"{first}_processing") == set(RIGHTS)
    assert rights_of(empty_database, f"{first}_publishing") == {PUBLISHING}

    migrate(empty_database.connect, logins=logins(first))
    for login, process in logins(first).items():
        assert rights_of(empty_database, login) == {process.rights}
    with empty_database.connect() as connection:
        query = "SELECT has_database_privilege(%s, current_database(), %s)"
        allowed = [connection.execute(query, (first, one)).fetchone() for one in ("CONNECT", "CREATE")]
        assert allowed == [(True,), (False,)]
        connection.execute(f"DROP OWNED BY {', '.join(logins(first))}")
        connection.execute(f"DROP ROLE {', '.join(logins(first))}, {first}_group")
