"""Access tokens at the service as a process, with an issuer that serves its keys by HTTPS (Q3).

`pytest -rP tests/payments/test_access_tokens.py` shows the table of routes and tokens; that of API keys is
test_authorization's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from payments.merchants import Merchants
from payments.scopes import Scope
from tests.https import Answers, self_signed, serve
from tests.payments import support
from tests.payments.conftest import Platform, client
from tests.payments.support import Running, authorized
from tests.payments.test_authorization import OPEN, Route, routes, shown
from tests.payments.test_tokens import confused, signed

pytestmark = [pytest.mark.requirement("Q3")]

AUDIENCE, OTHER_AUDIENCE = "https://pay.example.com", "https://staging.pay.example.com"
KEEP_SECONDS = 1.0
SECONDS_TO_BE_REFUSED = 60.0


@cache
def _key(name: str) -> Any:
    kid: Any = {"kid": name.removeprefix("strange-"), "use": "sig"}
    return ECKey.generate_key("P-256", kid) if name == "next" else RSAKey.generate_key(2048, kid)


@dataclass
class Issuer:
    """An issuer of access tokens, and the service that believes it."""

    answers: Answers
    service: Running
    platform: Platform
    clients: dict[str, Scope | None] = field(default_factory=dict)

    def publish(self, *names: str) -> None:
        """Serve these keys from now on."""
        self.answers.body = json.dumps({"keys": [_key(name).as_dict(private=False) for name in names]}).encode()

    def claims(self, client_id: str, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        scope = " ".join(Scope)
        return {
            "iss": "https://localhost/",
            "aud": AUDIENCE,
            "client_id": client_id,
            "scope": scope,
            "iat": now,
            "exp": now + 300,
            **changed,
        }

    def client_with(self, merchants: Merchants, scopes: list[Scope]) -> str:
        """A new client of the platform's merchant."""
        name = f"client-{time.monotonic_ns()}"
        merchants.add_client(self.platform.merchant.id, name, scopes)
        return name

    def is_refused(self, credential: str) -> bool:
        """Whether the service answers a credential with 401."""
        answer = self.service.client.get("/api/v1/payments", headers=authorized(credential))
        assert answer.status_code in {200, 401, 503}
        return answer.status_code == 401


