"""Both strategies on a real PostgreSQL with TLS: what a rotation leaves, and what it refuses (W3.3)."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from shared.secret_rotation.steps import RotationFailed
from tests.rotation.conftest import USER_PASSWORD
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


def test_clone_user_has_the_privileges_of_the_first(own_database: Database, rotated: dict[str, Any]) -> None:
    own_database.run("CREATE TABLE later (entry int)")
    own_database.run("GRANT SELECT ON later TO {}", own_database.user)

    with own_database.enter(rotated) as connection:
        assert connection.execute("SELECT count(*) FROM ledger").fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM later").fetchall() == [(0,)]
        assert connection.execute("SELECT session_user::text, current_user::text").fetchall() == [
            (own_database.clone, own_database.user)
        ]


def test_objects_of_the_second_user_belong_to_the_first(
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


def test_setting_that_the_master_may_not_grant_is_logged_and_skipped(
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
    limits = dict(own_database.run("SELECT rolname, rolconnlimit FROM pg_roles"))
    assert (limits[own_database.user], limits[own_database.clone]) == (9, 9)


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


def test_missing_application_user_is_created(
    vault: Vault, own_database: Database, application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_database.forget(own_database.user)
    monkeypatch.setenv("APPLICATION_USERS", own_database.user)
    first = vault.value(application)
    vault.rotate(application)

    assert own_database.opens(first)
    entered = own_database.enter(vault.value(application))
    with entered as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE SCHEMA payments")  # it is given its rights by who makes the schema


def test_the_applications_password_is_set_again_where_it_was_restored_to_an_old_one(
    vault: Vault, own_database: Database, application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.rotate(application)
    own_database.set_password(own_database.clone, "of-the-snapshot")
    own_database.set_password(own_database.user, "of-the-snapshot")
    monkeypatch.setenv("APPLICATION_USERS", own_database.user)
    before = vault.value(application)
    vault.rotate(application)

    assert own_database.opens(before)
    assert own_database.opens(vault.value(application))


@pytest.mark.parametrize("application_user", [None, "somebody_else"])
def test_password_of_another_user_is_not_set(
    vault: Vault,
    own_database: Database,
    application: str,
    monkeypatch: pytest.MonkeyPatch,
    application_user: str | None,
) -> None:
    if application_user:
        monkeypatch.setenv("APPLICATION_USERS", application_user)
    vault.put(application, password="a guess")

    with pytest.raises(RotationFailed, match="is not among APPLICATION_USERS"):
        vault.rotate(application)
    assert own_database.opens(own_database.secret(own_database.user, USER_PASSWORD))


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
