"""API keys: their form, their peppers, how long a process keeps what it knows of them, and who makes them (Q3)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from payments import __main__ as program
from payments.api_keys import MIN_SECONDS_BETWEEN_READS, ApiKey, KeyMode, Peppers, PeppersInvalid
from payments.authentication import Authenticator, Caller, Unauthenticated
from payments.merchants import Merchants, Refused
from payments.problems import ApiError
from payments.quotas import LookupQuotas, TooManyRequests
from payments.repository.credentials import find_credential, list_credentials
from payments.roles import Process
from payments.scopes import Scope
from tests.payments.conftest import Platform
from tests.payments.support import authorized

pytestmark = [pytest.mark.requirement("Q3")]

PEPPER, OTHER = "p" * 32, "q" * 32


class Secret:
    """Secrets Manager, with one secret."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.reads = 0

    def get_secret_value(self, **_: str) -> dict[str, str]:
        self.reads += 1
        return {"SecretString": self.value if isinstance(self.value, str) else json.dumps(self.value)}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Direct:
    """A limiter that limits nothing, and counts."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.calls = 0

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        self.calls += 1
        await asyncio.sleep(0)
        return function(self.connection, *args)


def test_api_key_has_its_mode_its_id_and_a_checksum() -> None:
    key = ApiKey.make(KeyMode.LIVE)
    assert key.text.startswith(f"pay_live_{key.id}_")
    assert ApiKey.parse(key.text) == key
    assert key.text not in repr(key)
    for place in range(len("pay_live_"), len(key.text)):
        other = "0" if key.text[place] != "0" else "1"
        assert ApiKey.parse(key.text[:place] + other + key.text[place + 1 :]) is None
    assert len({ApiKey.make(KeyMode.TEST).text for _ in range(100)}) == 100
    for text in ("", "pay_live_", key.text + "\n", key.text.replace("live", "prod"), f" {key.text}"):
        assert ApiKey.parse(text) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "[]",
        {},
        {"current": "a", "peppers": {}},
        {"current": "b", "peppers": {"a": PEPPER}},
        {"current": "a", "peppers": {"a": "short"}},
        {"current": "a", "peppers": {"a": 4}},
    ],
)
def test_invalid_peppers_are_refused_and_not_quoted(value: Any) -> None:
    with pytest.raises(PeppersInvalid) as refused:
        Peppers("secret", region="us-east-2", client=Secret(value)).current()
    assert "short" not in str(refused.value).replace("shorter", "")


def test_unknown_pepper_is_read_again_but_not_for_each_key() -> None:
    secret, clock = Secret({"current": "a", "peppers": {"a": PEPPER}}), Clock()
    peppers = Peppers("secret", region="us-east-2", client=secret, clock=clock)
    assert peppers.get("a") == PEPPER.encode()
    secret.value = {"current": "b", "peppers": {"a": PEPPER, "b": OTHER}}
    assert [peppers.get("b") for _ in range(3)] == [None] * 3
    assert secret.reads == 1
    clock.now += MIN_SECONDS_BETWEEN_READS
    assert (peppers.get("b"), peppers.get("a"), secret.reads) == (OTHER.encode(), PEPPER.encode(), 2)


def test_peppers_that_cannot_be_read_are_not_asked_for_by_each_request() -> None:
    secret, clock = Secret("[]"), Clock()
    peppers = Peppers("secret", region="us-east-2", client=secret, clock=clock)
    with pytest.raises(PeppersInvalid):
        peppers.get("a")
    assert [peppers.get("a") for _ in range(3)] == [None] * 3
    assert secret.reads == 1
    secret.value = {"current": "a", "peppers": {"a": PEPPER}}
    clock.now += MIN_SECONDS_BETWEEN_READS
    assert (peppers.get("a"), secret.reads) == (PEPPER.encode(), 2)


@pytest.fixture
def secret() -> Secret:
    return Secret({"current": "a", "peppers": {"a": PEPPER}})


@pytest.fixture
def merchants(connection: psycopg.Connection[Any], secret: Secret) -> Merchants:
    return Merchants(connection, Peppers("secret", region="us-east-2", client=secret), KeyMode.TEST)


@pytest.fixture
def merchant_id(merchants: Merchants) -> Any:
    return merchants.make(ApiKey.make(KeyMode.TEST).id.lower()).id


KEEP_SECONDS = 30.0


def authenticator(limiter: Direct, secret: Secret, clock: Clock) -> Authenticator:
    peppers = Peppers("secret", region="us-east-2", client=secret, clock=clock)
    made: Any = limiter
    return Authenticator(made, peppers, mode=KeyMode.TEST, keep_seconds=KEEP_SECONDS, clock=clock)


def authenticate(one: Authenticator, key: str, times: int = 1) -> list[Caller | ApiError]:
    """What so many requests at once are answered."""

    async def ask() -> Caller | ApiError:
        try:
            return await one.authenticate(authorized(key)["Authorization"])
        except ApiError as error:
            return error

    async def all_() -> list[Caller | ApiError]:
        return list(await asyncio.gather(*(ask() for _ in range(times))))

    return asyncio.run(all_())


def test_cached_credential_needs_no_query_and_revocation_is_effective_after_its_lifetime(
    connection: psycopg.Connection[Any], merchants: Merchants, merchant_id: Any, secret: Secret
) -> None:
    limiter, clock = Direct(connection), Clock()
    one = authenticator(limiter, secret, clock)
    credential, key = merchants.create_key(merchant_id, [Scope.PAYMENTS_READ])
    callers = authenticate(one, key.text, times=50)
    assert {caller.merchant_id for caller in callers if isinstance(caller, Caller)} == {merchant_id}
    assert (len(callers), limiter.calls) == (50, 2), "one finds the credential, one notes that it is in use"

    merchants.revoke_key(credential.identifier)
    assert isinstance(authenticate(one, key.text)[0], Caller), "kept, and no longer than half a minute"
    clock.now += KEEP_SECONDS
    assert isinstance(authenticate(one, key.text)[0], Unauthenticated)
    assert limiter.calls == 3


def test_only_a_verified_key_updates_the_last_use_of_its_credential(
    connection: psycopg.Connection[Any], merchants: Merchants, merchant_id: Any, secret: Secret
) -> None:
    one = authenticator(Direct(connection), secret, Clock())
    credential, key = merchants.create_key(merchant_id, [Scope.PAYMENTS_READ])
    assert isinstance(authenticate(one, ApiKey.make(KeyMode.TEST, id_=key.id).text)[0], Unauthenticated)
    assert merchants.key(credential.identifier).last_used_at is None
    assert isinstance(authenticate(one, key.text)[0], Caller)
    assert merchants.key(credential.identifier).last_used_at


def test_repeated_unknown_keys_are_answered_from_the_cache(connection: psycopg.Connection[Any], secret: Secret) -> None:
    limiter = Direct(connection)
    one = authenticator(limiter, secret, Clock())
    unknown = ApiKey.make(KeyMode.TEST)
    assert {type(answer) for answer in authenticate(one, unknown.text, times=20)} == {Unauthenticated}
    again = ApiKey.make(KeyMode.TEST, id_=unknown.id)
    assert {type(answer) for answer in authenticate(one, again.text, times=20)} == {Unauthenticated}
    assert limiter.calls == 1
    for text in (unknown.text[:-1], ApiKey.make(KeyMode.LIVE).text):
        assert isinstance(authenticate(one, text)[0], Unauthenticated)
    assert limiter.calls == 1, "what is misspelt, or of another environment, costs none at all"


def test_only_a_bearers_key_is_a_credential_and_the_challenge_says_whether_one_was_shown(
    connection: psycopg.Connection[Any], merchants: Merchants, merchant_id: Any, secret: Secret
) -> None:
    one = authenticator(Direct(connection), secret, Clock())
    _, key = merchants.create_key(merchant_id, [Scope.PAYMENTS_READ])
    ended, expired = merchants.create_key(merchant_id, [Scope.PAYMENTS_READ])
    merchants.revoke_key(ended.identifier)
    challenges = {}
    for header in (None, "", key.text, f"Basic {key.text}", f"Bearer {key.text[:-1]}", f"Bearer {expired.text}"):
        with pytest.raises(Unauthenticated) as refused:
            asyncio.run(one.authenticate(header))
        challenges[header] = (refused.value.headers or {})["WWW-Authenticate"]
    assert {header for header, challenge in challenges.items() if "invalid_token" not in challenge} == {None, ""}
    assert isinstance(asyncio.run(one.authenticate(f"bearer {key.text}")), Caller)


def test_known_key_is_looked_up_again_though_its_address_has_used_up_its_look_ups_and_an_unknown_one_is_not(
    connection: psycopg.Connection[Any], merchants: Merchants, merchant_id: Any, secret: Secret
) -> None:
    limiter, clock = Direct(connection), Clock()
    made: Any = limiter
    quotas = LookupQuotas(per_second=1e-9, burst=1, clock=clock)
    peppers = Peppers("secret", region="us-east-2", client=secret, clock=clock)
    one = Authenticator(made, peppers, mode=KeyMode.TEST, keep_seconds=KEEP_SECONDS, lookup_quotas=quotas, clock=clock)
    _, known = merchants.create_key(merchant_id, [Scope.PAYMENTS_READ])
    unknown, third = ApiKey.make(KeyMode.TEST), ApiKey.make(KeyMode.TEST)
    assert isinstance(authenticate(one, known.text)[0], Caller), "and counts for nothing"
    assert isinstance(authenticate(one, unknown.text)[0], Unauthenticated)
    clock.now += KEEP_SECONDS
    assert isinstance(authenticate(one, known.text)[0], Caller)
    assert [type(authenticate(one, key.text)[0]) for key in (unknown, third)] == [TooManyRequests] * 2


def test_pepper_rotation_keeps_every_key_valid(
    connection: psycopg.Connection[Any], merchants: Merchants, merchant_id: Any, secret: Secret
) -> None:
    clock = Clock()
    one = authenticator(Direct(connection), secret, clock)
    before = merchants.create_key(merchant_id, [Scope.PAYMENTS_READ])[1]
    assert isinstance(authenticate(one, before.text)[0], Caller)
    secret.value = {"current": "b", "peppers": {"a": PEPPER, "b": OTHER}}
    credential, after = merchants.create_key(merchant_id, [Scope.PAYMENTS_READ])
    assert credential.pepper == "b"
    clock.now += KEEP_SECONDS
    for key in (before, after):
        assert isinstance(authenticate(one, key.text)[0], Caller)
    # A pepper that is gone is a fault of this side's: it says nothing of the key.
    secret.value = {"current": "b", "peppers": {"b": OTHER}}
    fresh = authenticator(Direct(connection), secret, clock)
    (answer,) = authenticate(fresh, before.text)
    assert isinstance(answer, ApiError)
    assert answer.status == 503
    assert isinstance(authenticate(fresh, after.text)[0], Caller)


def test_api_key_is_stored_only_as_a_hash(
    connection: psycopg.Connection[Any], merchants: Merchants, merchant_id: Any
) -> None:
    _, key = merchants.create_key(merchant_id, [Scope.PAYMENTS_READ])
    rows = connection.execute("SELECT credentials::text FROM payments.credentials").fetchall()
    secret = key.text.rpartition("_")[2]
    assert key.id in str(rows)
    assert secret not in str(rows)
    found = find_credential(connection, "api_key", key.id)
    assert found
    assert found.secret_hash == key.hashed(PEPPER.encode())
    assert str(found.secret_hash) not in repr(found)


def test_expired_or_revoked_key_is_not_rotated(merchants: Merchants, merchant_id: Any) -> None:
    credential, _ = merchants.create_key(merchant_id, [Scope.PAYMENTS_READ])
    merchants.revoke_key(credential.identifier)
    with pytest.raises(Refused):
        merchants.rotate_key(credential.identifier, timedelta(hours=1))
    assert len(list_credentials(merchants.connection, merchant_id)) == 1


Run = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def run(shared_platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `python -m payments merchants`: its exit code, the lines that it printed, and its errors."""
    for name, value in shared_platform.environment_of(Process.ADMINISTRATION).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        monkeypatch.setattr("sys.argv", ["payments", "merchants", *arguments])
        code = program.main()
        written = capsys.readouterr()
        return code, [json.loads(line) for line in written.out.splitlines()], written.err

    return run