@pytest.fixture(scope="module")
def issuer(shared_platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """An issuer, and a service of the shared platform that accepts its tokens."""
    folder = tmp_path_factory.mktemp("issuer")
    certificate = self_signed("localhost", folder / "issuer.pem")
    answers = Answers()
    server = serve(answers, certificate)
    environment = {
        **shared_platform.environment,
        "SSL_CERT_FILE": str(certificate),
        "OAUTH_ISSUER": "https://localhost/",
        "OAUTH_JWKS_URL": f"https://localhost:{server.server_port}/keys",
        "OAUTH_AUDIENCE": AUDIENCE,
        "OAUTH_REFRESH_SECONDS": "10",
        "CREDENTIAL_SECONDS": str(KEEP_SECONDS),
        "PUBLISHES": "false",
    }
    try:
        with support.running(folder, environment) as service:
            found = Issuer(answers, service, shared_platform)
            found.publish("rsa")
            yield found
    finally:
        server.shutdown()
        server.server_close()


EXPECTED = {
    "none": 401,
    "unknown client": 401,
    "of another scope": 403,
    "token without the scope": 403,
    "expired": 401,
    "revoked after use": 401,
    "wrong audience": 401,
    "wrong issuer": 401,
    "alg none": 401,
    "public key as a secret": 401,
    "of a stranger's key": 401,
    "key's id unknown": 401,
    "right": 0,
}
"""What each kind of token is answered with; 0 is what the route itself answers."""


def tokens(issuer: Issuer, merchants: Merchants, scope: Scope) -> dict[str, str | None]:
    """A token of each kind, for a route that requires a scope."""
    own = issuer.client_with(merchants, [scope])
    others = [one for one in Scope if one is not scope]
    weak = issuer.client_with(merchants, others)
    gone = issuer.client_with(merchants, list(Scope))
    key, claims = _key("rsa"), issuer.claims
    revoked = signed(key, claims(gone))
    assert not issuer.is_refused(revoked)
    merchants.revoke_client(gone)
    deadline = time.monotonic() + SECONDS_TO_BE_REFUSED
    while not issuer.is_refused(revoked):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    right = signed(key, claims(own))
    return {
        "none": None,
        "unknown client": signed(key, claims("nobody")),
        "of another scope": signed(key, claims(weak)),
        "token without the scope": signed(key, claims(own, scope=" ".join(others))),
        "expired": signed(key, claims(own, exp=int(time.time()) - 60)),
        "revoked after use": revoked,
        "wrong audience": signed(key, claims(own, aud=OTHER_AUDIENCE)),
        "wrong issuer": signed(key, claims(own, iss="https://evil.example.com/")),
        "alg none": f"eyJhbGciOiJub25lIiwia2lkIjoicnNhIn0.{right.split('.')[1]}.",
        "public key as a secret": confused(key, claims(own)),
        "of a stranger's key": signed(_key("strange-rsa"), claims(own)),
        "key's id unknown": signed(key, claims(own), kid="made-up"),
        "right": right,
    }


@pytest.fixture(scope="module")
def by_scope(issuer: Issuer) -> dict[Scope, dict[str, str | None]]:
    """The tokens for the routes of each scope."""
    needed = {route.scope for route in routes() if route.scope}
    assert needed
    with issuer.platform.merchants() as merchants:
        return {scope: tokens(issuer, merchants, scope) for scope in needed}


@pytest.mark.parametrize("route", [one for one in routes() if one.id not in OPEN], ids=lambda route: route.id)
def test_each_kind_of_token_gets_its_status_at_every_route(
    issuer: Issuer, by_scope: dict[Scope, dict[str, str | None]], route: Route
) -> None:
    assert route.scope
    payment = issuer.service.create().json()["id"]
    answers = {kind: shown(route.call(issuer.service, payment, one)) for kind, one in by_scope[route.scope].items()}
    for kind, status in answers.items():
        print(f"{route.method:5}{route.path:45}{route.scope:16}{kind:26}{status or 'answered'}")
    assert answers == EXPECTED


@pytest.mark.parametrize("route", [one for one in routes() if "{payment_id}" in one.path], ids=lambda route: route.id)
def test_payment_of_another_merchant_is_not_found_by_a_token(issuer: Issuer, route: Route) -> None:
    payment = issuer.service.create().json()["id"]
    with issuer.platform.merchants() as merchants:
        name = f"other-{time.monotonic_ns()}"
        merchants.add_client(merchants.make(name).id, name, list(Scope))
    response = route.call(issuer.service, payment, signed(_key("rsa"), issuer.claims(name)))
    assert (response.status_code, response.json()["type"]) == (404, "urn:payments:problem:not-found")


def test_rotation_of_peppers_and_of_the_issuers_keys_leaves_every_credential_valid(issuer: Issuer) -> None:
    """With Secrets Manager, the database and the issuer, under the credentials of before and of after."""
    secrets_manager = client("secretsmanager", issuer.platform.environment)
    name = issuer.platform.environment["API_KEY_PEPPERS_SECRET_ARN"]
    held = json.loads(secrets_manager.get_secret_value(SecretId=name)["SecretString"])
    with issuer.platform.merchants() as merchants:
        owner = issuer.platform.merchant.id
        before = [merchants.create_key(owner, list(Scope))[1].text]
        client_id = issuer.client_with(merchants, list(Scope))
        before.append(signed(_key("rsa"), issuer.claims(client_id)))
        assert not any(map(issuer.is_refused, before))
        peppers = {**held["peppers"], "second": "another-" * 8}
        secrets_manager.put_secret_value(
            SecretId=name, SecretString=json.dumps({"current": "second", "peppers": peppers})
        )
        issuer.publish("rsa", "next")
        try:
            credential, key = merchants.create_key(owner, list(Scope))
        finally:  # the tests after this one make their keys as those before it
            held["peppers"] = peppers
            secrets_manager.put_secret_value(SecretId=name, SecretString=json.dumps(held))
        assert credential.pepper == "second"
    after = [key.text, signed(_key("next"), issuer.claims(client_id), "ES256")]
    deadline = time.monotonic() + SECONDS_TO_BE_REFUSED
    answered: set[str] = set()
    while len(answered) < len(after):
        for one in before:
            assert issuer.service.client.get("/api/v1/payments", headers=authorized(one)).status_code == 200
        for one in after:
            if issuer.service.client.get("/api/v1/payments", headers=authorized(one)).status_code == 200:
                answered.add(one)
        assert time.monotonic() < deadline
        time.sleep(0.2)
    issuer.answers.status = 503  # the keys that are known are used on
    for one in (*before, *after):
        assert issuer.service.client.get("/api/v1/payments", headers=authorized(one)).status_code == 200
