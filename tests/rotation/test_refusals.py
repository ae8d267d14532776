"""Rotations that are refused, each with a cause and without any value of a secret (W3.3)."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest

from shared.secret_rotation.steps import RotationFailed
from tests.rotation.conftest import MASTER_PASSWORD, USER_PASSWORD
from tests.rotation.support import STEPS, Database, Outside, Vault

pytestmark = [pytest.mark.requirement("W3.3")]
FIRST_MAJOR_WITH_ADMIN_OPTION = 16


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
def test_secret_without_a_required_field_is_refused(
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


def test_unknown_password_is_not_replaced(vault: Vault, own_database: Database, master: str) -> None:
    own_database.set_password(own_database.master, "set by hand")
    with pytest.raises(RotationFailed, match="no version of the secret opens the database"):
        vault.rotate(master)
    assert own_database.opens(own_database.secret(own_database.master, "set by hand"))


def test_first_user_not_created_by_the_master_is_refused_with_a_reason_from_16_on(
    vault: Vault, own_database: Database, application: str
) -> None:
    """As after the restore of a dump. Until 15 CREATEROLE is enough."""
    own_database.forget(own_database.user)
    own_database.run("CREATE ROLE {} LOGIN", own_database.user)
    own_database.set_password(own_database.user, USER_PASSWORD)
    (version,) = own_database.run("SELECT current_setting('server_version_num')::int / 10000")
    if version[0] >= FIRST_MAJOR_WITH_ADMIN_OPTION:
        with pytest.raises(RotationFailed, match="GRANT it to the master WITH ADMIN OPTION"):
            vault.rotate(application)
        own_database.run("GRANT {} TO {} WITH ADMIN OPTION", own_database.user, own_database.master)
    vault.rotate(application)
    assert own_database.opens(vault.value(application))
