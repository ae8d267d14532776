"""A rotation that is ended, or loses the network, at any of its calls: the secret works, and the next one heals it.

`make test-rotation` tries every call before and after its effect, both by an end of the process and by an error.
`make test` tries every state that there can be outside: being ended after a call is being ended before the next one,
and an answer that is lost matters where the call has an effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

import pytest

from shared.postgresql_rotation import connection
from tests.rotation.conftest import MASTER_PASSWORD, ROTATIONS, USER_PASSWORD, Figures
from tests.rotation.support import Database, Killed, Lost, Outside, Vault

pytestmark = [pytest.mark.requirement("W3.3")]


@dataclass
class Scenario:
    """A secret before a rotation of a certain kind, made anew for each crash."""

    name: str
    vault: Vault
    database: Database
    prepare: Callable[[], str]


def own_password(vault: Vault, database: Database) -> Callable[[], str]:
    def prepare() -> str:
        database.set_password(database.master, MASTER_PASSWORD)
        return vault.make(database.secret(database.master, MASTER_PASSWORD))

    return prepare


def alternating(vault: Vault, database: Database, *, first_user: bool, second_user: bool) -> Callable[[], str]:
    master = vault.make(database.secret(database.master, MASTER_PASSWORD))

    def prepare() -> str:
        database.forget(database.clone, database.user)
        if first_user:
            database.set_password(database.user, USER_PASSWORD)
            database.run("ALTER ROLE {} SET statement_timeout TO '42s'", database.user)
        arn = vault.make(database.secret(database.user, USER_PASSWORD, masterarn=master))
        if second_user:
            vault.rotate(arn)
        return arn

    return prepare


@pytest.fixture(
    params=["single user", "alternating: neither is there", "alternating: to a new user", "alternating: and back"]
)
def scenario(
    request: pytest.FixtureRequest, vault: Vault, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> Scenario:
    name: str = request.param
    if name == "single user":
        return Scenario(name, vault, own_database, own_password(vault, own_database))
    first, second = "neither" not in name, "back" in name
    if not first:
        monkeypatch.setenv("APPLICATION_USERS", own_database.user)
    prepare = alternating(vault, own_database, first_user=first, second_user=second)
    return Scenario(name, vault, own_database, prepare)


READS = {"DescribeSecret", "GetRandomPassword", "GetSecretValue", "ListSecretVersionIds", "SELECT", "connect"}


def crashes(calls: list[str]) -> Iterator[tuple[int, bool, type[BaseException]]]:
    """Number of the call, whether it has had its effect, and how it goes wrong."""
    for number, call in enumerate(calls):
        yield number, False, Killed
        if ROTATIONS or call.split()[0] not in READS:
            yield number, True, Lost
        if ROTATIONS:
            yield number, True, Killed
            yield number, False, Lost


def test_a_crash_at_any_call_leaves_a_secret_that_works_and_heals(
    scenario: Scenario, function: ModuleType, monkeypatch: pytest.MonkeyPatch, figures: Figures
) -> None:
    vault, database, outside = scenario.vault, scenario.database, Outside()
    outside.watch(monkeypatch, connection)
    arn = scenario.prepare()
    outside.forget()
    vault.rotate(arn)
    calls = outside.calls
    assert {"PutSecretValue", "UpdateSecretVersionStage", "connect", "ALTER ROLE"} <= set(calls)

    for number, after, how in crashes(calls):
        outside.forget()
        arn = scenario.prepare()
        token = vault.begin(arn)
        outside.fail(number, after=after, how=how)
        crashed = crashes_at(vault, arn, token, how)
        outside.forget()
        where = f"{scenario.name}: {how.__name__} {'after' if after else 'before'} {number} {calls[number]}"

        before = vault.value(arn)
        works = database.opens(before) or crashed == "not noticed"
        if "neither" in scenario.name:
            works = True  # there is nobody yet whom the secret could let in
        figures.crashed(scenario.name, works=works)
        assert works or in_the_window(calls, number, after, how), where
        # Secrets Manager calls again with the same version, or an operator begins anew with another.
        vault.rotate(arn, token if number % 2 else None)
        assert database.opens(vault.value(arn)), where
        figures.healed(scenario.name)


def crashes_at(vault: Vault, arn: str, token: str, how: type[BaseException]) -> str:
    """Rotate, and say whether the crash was noticed; an error in a call need not end a step."""
    try:
        vault.rotate(arn, token)
    except Killed:
        assert how is Killed
        return "killed"
    except Exception:  # noqa: BLE001 - RotationFailed of the one module or of the other
        assert how is Lost
        return "failed"
    assert how is Lost, "the function went on after its end"
    return "not noticed"


def in_the_window(calls: list[str], number: int, after: bool, how: type[BaseException]) -> bool:
    """Whether a process ended between the change of a single user's password and the move of AWSCURRENT."""
    place = calls.index("UpdateSecretVersionStage")
    return (
        how is Killed
        and calls[place - 1] == "ALTER ROLE"
        and "BEGIN" not in calls
        and (number, after) in {(place - 1, True), (place, False)}
    )
