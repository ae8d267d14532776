"""Both strategies on a real PostgreSQL with TLS: what a rotation leaves, and what it refuses (W3.3)."""

from __future__ import annotations

import json
import socket
import threading
import traceback
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from secret_rotation.steps import RotationFailed

from tests.rotation.conftest import MASTER_PASSWORD, USER_PASSWORD
from tests.rotation.support import STEPS, Database, Killed, Outside, Vault

pytestmark = [pytest.mark.requirement("W3.3")]


def test_a_user_of_its_own_gets_a_new_password(vault: Vault, own_database: Database, master: str) -> None:
    before = vault.value(master)
    token = vault.rotate(master)
    after = vault.value(master)

    assert vault.version(master) == token
    assert vault.value(master, "AWSPREVIOUS") == before
    assert {**after, "password": ""} == {**before, "password": ""}
    assert len(after["password"]) == 40
    assert own_database.opens(after)
    assert not own_database.opens(before)


def test_users_alternate_and_the_one_before_still_enters(
    vault: Vault, own_database: Database, application: str
) -> None:
    for username in (own_database.clone, own_database.user, own_database.clone, own_database.user):
        before = vault.value(application)
        vault.rotate(application)
        after = vault.value(application)

        assert {**after, "password": "", "username": ""} == {**before, "password": "", "username": ""}
        assert after["username"] == username
        assert after["password"] != before["password"]
        assert own_database.opens(after)
        assert own_database.opens(before)


def test_rotation_of_the_master_in_between_is_no_matter(
    vault: Vault, own_database: Database, application: str, master: str
) -> None:
    for _ in range(3):
        vault.rotate(master)
        vault.rotate(application)
    assert own_database.opens(vault.value(application))


@pytest.mark.parametrize("which", ["master", "application"])
def test_every_step_can_be_repeated(
    vault: Vault, own_database: Database, request: pytest.FixtureRequest, which: str
) -> None:
    arn: str = request.getfixturevalue(which)
    token = vault.begin(arn)
    for number in range(len(STEPS)):
        for step in STEPS[: number + 1] * 2:
            vault.step(arn, token, step)
    assert vault.version(arn) == token
    assert own_database.opens(vault.value(arn))


# What the second user is.


@pytest.fixture
def rotated(vault: Vault, own_database: Database, application: str) -> dict[str, Any]:
    """The current secret after one rotation, of a user with rights, roles, settings and a limit."""
    database = own_database
    database.run("CREATE TABLE ledger (entry int)")
    database.run("GRANT SELECT ON ledger TO {}", database.user)
    database.run("GRANT CREATE ON SCHEMA public TO {}", database.user)
    database.run("ALTER ROLE {} CONNECTION LIMIT 7 VALID UNTIL '2123-01-01'", database.user)
    database.run('ALTER ROLE {} SET search_path TO "$user", "Odd ""schema""", public', database.user)
    database.run("ALTER ROLE {} SET statement_timeout TO '42s'", database.user)
    database.run("ALTER ROLE {} IN DATABASE {} SET DateStyle TO 'SQL, DMY'", database.user, database.name)
    vault.rotate(application)
    return vault.value(application)


def test_the_second_user_may_what_the_first_may(own_database: Database, rotated: dict[str, Any]) -> None:
    own_database.run("CREATE TABLE later (entry int)")
    own_database.run("GRANT SELECT ON later TO {}", own_database.user)

    with own_database.enter(rotated) as connection:
        assert connection.execute("SELECT count(*) FROM ledger").fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM later").fetchall() == [(0,)]
        assert connection.execute("SELECT session_user::text, current_user::text").fetchall() == [
            (own_database.clone, own_database.user)
        ]


def test_what_the_second_user_makes_is_the_firsts(
    vault: Vault, own_database: Database, application: str, rotated: dict[str, Any]
) -> None:
    with own_database.enter(rotated) as connection:
        connection.execute("CREATE TABLE public.made (entry int)")
    vault.rotate(application)

    with own_database.enter(vault.value(application)) as connection:
        connection.execute("ALTER TABLE public.made ADD COLUMN more int")
        connection.execute("DROP TABLE public.made")


