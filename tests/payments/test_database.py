"""Database logins: verified TLS, a token for each connection, and secrets read again when they are rejected."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from payments.database import MIN_CONNECTIONS, TOKEN_SECONDS, Credentials, Database, IamLogin, Pool
from payments.settings import DatabaseSettings, Misconfigured, read
from tests.payments.logins import PASSWORD
from tests.payments.support import REGION
from tests.postgresql import Postgresql

pytestmark = [pytest.mark.requirement("P4.2")]

IAM_USER = "payments_iam"


@dataclass
class Given:
    """A login with what the test gives it."""

    held: Credentials
    other: Credentials | None = None
    renewals: list[Credentials] = field(default_factory=list)

    def credentials(self) -> Credentials:
        return self.held

    def renewed(self, rejected: Credentials) -> Credentials:
        self.renewals.append(rejected)
        return self.other or rejected


def database(server: Postgresql, login: Given) -> Database:
    return Database(host=server.host, port=server.port, name="postgres", login=login, certificates=server.ca)


def test_iam_token_is_the_password_of_the_connection(
    server: Postgresql, aws: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    login = IamLogin(host="database.example.com", port=5432, user=IAM_USER, region=REGION)
    token = login.credentials()
    with server.connect() as connection:
        connection.execute(f"CREATE ROLE {IAM_USER} LOGIN PASSWORD '{token.password}'")

    # As RDS takes a token for a while.
    monkeypatch.setattr(login, "credentials", lambda: token)
    opened = replace(database(server, Given(token)), login=login).connect()
    with opened:
        row = opened.execute("SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
    assert row == (IAM_USER, True)


def test_iam_token_is_signed_for_host_and_user_and_renewed(aws: dict[str, str]) -> None:
    login = IamLogin(host="database.example.com", port=5433, user=IAM_USER, region=REGION)
    token = login.credentials()

    signed = urlsplit(f"https://{token.password}")
    values = {name: value[0] for name, value in parse_qs(signed.query).items()}
    assert (signed.hostname, signed.port, token.user) == ("database.example.com", 5433, IAM_USER)
    assert (values["Action"], values["DBUser"], values["X-Amz-Expires"]) == ("connect", IAM_USER, "900")
    assert f"/{REGION}/rds-db/" in values["X-Amz-Credential"]
    assert login.renewed(token) is not token


def test_iam_token_is_signed_once_for_the_connections_of_ten_minutes(aws: dict[str, str]) -> None:
    now = [0.0]
    login = IamLogin(host="database.example.com", port=5433, user=IAM_USER, region=REGION, clock=lambda: now[0])
    token = login.credentials()
    now[0] = TOKEN_SECONDS - 1
    assert login.credentials() is token
    renewed = login.renewed(token)
    assert login.renewed(token) is renewed is login.credentials(), "once for all that were rejected with the first"
    now[0] += TOKEN_SECONDS
    assert login.credentials() is not renewed


def test_rejected_login_is_retried_with_renewed_credentials(server: Postgresql, application_user: str) -> None:
    old, new = Credentials(application_user, "old"), Credentials(application_user, PASSWORD)
    login = Given(old, new)

    database(server, login).connect().close()

    assert login.renewals == [old]


def test_login_that_stays_rejected_fails_without_the_password(server: Postgresql, application_user: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="authentication failed") as rejected:
        database(server, Given(Credentials(application_user, "wrong-4711"))).connect()
    assert "wrong-4711" not in str(rejected.value)
    assert "wrong-4711" not in repr(Credentials("user", "wrong-4711"))


def test_server_without_tls_gets_no_password(server: Postgresql, application_user: str) -> None:
    given = Given(Credentials(application_user, PASSWORD))
    server.configure(ssl="off")
    try:
        with pytest.raises(psycopg.OperationalError, match="does not support SSL"):
            database(server, given).connect()
    finally:
        server.configure(ssl="on")
    assert given.renewals == []


def test_server_certificate_of_another_ca_is_rejected(
    server: Postgresql, application_user: str, tmp_path: Path
) -> None:
    given = Given(Credentials(application_user, PASSWORD))
    other = tmp_path / "other.pem"
    other.write_bytes((server.folder / "server.pem").read_bytes())
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        replace(database(server, given), certificates=other).connect()


def test_server_certificate_of_another_name_is_rejected(server: Postgresql, application_user: str) -> None:
    given = Given(Credentials(application_user, PASSWORD))

    def connect_to_the_same_address(**parameters: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(**parameters, hostaddr="127.0.0.1")

    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        replace(database(server, given), host="database.example.com").open(connect_to_the_same_address)


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({}, "DATABASE_HOST: is missing"),
        ({"DATABASE_HOST": "h"}, "DATABASE_USER is needed for a login by iam"),
        ({"DATABASE_HOST": "h", "DATABASE_LOGIN": "secret"}, "DATABASE_SECRET_ARN is needed for a login by secret"),
        (
            {"DATABASE_HOST": "h", "DATABASE_USER": "u", "DATABASE_CONNECTIONS": "4711"},
            "DATABASE_CONNECTIONS: Input should be less than or equal to 200",
        ),
    ],
)
def test_invalid_setting_is_one_line(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], line: str) -> None:
    for name in ("DATABASE_HOST", "DATABASE_USER", "DATABASE_LOGIN", "DATABASE_SECRET_ARN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured) as problem:
        read(DatabaseSettings)
    assert str(problem.value).splitlines() == [line]


@pytest.mark.requirement("W1.3")
def test_pool_holds_as_many_connections_as_are_used(server: Postgresql, application_user: str) -> None:
    """The platform adds tasks by how many there are: a pool must not look full while it is idle."""
    application = f"pool-{application_user}"
    reached = replace(database(server, Given(Credentials(application_user, PASSWORD))), application=application)
    pool = Pool(reached, 6)
    pool.open()
    together = threading.Barrier(6)

    def use(connection: psycopg.Connection[Any]) -> None:
        connection.execute("SELECT 1")
        together.wait(30)

    def held() -> int:
        query = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{application}'"
        return int(server.execute(query)[0][0])

    try:
        for _ in range(20):
            pool.run(lambda connection: connection.execute("SELECT 1"), 30)
        assert held() <= MIN_CONNECTIONS + 1  # another, if the first request came before they were there
        with ThreadPoolExecutor(6) as threads:
            for one in [threads.submit(pool.run, use, 30) for _ in range(6)]:
                one.result()
        assert held() == 6
    finally:
        pool.close()
