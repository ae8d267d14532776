"""Who may call: every route by every kind of credential, and each merchant for itself (Q3).

`pytest -rP tests/payments/test_authorization.py` shows the table of routes and credentials.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import APIRouter

from payments import repository
from payments.api_keys import ApiKey, KeyMode
from payments.application import document
from payments.authorization import AuthorizedRoute, NotDeclared
from payments.merchants import Merchants
from payments.repository.credentials import Merchant, find_credential
from payments.scopes import Scope
from payments.states import OperationStatus
from shared import json_lines
from tests.payments.conftest import Platform
from tests.payments.support import Running, authorized, keyed

pytestmark = [pytest.mark.requirement("Q3"), pytest.mark.requirement("Q1")]

VALID = {"amount": 1000, "currency": "USD", "token": "tok_visa_1"}
OPEN = {"health", "ready"}
REFUSED = {401: "unauthenticated", 403: "insufficient-scope", 404: "not-found"}


@dataclass(frozen=True)
class Route:
    """A route of the OpenAPI document."""

    id: str
    method: str
    path: str
    scope: Scope | None

    def call(self, service: Running, payment: str, key: str | None) -> httpx.Response:
        """Call it with an API key, or without one."""
        body = {"create_payment": VALID, "refund_payment": {"amount": 1}}.get(self.id, {})
        with httpx.Client(base_url=service.url, trust_env=False) as client:
            return client.request(
                self.method,
                self.path.format(payment_id=payment),
                json=body if self.method == "POST" else None,
                headers={**keyed(), **({} if key is None else authorized(key))},
            )


def routes() -> list[Route]:
    """All that the document has."""
    found = []
    for path, methods in document()["paths"].items():
        for method, described in methods.items():
            scopes = [Scope(one) for security in described["security"] for one in security.get("api_key", [])]
            found.append(Route(described["operationId"], method.upper(), path, scopes[0] if scopes else None))
    return found


@dataclass(frozen=True)
class Keys:
    """What makes keys of a merchant."""

    merchants: Merchants
    merchant: Merchant

    def of(self, scopes: list[Scope], **when: Any) -> str:
        return self.merchants.create_key(self.merchant.id, scopes, **when)[1].text

    def by_kind(self, scope: Scope | None) -> dict[str, str | None]:
        """A credential of each kind, for a route that asks for a scope."""
        needed = [scope] if scope else [Scope.PAYMENTS_READ]
        others = [one for one in Scope if one is not scope]
        right = self.of(needed)
        known = ApiKey.parse(right)
        assert known
        before = self.of(needed)
        named = ApiKey.parse(before)
        revoked = ApiKey.parse(self.of(needed))
        assert named
        assert revoked
        after = self.merchants.rotate_key(named.id, timedelta(hours=1))[1].text
        self.merchants.revoke_key(revoked.id)
        live = Merchants(self.merchants.connection, self.merchants.peppers, KeyMode.LIVE)
        return {
            "none": None,
            "no key": "let-me-in",
            "misspelt": right[:-1] + ("A" if right[-1] != "A" else "B"),
            "unknown": ApiKey.make(KeyMode.TEST).text,
            "known id, another secret": ApiKey.make(KeyMode.TEST, id_=known.id).text,
            "of another environment": live.create_key(self.merchant.id, needed)[1].text,
            "expired": self.of(needed, expires_at=datetime.now(UTC) - timedelta(seconds=1)),
            "revoked": revoked.text,
            "of another scope": self.of(others),
            "rotated, before": before,
            "rotated, after": after,
            "right": right,
        }


@pytest.fixture
def keys(shared_platform: Platform) -> Iterator[Keys]:
    """Keys of the merchant of the shared service."""
    with shared_platform.merchants() as merchants:
        yield Keys(merchants, shared_platform.merchant)


@pytest.fixture
def others(shared_platform: Platform) -> Iterator[Keys]:
    """Keys of another merchant."""
    with shared_platform.merchants() as merchants:
        name = f"other-{datetime.now(UTC):%H%M%S%f}"
        yield Keys(merchants, merchants.make(name))


EXPECTED = {
    "none": 401,
    "no key": 401,
    "misspelt": 401,
    "unknown": 401,
    "known id, another secret": 401,
    "of another environment": 401,
    "expired": 401,
    "revoked": 401,
    "of another scope": 403,
    "rotated, before": 0,
    "rotated, after": 0,
    "right": 0,
}
"""What each kind of credential is answered with; 0 is what the route itself answers."""


def shown(response: httpx.Response) -> int:
    """The status if it is a refusal of the caller, which then is a problem and says what is missing; else 0."""
    if response.status_code not in {401, 403}:
        assert response.status_code < 500, response.text
        return 0
    problem = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["type"] == f"urn:payments:problem:{REFUSED[response.status_code]}"
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="payments"')
    assert ("insufficient_scope" in challenge) == (response.status_code == 403)
    return response.status_code


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.id)
def test_each_kind_of_credential_gets_its_status_at_every_route(service: Running, keys: Keys, route: Route) -> None:
    payment = service.create().json()["id"]
    answers = {kind: shown(route.call(service, payment, key)) for kind, key in keys.by_kind(route.scope).items()}
    for kind, status in answers.items():
        print(f"{route.method:5}{route.path:45}{route.scope or 'everybody':16}{kind:26}{status or 'answered'}")
    assert answers == (dict.fromkeys(EXPECTED, 0) if route.id in OPEN else EXPECTED)


def test_every_route_but_the_probes_requires_a_scope() -> None:
    assert {route.id for route in routes() if route.scope is None} == OPEN
    assert len(routes()) > len(OPEN)
    schemes = document()["components"]["securitySchemes"]
    assert {name: scheme["scheme"] for name, scheme in schemes.items()} == {
        "api_key": "bearer",
        "access_token": "bearer",
    }
    for methods in document()["paths"].values():
        for described in methods.values():
            assert {name for one in described["security"] for name in one} in (set(), set(schemes))


def test_route_without_declared_callers_is_refused() -> None:
    router = APIRouter(route_class=AuthorizedRoute)
    with pytest.raises(NotDeclared, match="/forgotten"):

        @router.get("/forgotten")
        async def forgotten() -> None:
            """Nobody has thought of its callers."""


@pytest.mark.parametrize("route", [one for one in routes() if "{payment_id}" in one.path], ids=lambda route: route.id)
def test_payment_of_another_merchant_is_not_found(
    service: Running, service_database: psycopg.Connection[Any], others: Keys, route: Route
) -> None:
    payment = service.create().json()["id"]
    before = service.read(payment)
    response = route.call(service, payment, others.of(list(Scope)))
    assert response.status_code == 404
    assert response.json()["type"] == "urn:payments:problem:not-found"
    # To the letter what is said of a payment that nobody has.
    nobodys = route.call(service, str(others.merchant.id), others.of(list(Scope)))
    same = ("type", "title", "status", "detail")
    assert [response.json()[one] for one in same] == [nobodys.json()[one] for one in same]
    assert service.read(payment) == before


def test_list_has_only_the_merchants_own_payments(service: Running, others: Keys) -> None:
    known = service.create().json()["id"]
    with httpx.Client(base_url=service.url, headers=authorized(others.of(list(Scope))), trust_env=False) as client:
        assert client.get("/api/v1/payments").json() == {"payments": [], "next_cursor": None}
        own = client.post("/api/v1/payments", json=VALID, headers=keyed()).json()["id"]
        assert [one["id"] for one in client.get("/api/v1/payments").json()["payments"]] == [own]
    assert known in {one["id"] for one in service.client.get("/api/v1/payments").json()["payments"]}


def test_idempotency_key_used_by_another_merchant_does_not_conflict(
    service: Running, service_database: psycopg.Connection[Any], others: Keys
) -> None:
    with httpx.Client(base_url=service.url, headers=authorized(others.of(list(Scope))), trust_env=False) as client:
        squatted = client.post("/api/v1/payments", json={**VALID, "amount": 1}, headers=keyed("order-1002"))
    first = service.create("order-1002", amount=7)
    again = service.create("order-1002", amount=7)
    assert (squatted.status_code, first.status_code) == (202, 202)
    assert first.json()["id"] != squatted.json()["id"]
    assert again.content == first.content


def test_operation_records_the_credential_that_requested_it(
    service: Running, service_database: psycopg.Connection[Any], keys: Keys
) -> None:
    payment = service.create().json()["id"]
    (operation,) = repository.list_operations(service_database, payment)
    repository.complete(service_database, operation.id, OperationStatus.SUCCEEDED, acquirer_reference="acq")
    credential, key = keys.merchants.create_key(keys.merchant.id, [Scope.REFUNDS_WRITE])
    refunded = service.client.post(
        f"/api/v1/payments/{payment}/refunds", json={"amount": 1}, headers={**keyed(), **authorized(key.text)}
    )
    assert refunded.status_code == 202
    query = "SELECT requested_by, merchant_id FROM payments.operations WHERE id = %s"
    assert service_database.execute(query, (refunded.json()["id"],)).fetchone() == (credential.id, keys.merchant.id)
    lines = json_lines.read(service.log)
    (line,) = [one for one in lines if one.get("correlation_id") == refunded.headers["X-Correlation-Id"]]
    assert (line["merchant_id"], line["credential_id"]) == (str(keys.merchant.id), str(credential.id))
    found = find_credential(service_database, "api_key", key.id)
    assert found
    assert found.last_used_at