def test_the_second_user_has_the_settings_and_limits_of_the_first(
    own_database: Database, rotated: dict[str, Any]
) -> None:
    with own_database.enter(rotated) as connection:
        shown = {
            name: connection.execute(f"SHOW {name}").fetchall()[0][0]
            for name in ("search_path", "statement_timeout", "DateStyle")
        }
    assert shown == {
        "search_path": '"$user", "Odd ""schema""", public',
        "statement_timeout": "42s",
        "DateStyle": "SQL, DMY",
    }
    limits = "SELECT DISTINCT rolconnlimit, rolvaliduntil FROM pg_roles WHERE rolname LIKE '{}%'"
    assert len(own_database.run(limits.replace("{}", own_database.user))) == 1


def test_a_setting_that_the_master_may_not_give_is_said_and_left(
    vault: Vault, own_database: Database, application: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own_database.run("ALTER ROLE {} SET log_min_duration_statement TO '1s'", own_database.user)
    own_database.run("ALTER ROLE {} SET statement_timeout TO '42s'", own_database.user)
    vault.rotate(application)

    assert '"setting": "log_min_duration_statement"' in capsys.readouterr().out
    with own_database.enter(vault.value(application)) as connection:
        assert connection.execute("SHOW statement_timeout").fetchall() == [("42s",)]


def test_settings_that_the_first_has_no_more_are_taken_from_the_second(
    vault: Vault, own_database: Database, application: str, rotated: dict[str, Any]
) -> None:
    assert rotated
    own_database.run("ALTER ROLE {} RESET statement_timeout", own_database.user)
    own_database.run("ALTER ROLE {} IN DATABASE {} RESET ALL", own_database.user, own_database.name)
    own_database.run("ALTER ROLE {} CONNECTION LIMIT 9", own_database.user)
    vault.rotate(application)
    vault.rotate(application)

    with own_database.enter(vault.value(application)) as connection:
        assert connection.execute("SELECT session_user::text").fetchall() == [(own_database.clone,)]
        assert connection.execute("SHOW statement_timeout").fetchall() == [("0",)]
        assert connection.execute("SHOW DateStyle").fetchall() == [("ISO, MDY",)]
    limits = own_database.run("SELECT DISTINCT rolconnlimit FROM pg_roles WHERE rolname LIKE 'payments%'")
    assert limits == [(9,)]


def test_a_hostile_setting_of_the_first_user_is_text_to_the_master(
    vault: Vault, own_database: Database, application: str
) -> None:
    with own_database.enter(vault.value(application)) as connection:
        hostile = "a, b'; ALTER ROLE " + own_database.user + " SUPERUSER; --"
        connection.execute("SELECT set_config('application_name', %s, false)", (hostile,))
        connection.execute("ALTER ROLE CURRENT_USER SET application_name FROM CURRENT")
        connection.execute("SELECT set_config('search_path', 'a;x, pg_temp', false)")
        connection.execute("ALTER ROLE CURRENT_USER SET search_path FROM CURRENT")
    vault.rotate(application)

    with own_database.enter(vault.value(application)) as connection:
        assert connection.execute("SHOW search_path").fetchall() == [('"a;x", pg_temp',)]
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchall() == [(False,)]


# The first user, where it is not there or not what it should be.


def test_the_applications_user_is_made_where_there_is_none(
    vault: Vault, own_database: Database, application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_database.forget(own_database.user)
    monkeypatch.setenv("APPLICATION_USER", own_database.user)
    first = vault.value(application)
    vault.rotate(application)

    assert own_database.opens(first)
    with own_database.enter(vault.value(application)) as connection:
        connection.execute("CREATE SCHEMA payments")  # it may make what it needs in its own database


def test_the_applications_password_is_set_again_where_it_was_restored_to_an_old_one(
    vault: Vault, own_database: Database, application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.rotate(application)
    own_database.set_password(own_database.clone, "of-the-snapshot")
    own_database.set_password(own_database.user, "of-the-snapshot")
    monkeypatch.setenv("APPLICATION_USER", own_database.user)
    before = vault.value(application)
    vault.rotate(application)

    assert own_database.opens(before)
    assert own_database.opens(vault.value(application))


@pytest.mark.parametrize("application_user", [None, "somebody_else"])
def test_nobody_elses_password_is_set(
    vault: Vault,
    own_database: Database,
    application: str,
    monkeypatch: pytest.MonkeyPatch,
    application_user: str | None,
) -> None:
    if application_user:
        monkeypatch.setenv("APPLICATION_USER", application_user)
    vault.put(application, password="a guess")

    with pytest.raises(RotationFailed, match="is not APPLICATION_USER"):
        vault.rotate(application)
    assert own_database.opens(own_database.secret(own_database.user, USER_PASSWORD))


# Refusals.


def test_rotation_that_is_off_is_refused(vault: Vault, own_database: Database) -> None:
    arn = vault.make(own_database.secret(own_database.master, MASTER_PASSWORD), rotates=False)
    with pytest.raises(RotationFailed, match="rotation of this secret is off"):
        vault.step(arn, vault.begin(arn), "createSecret")


@pytest.mark.parametrize("step", STEPS)
def test_a_version_that_is_not_pending_is_refused(vault: Vault, master: str, step: str) -> None:
    old = vault.begin(master)
    vault.rotate(master)
    for token in (old, "11111111-2222-3333-4444-555555555555"):
        with pytest.raises(RotationFailed, match="is not AWSPENDING"):
            vault.step(master, token, step)


def test_a_version_that_is_current_already_is_left_alone(
    vault: Vault, application: str, master: str, outside: Outside
) -> None:
    for arn in (application, master):
        token = vault.rotate(arn)
        outside.forget()
        for step in ("createSecret", "setSecret", "finishSecret"):
            vault.step(arn, token, step)
        assert outside.calls == ["DescribeSecret"] * 3


def test_a_step_that_does_not_exist_is_refused(vault: Vault, master: str) -> None:
    with pytest.raises(RotationFailed, match="'dropSecret' is no step"):
        vault.step(master, vault.begin(master), "dropSecret")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": None}, "no engine"),
        ({"engine": "mysql"}, "engine is none of aurora-postgresql, postgres"),
        ({"host": None}, "no host"),
        ({"host": 7}, "no host"),
        ({"username": ""}, "no username"),
        ({"password": None}, "no password"),
        ({"port": "5432a"}, "port is no port"),
        ({"port": 70000}, "port is no port"),
        ({"ssl": False}, "without TLS"),
        ({"ssl": "false"}, "without TLS"),
        ({"ssl": "maybe"}, "without TLS"),
    ],
)
def test_a_secret_without_what_is_needed_is_refused(
    vault: Vault, master: str, changes: dict[str, Any], message: str
) -> None:
    vault.put(master, **changes)
    with pytest.raises(RotationFailed, match=message):
        vault.step(master, vault.begin(master), "createSecret")


@pytest.mark.parametrize("text", ["s3cret-4711", '["s3cret-4711"]', "{'password': 's3cret-4711'}"])
def test_a_secret_that_is_no_json_is_refused_and_not_quoted(
    vault: Vault, master: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    vault.client.put_secret_value(SecretId=master, SecretString=text)
    with pytest.raises(RotationFailed, match="no JSON object") as raised:
        vault.step(master, vault.begin(master), "createSecret")
    assert "4711" not in capsys.readouterr().out + "".join(traceback.format_exception(raised.value))


def test_a_name_too_long_for_its_clone_is_refused(vault: Vault, application: str) -> None:
    vault.put(application, username="u" * 58)
    with pytest.raises(RotationFailed, match="too long"):
        vault.rotate(application)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"username": "postgres"}, "whom this rotation has nothing to do with"),
        ({"host": "elsewhere"}, "another database"),
        ({"port": 1}, "another database"),
    ],
)
@pytest.mark.parametrize("which", ["master", "application"])
def test_a_pending_value_that_is_about_something_else_is_refused(
    vault: Vault, request: pytest.FixtureRequest, which: str, changes: dict[str, Any], message: str
) -> None:
    arn: str = request.getfixturevalue(which)
    token = vault.begin(arn)
    vault.client.put_secret_value(
        SecretId=arn,
        ClientRequestToken=token,
        SecretString=json.dumps({**vault.value(arn), **changes}),
        VersionStages=["AWSPENDING"],
    )
    with pytest.raises(RotationFailed, match=message):
        vault.rotate(arn, token)


