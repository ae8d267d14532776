"""Access tokens of an OAuth 2.0 issuer as credentials: which are valid, for what, and with which of its keys (Q3).

`pytest -rP tests/payments/test_tokens.py` shows the table of tokens.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from payments.administration import _parser
from payments.api_keys import KeyMode, Peppers
from payments.authentication import Authenticator, Caller, Unauthenticated
from payments.merchants import Merchants, Refused
from payments.problems import ApiError
from payments.scopes import Scope
from payments.settings import IssuerSettings, Misconfigured, read
from payments.tokens import SECONDS_BETWEEN_READS, Issuer, Tokens
from tests.payments.test_credentials import PEPPER, Clock, Direct, Secret

pytestmark = pytest.mark.requirement("Q3")

ISSUER = Issuer(
    issuer="https://login.example.com/",
    jwks_url="https://login.example.com/keys",
    audience="https://pay.example.com",
    refresh_seconds=300.0,
    stale_seconds=3600.0,
)
OTHER_AUDIENCE = "https://staging.pay.example.com"
KEEP_SECONDS = 30.0
READ = frozenset({"payments:read"})


@pytest.fixture(scope="module")
def own() -> dict[str, Any]:
    """Keys by their ids: of the issuer, two that it does not publish yet, and a stranger's."""
    return {
        "rsa": RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
        "ec": ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"}),
        "next": ECKey.generate_key("P-256", {"kid": "next", "use": "sig"}),
        "stranger": RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
        "secret": OctKey.generate_key(256, {"kid": "secret"}),
    }


class Keys:
    """What the issuer publishes."""

    def __init__(self, *keys: Any) -> None:
        self.keys, self.reads, self.answers = list(keys), 0, True

    def __call__(self, url: str) -> Any:
        assert url == ISSUER.jwks_url
        self.reads += 1
        if not self.answers:
            raise httpx.ConnectError("nobody there")
        return {"keys": [one.as_dict(private=isinstance(one, OctKey)) for one in self.keys]}


@dataclass
class World:
    """An API, its issuer, and a merchant with a client."""

    merchants: Merchants
    merchant: UUID
    client: str
    keys: Keys
    clock: Clock
    authenticator: Authenticator

    def admits(self, token: str) -> frozenset[str] | None:
        """The scopes of the caller; None where it is nobody."""
        try:
            caller: Caller = asyncio.run(self.authenticator.authenticate(f"Bearer {token}"))
        except Unauthenticated:
            return None
        assert caller.merchant_id == self.merchant
        return caller.scopes

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": ISSUER.issuer,
            "aud": ISSUER.audience,
            "client_id": self.client,
            "scope": "payments:read payments:write",
            "iat": now,
            "exp": now + 300,
            **changed,
        }


def signed(key: Any, claims: dict[str, Any], algorithm: str = "RS256", **header: str) -> str:
    header = {"alg": algorithm, "kid": str(key.kid), **header}
    return jwt.encode(header, {name: one for name, one in claims.items() if one is not None}, key, [algorithm])


def confused(key: Any, claims: dict[str, Any]) -> str:
    """Signed by HMAC with the issuer's public key, as if that were a secret."""
    parts = [{"alg": "HS256", "kid": str(key.kid)}, claims]
    text = ".".join(urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in parts)
    digest = hmac.digest(key.as_pem(private=False), text.encode(), "sha256")
    return f"{text}.{urlsafe_b64encode(digest).rstrip(b'=').decode()}"


@pytest.fixture
def world(connection: psycopg.Connection[Any], own: dict[str, Any]) -> World:
    secret: Any = Secret({"current": "a", "peppers": {"a": PEPPER}})
    clock, keys, limiter = Clock(), Keys(own["rsa"], own["ec"], own["secret"]), Direct(connection)
    peppers = Peppers("secret", region="us-east-2", client=secret)
    merchants = Merchants(connection, peppers, KeyMode.TEST)
    name = f"t-{datetime.now(UTC):%H%M%S%f}"
    merchant = merchants.make(name).id
    merchants.add_client(merchant, name, [Scope.PAYMENTS_READ, Scope.REFUNDS_WRITE])
    given: Any = limiter
    authenticator = Authenticator(
        given,
        peppers,
        mode=KeyMode.TEST,
        keep_seconds=KEEP_SECONDS,
        tokens=Tokens(ISSUER, read=keys, clock=clock),
        clock=clock,
    )
    return World(merchants, merchant, name, keys, clock, authenticator)


