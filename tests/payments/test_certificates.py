"""Client certificates: a key is valid with a certificate of its merchant only, where they are required (Q3, P2.2)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import psycopg
import pytest

from payments import certificates
from payments.administration import _parser
from payments.api_keys import KeyMode, Peppers
from payments.authentication import Authenticator, Caller, Unauthenticated
from payments.certificates import ClientCertificates, fingerprint, parse_fingerprint
from payments.merchants import Merchants, Refused
from payments.scopes import Scope
from tests.https import self_signed
from tests.payments.test_credentials import PEPPER, Clock, Direct, Secret

pytestmark = pytest.mark.requirement("Q3", "P2.2")
KEEP_SECONDS = 30.0


def certificate(name: str, folder: Path) -> str:
    """A certificate in PEM, without its key."""
    text = self_signed(name, folder / f"{name}.pem").read_text()
    begins = text.index("-----BEGIN CERTIFICATE-----")
    return text[begins : text.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")] + "\n"


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("certificates")
    return {name: certificate(name, folder) for name in ("own", "next", "foreign", "unknown")}


@pytest.fixture
def secret() -> Secret:
    return Secret({"current": "a", "peppers": {"a": PEPPER}})


@pytest.fixture
def merchants(connection: psycopg.Connection[Any], secret: Secret) -> Merchants:
    return Merchants(connection, Peppers("secret", region="us-east-2", client=secret), KeyMode.TEST)


class Door:
    """An API that requires certificates, a merchant with a key, and a certificate's way in."""

    def __init__(self, merchants: Merchants, secret: Secret, clock: Clock, mode: ClientCertificates) -> None:
        made: Any = Direct(merchants.connection)
        peppers = Peppers("secret", region="us-east-2", client=secret, clock=clock)
        self._authenticator = Authenticator(
            made, peppers, mode=KeyMode.TEST, keep_seconds=KEEP_SECONDS, client_certificates=mode, clock=clock
        )

    def admits(self, key: str, shown: Sequence[str]) -> frozenset[str] | None:
        """The scopes of the caller; None where it is nobody."""
        try:
            caller: Caller = asyncio.run(self._authenticator.authenticate(f"Bearer {key}", shown))
        except Unauthenticated:
            return None
        return caller.scopes


def merchant(merchants: Merchants) -> UUID:
    return merchants.make(f"m-{datetime.now(UTC):%H%M%S%f}").id


def known(pem: str) -> str:
    """The fingerprint of a certificate, of its own kind for each test: certificates are known once only."""
    found = fingerprint(pem)
    assert found
    return found


def test_key_is_valid_with_a_certificate_of_its_merchant_only(
    merchants: Merchants, secret: Secret, pems: dict[str, str]
) -> None:
    clock = Clock()
    door = Door(merchants, secret, clock, ClientCertificates.REQUIRED)
    own, other = merchant(merchants), merchant(merchants)
    key = merchants.create_key(own, [Scope.PAYMENTS_READ])[1].text
    for name, owner in (("own", own), ("next", own), ("foreign", other)):
        merchants.add_certificate(owner, known(pems[name]))
    shown = {name: quote(pem, safe="+=/") for name, pem in pems.items()}
    right = frozenset({"payments:read"})
    assert [door.admits(key, [shown[name]]) for name in shown] == [right, right, None, None]
    assert door.admits(key, []) is None
    assert door.admits(key, ["let me in"]) is None
    assert door.admits(key, [shown["foreign"], shown["own"]]) is None, "one that a client added itself"
    assert door.admits(key, [f"{shown['own']},{shown['foreign']}"]) is None

    merchants.revoke_certificate(known(pems["own"]))
    clock.now += KEEP_SECONDS
    assert [door.admits(key, [shown[name]]) for name in ("own", "next")] == [None, right]
    assert merchants.certificate(known(pems["next"])).last_used_at


def test_expired_certificate_is_refused(merchants: Merchants, secret: Secret, tmp_path: Path) -> None:
    pem, owner = certificate("expired", tmp_path), merchant(merchants)
    merchants.add_certificate(owner, known(pem), datetime.now(UTC) - timedelta(seconds=1))
    door = Door(merchants, secret, Clock(), ClientCertificates.REQUIRED)
    assert door.admits(merchants.create_key(owner, [Scope.PAYMENTS_READ])[1].text, [quote(pem)]) is None


def test_certificates_are_ignored_where_they_are_not_required(merchants: Merchants, secret: Secret) -> None:
    key = merchants.create_key(merchant(merchants), [Scope.PAYMENTS_READ])[1].text
    door = Door(merchants, secret, Clock(), ClientCertificates.IGNORED)
    assert door.admits(key, []) == door.admits(key, ["anything"]) == frozenset({"payments:read"})


def test_certificate_has_one_merchant(merchants: Merchants, tmp_path: Path) -> None:
    found = known(certificate("once", tmp_path))
    merchants.add_certificate(merchant(merchants), found)
    with pytest.raises(Refused, match="known already"):
        merchants.add_certificate(merchant(merchants), found)


def test_commands_add_list_and_revoke(merchants: Merchants, tmp_path: Path) -> None:
    name = merchants.make(f"c-{datetime.now(UTC):%H%M%S%f}").name
    found = known(certificate("command", tmp_path))
    pairs = [found[at : at + 2].upper() for at in range(0, len(found), 2)]
    shown = []
    for words in (["add", name, ":".join(pairs), "--days", "1"], ["list", name], ["revoke", found]):
        given = _parser().parse_args(["certificates", *words])
        (line,) = given.do(merchants, given)
        json.dumps(line, default=str)
        shown.append(line)
    assert {line["fingerprint"] for line in shown} == {found}
    assert [bool(line["revoked_at"]) for line in shown] == [False, False, True]


@pytest.mark.parametrize("text", ["", "ab", "g" * 64, "a" * 63, "a" * 65])
def test_other_texts_are_no_fingerprints(text: str) -> None:
    assert parse_fingerprint(text) is None


CUT = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----"


@pytest.mark.parametrize("text", ["", "x", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----", CUT])
def test_other_texts_are_no_certificates(text: str) -> None:
    assert certificates.shown([text]) is None
