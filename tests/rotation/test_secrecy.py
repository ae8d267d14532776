"""TLS that is verified, and no password in a log or an error (W3.3, W5.5)."""

from __future__ import annotations

import json
import socket
import threading
import traceback
from collections.abc import Iterator

import pytest

from shared.postgresql_rotation import connection
from shared.secret_rotation.steps import RotationFailed
from tests.rotation.conftest import MASTER_PASSWORD, USER_PASSWORD
from tests.rotation.support import Database, Outside, Vault

pytestmark = [pytest.mark.requirement("W3.3")]


class PlainServer:
    """Answers what PostgreSQL without TLS answers, and keeps all that it is sent."""

    def __init__(self) -> None:
        self.received = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(30)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            self.received += connection.recv(8)
            connection.sendall(b"N")
            while part := connection.recv(4096):
                self.received += part


@pytest.fixture
def plain_server() -> Iterator[PlainServer]:
    server = PlainServer()
    yield server
    server.listener.close()


def test_a_server_without_tls_is_sent_nothing(vault: Vault, own_database: Database, plain_server: PlainServer) -> None:
    secret = own_database.secret(own_database.master, MASTER_PASSWORD)
    arn = vault.make({**secret, "port": plain_server.listener.getsockname()[1]})
    with pytest.raises(RotationFailed, match="does not speak TLS; nothing was sent"):
        vault.rotate(arn)
    plain_server.thread.join(30)
    assert plain_server.received == b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # SSLRequest, and no more


def test_certificate_of_another_ca_than_aws_is_refused(
    vault: Vault, own_database: Database, master: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    connection.verification.cache_clear()
    with pytest.raises(RotationFailed, match="the database's certificate is not accepted"):
        vault.rotate(master)
    connection.verification.cache_clear()
    assert own_database.opens(vault.value(master))


def test_a_certificate_of_another_host_is_refused(
    vault: Vault, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = vault.make({**own_database.secret(own_database.master, MASTER_PASSWORD), "host": "db.example.com"})
    connect = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda at, *more: connect(("127.0.0.1", at[1]), *more))
    with pytest.raises(RotationFailed, match="certificate is not accepted: Hostname mismatch"):
        vault.rotate(arn)


def test_a_database_that_is_away_is_an_error_and_no_reason_to_set_a_password(
    vault: Vault, own_database: Database, application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLICATION_USERS", own_database.user)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    vault.put(application, port=port)
    with pytest.raises(RotationFailed, match="no connection to the database: Connection refused"):
        vault.rotate(application)


@pytest.mark.parametrize("which", ["master", "application"])
def test_no_password_is_in_a_log_or_an_error(
    vault: Vault,
    own_database: Database,
    request: pytest.FixtureRequest,
    which: str,
    capsys: pytest.CaptureFixture[str],
    outside: Outside,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arn: str = request.getfixturevalue(which)
    monkeypatch.setenv("APPLICATION_USERS", own_database.user)
    own_database.server.configure(log_statement="all", log_min_messages="debug1", log_parameter_max_length="-1")
    told = ""
    try:
        vault.rotate(arn)
        for number in range(len(outside.calls)):
            outside.fail(number, after=number % 2 == 0, how=LoudError)
            try:
                vault.rotate(arn)
            except RotationFailed as error:
                told += "".join(traceback.format_exception(error)) + repr(error.__context__)
            outside.forget()
            vault.rotate(arn, vault.version(arn, "AWSPENDING"))
    finally:
        own_database.server.configure(log_statement="none", log_min_messages="warning")
    stored = vault._stored(arn).versions.values()
    passwords = {json.loads(one["secret_string"])["password"] for one in stored} | {MASTER_PASSWORD, USER_PASSWORD}

    assert "RotationFailed: setSecret: LoudError" in told
    assert len(passwords) > 10
    told += capsys.readouterr().out + own_database.server.log()
    assert "SCRAM-SHA-256" in told  # what is sent in place of a password was logged
    assert not [password for password in passwords if password in told]


class LoudError(Exception):
    """An error that would tell all, if its words were passed on."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments, MASTER_PASSWORD, USER_PASSWORD)


def test_error_text_of_the_server_is_not_passed_on(
    vault: Vault, master: str, outside: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    class LoudServerError(connection.DatabaseError):  # type: ignore[misc,name-defined]
        def __init__(self, _name: str) -> None:
            super().__init__({"S": "ERROR", "C": "XX000", "M": f"near {MASTER_PASSWORD}"})

    vault.rotate(master)
    number = outside.calls.index("ALTER ROLE")
    outside.fail(number, after=False, how=LoudServerError)
    with pytest.raises(RotationFailed, match="PostgreSQL: SQLSTATE XX000") as raised:
        vault.rotate(master)

    assert MASTER_PASSWORD not in capsys.readouterr().out + "".join(traceback.format_exception(raised.value))
