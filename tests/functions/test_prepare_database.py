"""prepare_database on a real PostgreSQL: users that log in by IAM alone, and a schema that they may use."""

from __future__ import annotations

import http.server
import importlib.util
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import psycopg
import pytest
from moto import mock_aws

from payments.roles import RIGHTS, Process
from tests import postgresql
from tests.postgresql import Postgresql

FOLDER = Path(__file__).parents[2] / "lambda" / "prepare_database"
LOGINS = {
    "payments_service": Process.API,
    "payments_processing": Process.PROCESSING,
    "payments_publishing": Process.PUBLISHING,
    "payments_administration": Process.ADMINISTRATION,
}
MASTER, PASSWORD = "payments_admin", "of-the-master-user"

pytestmark = pytest.mark.requirement("P4.2", "Q2")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    with postgresql.running() as made:
        yield made


@pytest.fixture
def database(server: Postgresql, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database as Aurora makes it: a master user that is no superuser, and RDS's role for logins by IAM."""
    for statement in (
        "CREATE ROLE rds_iam NOLOGIN",
        "CREATE ROLE payments_admin LOGIN CREATEROLE CREATEDB PASSWORD 'of-the-master-user'",
        "GRANT rds_iam, pg_monitor TO payments_admin WITH ADMIN OPTION",
        'GRANT SET ON PARAMETER "pgaudit.log" TO payments_admin',
        "CREATE DATABASE prepared OWNER payments_admin",
    ):
        server.execute(statement)
    with mock_aws():
        monkeypatch.setenv("AWS_REGION", "ap-southeast-1")
        make: Any = boto3.client
        client = make("secretsmanager", region_name="ap-southeast-1")
        value = json.dumps({"username": MASTER, "password": PASSWORD})
        arn = client.create_secret(Name="master", SecretString=value)["ARN"]
        for name, value in {
            "DATABASE_HOST": server.host,
            "DATABASE_PORT": str(server.port),
            "DATABASE_NAME": "prepared",
            "DATABASE_LOGIN": "secret",
            "DATABASE_SECRET_ARN": arn,
            "DATABASE_CA_FILE": str(server.ca),
        }.items():
            monkeypatch.setenv(name, value)
        yield "prepared"
    server.execute("DROP DATABASE prepared WITH (FORCE)")
    for user in LOGINS:
        server.execute(f"DROP ROLE IF EXISTS {user}")
    server.execute('REVOKE SET ON PARAMETER "pgaudit.log" FROM payments_admin')
    for role in (*RIGHTS, OPERATOR, MASTER, "rds_iam"):
        server.execute(f"DROP ROLE IF EXISTS {role}")


@pytest.fixture(scope="module")
def function() -> ModuleType:
    specification = importlib.util.spec_from_file_location("prepare_database_handler", FOLDER / "handler.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def members(server: Postgresql) -> set[tuple[str, str]]:
    return {
        (str(member), str(role))
        for member, role in server.execute(
            "SELECT m.rolname, r.rolname FROM pg_auth_members a "
            "JOIN pg_roles m ON m.oid = a.member JOIN pg_roles r ON r.oid = a.roleid "
            "WHERE starts_with(m.rolname, 'payments_')"
        )
    }


@pytest.mark.parametrize("times", [1, 2])
def test_users_log_in_by_iam_alone_and_may_use_the_schema(
    server: Postgresql, database: str, function: ModuleType, times: int
) -> None:
    for _ in range(times):
        version = function.prepare(LOGINS)
    assert version
    expected = {(user, role) for user, process in LOGINS.items() for role in ("rds_iam", process.rights)}
    assert {(member, role) for member, role in members(server) if member in LOGINS} == expected
    rows = server.execute(
        "SELECT rolname, rolpassword, rolcanlogin FROM pg_authid WHERE starts_with(rolname, 'payments_')"
    )
    found = {name: (password, login) for name, password, login in rows}
    assert all(found[user] == (None, True) for user in LOGINS)
    with server.connect(database=database) as connection:
        connection.execute("SET ROLE payments_service")
        assert connection.execute("SELECT count(*) FROM payments.payments").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DROP TABLE payments.payments")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE public.anything (id int)")


def test_a_user_with_a_password_loses_it(server: Postgresql, database: str, function: ModuleType) -> None:
    server.execute("CREATE ROLE payments_service LOGIN CREATEDB PASSWORD 'left-over'")
    server.execute("GRANT rds_iam TO payments_service")
    # From PostgreSQL 16 on the master user may only change whom it has made, or administers.
    if server.execute("SELECT current_setting('server_version_num')::int >= 160000")[0][0]:
        server.execute("GRANT payments_service TO payments_admin WITH ADMIN OPTION")
    function.prepare(LOGINS)
    rows = server.execute("SELECT rolpassword, rolcreatedb FROM pg_authid WHERE rolname = 'payments_service'")
    assert rows == [(None, False)]


def test_server_with_an_unverified_certificate_gets_no_password(
    server: Postgresql, database: str, function: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_CA_FILE", str(FOLDER.parents[1] / "shared" / "rds-ca-bundle.pem"))
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        function.prepare(LOGINS)
    assert not server.execute("SELECT 1 FROM pg_roles WHERE rolname = 'payments_service'")


class CloudFormation:
    """Takes the answer of a custom resource, as CloudFormation's bucket does."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        answers = self.answers

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def event(self, kind: str) -> dict[str, Any]:
        return {
            "RequestType": kind,
            "ResponseURL": f"http://127.0.0.1:{self.server.server_port}/answer",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "database-ready",
            "ResourceProperties": {"Logins": LOGINS},
        }


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    made = CloudFormation()
    yield made
    made.server.shutdown()
    made.server.server_close()


CONTEXT = SimpleNamespace(log_stream_name="stream")


def test_cloudformation_receives_success(
    server: Postgresql, database: str, function: ModuleType, cloudformation: CloudFormation
) -> None:
    function.handler(cloudformation.event("Create"), CONTEXT)
    (told,) = cloudformation.answers
    assert told["Status"] == "SUCCESS"
    assert told["LogicalResourceId"] == "database-ready"
    assert server.execute("SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)", [list(LOGINS)]) == [(4,)]


def test_cloudformation_receives_failure_without_a_secret(
    server: Postgresql, database: str, function: ModuleType, cloudformation: CloudFormation
) -> None:
    server.execute("ALTER ROLE payments_admin PASSWORD 'changed'")
    with pytest.raises(psycopg.OperationalError):
        function.handler(cloudformation.event("Update"), CONTEXT)
    (told,) = cloudformation.answers
    assert told["Status"] == "FAILED"
    assert PASSWORD not in json.dumps(told)


def test_deleted_stack_drops_nothing(
    server: Postgresql, database: str, function: ModuleType, cloudformation: CloudFormation
) -> None:
    function.handler(cloudformation.event("Create"), CONTEXT)
    function.handler(cloudformation.event("Delete"), CONTEXT)
    assert [told["Status"] for told in cloudformation.answers] == ["SUCCESS", "SUCCESS"]
    assert server.execute("SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)", [list(LOGINS)]) == [(4,)]


OPERATOR = "payments_operator"
LOGIN = "payments_app"


@pytest.fixture
def by_password(server: Postgresql, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The application's users log in by password: those of the rotation of its secret."""
    monkeypatch.setenv("DATABASE_LOGINS", json.dumps({LOGIN: "api"}))
    yield
    with server.connect(database=database) as connection:
        connection.execute(f"DROP OWNED BY {LOGIN}")
    server.execute(f"DROP ROLE IF EXISTS {LOGIN}_clone, {LOGIN}")


@pytest.mark.requirement("Q1", "W3.3")
@pytest.mark.usefixtures("by_password")
def test_a_plain_call_brings_the_schema_up_to_date_for_both_users_of_the_rotation(
    server: Postgresql, database: str, function: ModuleType
) -> None:
    """Before the rotation has made its users, and again after it."""
    first = function.handler({"code": "x", "tf": {"action": "create"}}, CONTEXT)
    found = "SELECT rolcanlogin, rolpassword IS NULL, rolcreaterole FROM pg_authid WHERE rolname = 'payments_app'"
    assert server.execute(found) == [(True, True, False)]
    with server.connect() as connection:  # what the rotation does, as the master
        connection.execute(f"SET ROLE {MASTER}")
        connection.execute(f"ALTER ROLE {LOGIN} PASSWORD 'rotated'")
        connection.execute(f"CREATE ROLE {LOGIN}_clone LOGIN")
        connection.execute(f"GRANT {LOGIN} TO {LOGIN}_clone")
        connection.execute(f"ALTER ROLE {LOGIN}_clone SET role = {LOGIN}")
    assert function.handler({}, CONTEXT) == first
    assert first["version"]
    assert server.execute(found) == [(True, False, False)]  # the password is left alone
    with server.connect(database=database) as connection:
        connection.execute(f"SET ROLE {LOGIN}_clone")
        assert connection.execute("SELECT count(*) FROM payments.payments").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE payments.payments SET currency = 'EUR'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DROP TABLE payments.payments")


CAN_LOG_IN = "SELECT rolcanlogin, rolpassword IS NULL FROM pg_authid WHERE rolname = 'payments_operator'"
DENIED_TO_OPERATORS = (
    "SELECT token FROM payments.payments",
    "SELECT count(*) FROM payments.credentials",
    "SELECT count(*) FROM payments.idempotency_keys",
    "DELETE FROM payments.outbox",
)


@pytest.mark.requirement("W8.10")
@pytest.mark.usefixtures("by_password")
def test_operators_read_every_row_of_what_they_need_and_change_nothing_while_settings_let_them_in(
    server: Postgresql, database: str, function: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPERATOR_ROLE", OPERATOR)
    for _ in range(2):  # each part is idempotent
        function.handler({"operators": True}, CONTEXT)
    function.handler({}, CONTEXT)  # it says nothing of operators
    assert server.execute(CAN_LOG_IN) == [(True, True)]
    assert {(OPERATOR, "rds_iam"), (OPERATOR, "pg_monitor")} <= members(server)
    rows = server.execute(
        "SELECT setconfig FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = setrole "
        "WHERE rolname = 'payments_operator'"
    )
    assert {"default_transaction_read_only=on", "pgaudit.log=all", "statement_timeout=60s"} <= set(rows[0][0])
    with server.connect(database=database) as connection:
        connection.execute(
            "INSERT INTO payments.payments (id, merchant_id, amount, currency, token, created_at, updated_at) "
            "SELECT gen_random_uuid(), id, 100, 'EUR', 'token', now(), now() FROM payments.merchants LIMIT 1"
        )
        connection.execute(f"SET ROLE {OPERATOR}")
        assert connection.execute("SELECT amount FROM payments.payments").fetchall() == [(100,)]
        for statement in DENIED_TO_OPERATORS:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    function.handler({"operators": False}, CONTEXT)
    assert server.execute(CAN_LOG_IN) == [(False, True)]


@pytest.mark.requirement("Q1")
@pytest.mark.usefixtures("by_password")
def test_failed_invocation_returns_the_error_type_without_a_secret(
    server: Postgresql, database: str, function: ModuleType
) -> None:
    server.execute("ALTER ROLE payments_admin PASSWORD 'changed'")
    with pytest.raises(function.PreparationFailed) as failed:
        function.handler({}, CONTEXT)
    assert str(failed.value) == "OperationalError"
    assert not server.execute("SELECT 1 FROM pg_roles WHERE rolname = 'payments_app'")
    server.execute("CREATE ROLE payments_app")  # for the fixture


@pytest.mark.requirement("Q1")
def test_destruction_by_terraform_does_nothing(function: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function, "bring_up_to_date", lambda: pytest.fail("nothing is to be done"))
    assert function.handler({"code": "x", "tf": {"action": "delete"}}, CONTEXT) == {}