def test_a_master_of_another_database_is_not_used(vault: Vault, own_database: Database) -> None:
    elsewhere = vault.make({**own_database.secret(own_database.master, MASTER_PASSWORD), "host": "127.0.0.1"})
    arn = vault.make(own_database.secret(own_database.user, USER_PASSWORD, masterarn=elsewhere))
    with pytest.raises(RotationFailed, match="no version of the secret opens the database"):
        vault.rotate(arn)


def test_a_master_that_is_one_of_the_two_is_not_used(vault: Vault, own_database: Database) -> None:
    master = vault.make(own_database.secret(own_database.master, MASTER_PASSWORD))
    arn = vault.make(own_database.secret(own_database.master, MASTER_PASSWORD, masterarn=master))
    with pytest.raises(RotationFailed, match="one of the users that alternate"):
        vault.rotate(arn)


def test_a_password_that_nobody_knows_is_not_replaced(vault: Vault, own_database: Database, master: str) -> None:
    own_database.set_password(own_database.master, "set by hand")
    with pytest.raises(RotationFailed, match="no version of the secret opens the database"):
        vault.rotate(master)
    assert own_database.opens(own_database.secret(own_database.master, "set by hand"))


# TLS.


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


def test_a_certificate_that_aws_does_not_vouch_for_is_refused(
    vault: Vault, own_database: Database, master: str, function: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    function._verification.cache_clear()
    with pytest.raises(RotationFailed, match="the database's certificate is not accepted"):
        vault.rotate(master)
    function._verification.cache_clear()
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
    monkeypatch.setenv("APPLICATION_USER", own_database.user)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    vault.put(application, port=port)
    with pytest.raises(RotationFailed, match="no connection to the database: Connection refused"):
        vault.rotate(application)


# Nothing secret is told.


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
    monkeypatch.setenv("APPLICATION_USER", own_database.user)
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


def test_the_words_of_the_server_are_not_passed_on(
    vault: Vault, master: str, function: ModuleType, outside: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    class LoudServerError(function.DatabaseError):  # type: ignore[misc,name-defined]
        def __init__(self, _name: str) -> None:
            super().__init__({"S": "ERROR", "C": "XX000", "M": f"near {MASTER_PASSWORD}"})

    vault.rotate(master)
    number = outside.calls.index("ALTER ROLE")
    outside.fail(number, after=False, how=LoudServerError)
    with pytest.raises(RotationFailed, match="PostgreSQL: SQLSTATE XX000") as raised:
        vault.rotate(master)

    assert MASTER_PASSWORD not in capsys.readouterr().out + "".join(traceback.format_exception(raised.value))


# What an interrupted rotation of the other secret leaves.


def test_the_application_rotates_while_the_masters_password_is_about_to_change(
    vault: Vault, own_database: Database, application: str, master: str, outside: Outside
) -> None:
    token = vault.begin(master)
    vault.step(master, token, "createSecret")
    vault.step(master, token, "setSecret")
    number = outside.calls.index("UpdateSecretVersionStage")
    other = vault.begin(master)
    outside.fail(number, after=False)
    with pytest.raises(Killed):
        vault.rotate(master, other)
    outside.forget()
    assert not own_database.opens(vault.value(master))

    vault.rotate(application)

    assert own_database.opens(vault.value(application))


def test_a_password_is_found_in_a_version_that_has_no_stage_any_more(
    vault: Vault, own_database: Database, master: str, outside: Outside
) -> None:
    vault.rotate(master)
    number = outside.calls.index("UpdateSecretVersionStage")
    outside.fail(number, after=False)
    with pytest.raises(Killed):
        vault.rotate(master)
    outside.forget()
    vault.begin(master)  # takes AWSPENDING away from the only version that opens the database
    assert not own_database.opens(vault.value(master))

    vault.rotate(master, vault.version(master, "AWSPENDING"))

    assert own_database.opens(vault.value(master))


def test_a_rotation_that_is_only_tried_out_leaves_all_as_it_is(
    vault: Vault, own_database: Database, application: str, master: str
) -> None:
    """Where rotation is configured not to begin at once, testSecret is called with a copy of the current value."""
    for arn in (application, master):
        before, token = vault.value(arn), vault.begin(arn)
        vault.client.put_secret_value(
            SecretId=arn, ClientRequestToken=token, SecretString=json.dumps(before), VersionStages=["AWSPENDING"]
        )
        vault.step(arn, token, "testSecret")
        assert vault.value(arn) == before
        assert own_database.opens(before)