def test_merchants_and_keys_are_created_listed_rotated_and_revoked(run: Run) -> None:
    code, (made,), _ = run("make", "a-shop")
    assert code == 0
    assert made in run("list")[1]
    assert run("make", "a-shop") == (1, [], "there is a merchant of this name\n")
    assert run("make", "A Shop")[0] == 1
    assert run("keys", "create", "no-shop", "--scopes", "payments:read")[0] == 1

    _, (created,), _ = run("keys", "create", "a-shop", "--scopes", "payments:read,refunds:write", "--days", "1")
    key = ApiKey.parse(created.pop("key"))
    assert key
    assert created["id"] == key.id
    assert created["scopes"] == ["payments:read", "refunds:write"]
    assert run("keys", "list", "a-shop")[1] == [created], "without the key, which was shown once"

    _, (rotated, before), _ = run("keys", "rotate", key.id, "--overlap-hours", "0.5")
    assert rotated.pop("key").startswith("pay_test_")
    assert before["id"] == key.id
    assert before["expires_at"] < rotated["expires_at"]
    assert rotated["scopes"] == created["scopes"]
    _, (revoked,), _ = run("keys", "revoke", rotated["id"])
    assert revoked["revoked_at"]
    assert run("keys", "revoke", "0" * 16) == (1, [], "there is no key with this id\n")


def test_unknown_scope_is_refused_in_one_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("keys", "create", "a-shop", "--scopes", "everything")
    assert ended.value.code == 2
    assert "are among payments:read" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf", "soon"])
@pytest.mark.parametrize(
    "command", [("create", "a-shop", "--scopes", "payments:read", "--days"), ("rotate", "a", "--overlap-hours")]
)
def test_time_that_is_not_above_zero_is_refused_in_one_line(
    run: Run, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], given: str
) -> None:
    """A key of no days would otherwise never expire."""
    *words, option = command
    with pytest.raises(SystemExit) as ended:
        run("keys", *words, f"{option}={given}")
    assert ended.value.code == 2
    assert f"'{given}' is not a number above 0" in capsys.readouterr().err