def test_token_is_valid_of_this_issuer_for_this_audience_and_now_alone(world: World, own: dict[str, Any]) -> None:
    claims, now = world.claims, int(time.time())
    right = signed(own["rsa"], claims())
    head, payload, signature = right.split(".")
    unsigned = signed(own["rsa"], claims()).rpartition(".")[0].split(".")[1]
    table = {
        "right": (right, READ),
        "right, by another key of the issuer": (signed(own["ec"], claims(), "ES256"), READ),
        "right, for several audiences": (signed(own["rsa"], claims(aud=[OTHER_AUDIENCE, ISSUER.audience])), READ),
        "right, its client is azp": (signed(own["rsa"], claims(client_id=None, azp=world.client)), READ),
        "with one scope, which the client lacks": (signed(own["rsa"], claims(scope="payments:write")), frozenset()),
        "without a scope": (signed(own["rsa"], claims(scope=None)), frozenset()),
        "of another environment's audience": (signed(own["rsa"], claims(aud=OTHER_AUDIENCE)), None),
        "without an audience": (signed(own["rsa"], claims(aud=None)), None),
        "of another issuer": (signed(own["rsa"], claims(iss="https://evil.example.com/")), None),
        "expired": (signed(own["rsa"], claims(exp=now - 60)), None),
        "without an expiry": (signed(own["rsa"], claims(exp=None)), None),
        "not valid yet": (signed(own["rsa"], claims(nbf=now + 120)), None),
        "of an unknown client": (signed(own["rsa"], claims(client_id="nobody")), None),
        "of no client": (signed(own["rsa"], claims(client_id=None)), None),
        "signed by a stranger": (signed(own["stranger"], claims()), None),
        "by the public key as a secret": (confused(own["rsa"], claims()), None),
        "by a secret among the keys": (signed(own["secret"], claims(), "HS256"), None),
        "by an algorithm that is not listed": (signed(own["rsa"], claims(), "RS512"), None),
        "alg none": (f"eyJhbGciOiJub25lIiwia2lkIjoicnNhIn0.{unsigned}.", None),
        "another payload": (f"{head}.{payload[:-2]}AA.{signature}", None),
        "without a key's id": (f"eyJhbGciOiJSUzI1NiJ9.{payload}.{signature}", None),
        "no token": ("let.me.in", None),
        "far too long": (signed(own["rsa"], claims(more="x" * 4096)), None),
    }
    found = {name: world.admits(token) for name, (token, _) in table.items()}
    for name, scopes in found.items():
        print(f"{name:45}{'401' if scopes is None else ' '.join(sorted(scopes)) or '403 (no scope)'}")
    assert found == {name: scopes for name, (_, scopes) in table.items()}


def test_client_is_revoked_here_whatever_its_token_says(world: World, own: dict[str, Any]) -> None:
    token = signed(own["rsa"], world.claims())
    assert world.admits(token) == READ
    assert world.merchants.client(world.client).last_used_at
    world.merchants.revoke_client(world.client)
    world.clock.now += KEEP_SECONDS
    assert world.admits(token) is None
    with pytest.raises(Refused, match="this client is known already"):
        world.merchants.add_client(world.merchant, world.client, [Scope.PAYMENTS_READ])


def test_keys_rotate_without_a_rejected_token(world: World, own: dict[str, Any]) -> None:
    first = signed(own["rsa"], world.claims())
    assert world.admits(first) == READ
    world.keys.keys = [own["rsa"], own["next"]]
    assert world.keys.reads == 1
    world.clock.now += SECONDS_BETWEEN_READS
    assert world.admits(signed(own["next"], world.claims(), "ES256")) == READ, "an unknown key is looked for at once"
    assert world.admits(first) == READ
    assert world.keys.reads == 2
    for _ in range(50):  # of keys that nobody knows: they cost the issuer nothing
        assert world.admits(signed(own["rsa"], world.claims(), kid="made-up")) is None
    assert world.keys.reads == 2


def test_keys_that_cannot_be_read_again_are_used_for_the_stated_while(world: World, own: dict[str, Any]) -> None:
    token = signed(own["rsa"], world.claims())
    assert world.admits(token) == READ
    world.keys.answers = False
    world.clock.now += ISSUER.stale_seconds - 1
    assert world.admits(token) == READ
    world.clock.now += 2
    with pytest.raises(ApiError) as unavailable:
        world.admits(token)
    assert unavailable.value.status == 503
    world.keys.answers = True
    world.clock.now += SECONDS_BETWEEN_READS
    asyncio.run(_until_read(world, token))


async def _until_read(world: World, token: str) -> None:
    """The first request begins the reading, which goes on beside it."""
    with pytest.raises(ApiError):
        await world.authenticator.authenticate(f"Bearer {token}")
    deadline = time.monotonic() + 10
    while world.keys.reads < 3 and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert (await world.authenticator.authenticate(f"Bearer {token}")).scopes == READ


def test_without_an_issuer_a_token_is_no_credential(
    connection: psycopg.Connection[Any], world: World, own: dict[str, Any]
) -> None:
    given: Any = Direct(connection)
    alone = Authenticator(given, world.merchants.peppers, mode=KeyMode.TEST, keep_seconds=KEEP_SECONDS)
    assert replace(world, authenticator=alone).admits(signed(own["rsa"], world.claims())) is None


def test_settings_name_all_of_an_issuer_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(IssuerSettings).issuer is None
    monkeypatch.setenv("OAUTH_ISSUER", ISSUER.issuer)
    with pytest.raises(Misconfigured, match="OAUTH_JWKS_URL and OAUTH_AUDIENCE are needed together"):
        read(IssuerSettings)
    monkeypatch.setenv("OAUTH_JWKS_URL", ISSUER.jwks_url)
    monkeypatch.setenv("OAUTH_AUDIENCE", ISSUER.audience)
    monkeypatch.setenv("OAUTH_ALGORITHMS", '["ES256"]')
    assert read(IssuerSettings).algorithms == ("ES256",)
    for name, wrong in {"OAUTH_ALGORITHMS": '["none"]', "OAUTH_JWKS_URL": "http://login.example.com"}.items():
        with monkeypatch.context() as changed:
            changed.setenv(name, wrong)
            with pytest.raises(Misconfigured):
                read(IssuerSettings)


def test_commands_add_list_and_revoke_clients(world: World) -> None:
    name = world.merchants.make(f"u-{datetime.now(UTC):%H%M%S%f}").name
    client = f"client-of-{name}"
    shown = []
    add = ["add", name, client, "--scopes", "payments:read", "--days", "1"]
    for words in (add, ["list", name], ["revoke", client]):
        given = _parser().parse_args(["clients", *words])
        (line,) = given.do(world.merchants, given)
        shown.append((line["client_id"], line["scopes"], bool(line["revoked_at"])))
    assert shown == [(client, ["payments:read"], revoked) for revoked in (False, False, True)]
