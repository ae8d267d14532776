"""`python -m payments merchants`: merchants and their API keys, for those who run the service.

    merchants make NAME
    merchants list
    merchants keys create NAME --scopes payments:read,payments:write [--days 365]
    merchants keys list NAME
    merchants keys rotate ID [--overlap-hours 168]
    merchants keys revoke ID
    merchants certificates add NAME FINGERPRINT [--days 365]
    merchants certificates list NAME
    merchants certificates revoke FINGERPRINT

Each prints a line of JSON for each thing that it made or found. A key is in what `create` and `rotate` print, and
nowhere else: it cannot be shown again. A rotation makes a key with the same scopes and the same time to live, and lets
the one before expire when the overlap is over; ID is what a key is named by, the part between its underscores.

Where client certificates are required, a merchant's keys are valid together with its certificates only. FINGERPRINT is
SHA-256, as `openssl x509 -noout -fingerprint -sha256` prints it. A merchant that renews its certificate has two for a
while.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import psycopg
from pydantic import Field

from payments.api_keys import ApiKey, KeyMode, Peppers
from payments.authentication import Scope
from payments.certificates import parse_fingerprint
from payments.identifiers import new_id
from payments.repository import Connection
from payments.repository.credentials import (
    API_KEY,
    CERTIFICATE,
    Credential,
    Merchant,
    create_credential,
    create_merchant,
    end_credential,
    list_credentials,
    list_merchants,
    revoke_credential,
)
from payments.roles import HOUSEKEEPING
from payments.settings import DatabaseSettings, RegionSettings, read

OVERLAP_HOURS = 168.0


class Refused(Exception):
    """The command refers to something that does not exist, or is not allowed. The message is for the user."""


class KeySettings(RegionSettings):
    """The settings of the commands in addition to the database's."""

    api_key_peppers_secret_arn: Annotated[str, Field(min_length=1)]
    api_key_mode: KeyMode = KeyMode.TEST


@dataclass(frozen=True)
class Merchants:
    """Creates and changes merchants and their keys; ``connection`` has the rights of housekeeping."""

    connection: Connection
    peppers: Peppers
    mode: KeyMode

    def make(self, name: str) -> Merchant:
        """Create a merchant.

        Raises:
            Refused: the name is taken or invalid.
        """
        new = Merchant(new_id(datetime.now(UTC)), name)
        try:
            create_merchant(self.connection, new)
        except psycopg.errors.UniqueViolation:
            raise Refused("there is a merchant of this name") from None
        except psycopg.errors.CheckViolation:
            raise Refused("the name of a merchant has small letters, digits and hyphens, at most 63") from None
        return new

    def named(self, name: str) -> Merchant:
        """The merchant with a name.

        Raises:
            Refused: there is none.
        """
        for merchant in list_merchants(self.connection):
            if merchant.name == name:
                return merchant
        raise Refused("there is no merchant of this name")

    def create_key(
        self, merchant_id: UUID, scopes: Sequence[Scope], expires_at: datetime | None = None
    ) -> tuple[Credential, ApiKey]:
        """Create a key of a merchant. The key itself is stored nowhere.

        Raises:
            payments.api_keys.PeppersInvalid, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: the
                peppers could not be read.
        """
        pepper, value = self.peppers.current()
        key, now = ApiKey.make(self.mode), datetime.now(UTC)
        credential = Credential(
            id=new_id(now),
            merchant_id=merchant_id,
            kind=API_KEY,
            identifier=key.id,
            secret_hash=key.hashed(value),
            pepper=pepper,
            scopes=[scope.value for scope in scopes],
            not_before=now,
            expires_at=expires_at,
            revoked_at=None,
            last_used_at=None,
        )
        create_credential(self.connection, credential)
        return credential, key

    def rotate_key(self, key_id: str, overlap: timedelta) -> tuple[Credential, ApiKey]:
        """Create a key that replaces another one, which expires at the end of the overlap.

        Raises:
            Refused: there is no such key, or it has expired or been revoked.
        """
        before, now = self.key(key_id), datetime.now(UTC)
        if not before.is_valid(now):
            raise Refused("the key is not valid any more; create another one")
        lifetime = before.expires_at - before.not_before if before.expires_at else None
        with self.connection.transaction():
            made = self.create_key(
                before.merchant_id, [Scope(one) for one in before.scopes], now + lifetime if lifetime else None
            )
            end_credential(self.connection, before.id, now + overlap)
        return made

    def revoke_key(self, key_id: str) -> None:
        """Revoke a key: each process rejects it once its cached entry has expired.

        Raises:
            Refused: there is no such key.
        """
        revoke_credential(self.connection, self.key(key_id).id)

    def add_certificate(self, merchant_id: UUID, fingerprint: str, expires_at: datetime | None = None) -> Credential:
        """Let a merchant's keys be used with a client certificate.

        Raises:
            Refused: the certificate is known already, of this or another merchant.
        """
        now = datetime.now(UTC)
        credential = Credential(
            id=new_id(now),
            merchant_id=merchant_id,
            kind=CERTIFICATE,
            identifier=fingerprint,
            secret_hash=None,
            pepper=None,
            scopes=[scope.value for scope in Scope],  # the key's decide
            not_before=now,
            expires_at=expires_at,
            revoked_at=None,
            last_used_at=None,
        )
        try:
            create_credential(self.connection, credential)
        except psycopg.errors.UniqueViolation:
            raise Refused("this certificate is known already") from None
        return credential

    def revoke_certificate(self, fingerprint: str) -> None:
        """Revoke a certificate: each process rejects it once its cached entry has expired.

        Raises:
            Refused: there is no such certificate.
        """
        revoke_credential(self.connection, self.certificate(fingerprint).id)

    def key(self, key_id: str) -> Credential:
        """The key with an id.

        Raises:
            Refused: there is none.
        """
        return self._credential(API_KEY, key_id, "there is no key with this id")

    def certificate(self, fingerprint: str) -> Credential:
        """The certificate with a fingerprint.

        Raises:
            Refused: there is none.
        """
        return self._credential(CERTIFICATE, fingerprint, "there is no certificate with this fingerprint")

    def _credential(self, kind: str, identifier: str, otherwise: str) -> Credential:
        for merchant in list_merchants(self.connection):
            for credential in list_credentials(self.connection, merchant.id):
                if (credential.kind, credential.identifier) == (kind, identifier):
                    return credential
        raise Refused(otherwise)


def run(arguments: Sequence[str]) -> int:
    """Run a command; see the module."""
    given = _parser().parse_args(arguments)
    settings = read(KeySettings)
    peppers = Peppers(settings.api_key_peppers_secret_arn, region=settings.aws_region)
    database = read(DatabaseSettings).database(settings.aws_region, application="merchants", role=HOUSEKEEPING)
    with closing(database.connect()) as connection:
        for line in given.do(Merchants(connection, peppers, settings.api_key_mode), given):
            print(json.dumps(line, default=str))
    return 0


def _positive(text: str) -> float:
    """A number above 0, for argparse."""
    with suppress(ValueError):
        if 0 < (value := float(text)) < float("inf"):
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")


Lines = list[dict[str, Any]]


def _make(merchants: Merchants, given: argparse.Namespace) -> Lines:
    return [_of_merchant(merchants.make(given.name))]


def _list(merchants: Merchants, _given: argparse.Namespace) -> Lines:
    return [_of_merchant(one) for one in list_merchants(merchants.connection)]


def _create(merchants: Merchants, given: argparse.Namespace) -> Lines:
    expires_at = datetime.now(UTC) + timedelta(days=given.days) if given.days is not None else None
    credential, key = merchants.create_key(merchants.named(given.name).id, given.scopes, expires_at)
    return [{"key": key.text, **_of_key(credential)}]


def _list_keys(merchants: Merchants, given: argparse.Namespace) -> Lines:
    found = list_credentials(merchants.connection, merchants.named(given.name).id)
    return [_of_key(one) for one in found if one.kind == API_KEY]


def _rotate(merchants: Merchants, given: argparse.Namespace) -> Lines:
    credential, key = merchants.rotate_key(given.id, timedelta(hours=given.overlap_hours))
    return [{"key": key.text, **_of_key(credential)}, _of_key(merchants.key(given.id))]


def _revoke(merchants: Merchants, given: argparse.Namespace) -> Lines:
    merchants.revoke_key(given.id)
    return [_of_key(merchants.key(given.id))]


def _add_certificate(merchants: Merchants, given: argparse.Namespace) -> Lines:
    expires_at = datetime.now(UTC) + timedelta(days=given.days) if given.days is not None else None
    merchant = merchants.named(given.name)
    return [_of_certificate(merchants.add_certificate(merchant.id, given.fingerprint, expires_at))]


def _list_certificates(merchants: Merchants, given: argparse.Namespace) -> Lines:
    found = list_credentials(merchants.connection, merchants.named(given.name).id)
    return [_of_certificate(one) for one in found if one.kind == CERTIFICATE]


def _revoke_certificate(merchants: Merchants, given: argparse.Namespace) -> Lines:
    merchants.revoke_certificate(given.fingerprint)
    return [_of_certificate(merchants.certificate(given.fingerprint))]


def _of_certificate(credential: Credential) -> dict[str, Any]:
    shown = _of_key(credential)
    return {"fingerprint": shown.pop("id"), **{name: shown[name] for name in shown if name not in {"scopes", "pepper"}}}


def _of_merchant(merchant: Merchant) -> dict[str, Any]:
    return {"name": merchant.name, "merchant_id": merchant.id}


def _of_key(credential: Credential) -> dict[str, Any]:
    return {
        "id": credential.identifier,
        "merchant_id": credential.merchant_id,
        "scopes": credential.scopes,
        "not_before": credential.not_before,
        "expires_at": credential.expires_at,
        "revoked_at": credential.revoked_at,
        "last_used_at": credential.last_used_at,
        "pepper": credential.pepper,
    }


def _scopes(text: str) -> list[Scope]:
    try:
        return [Scope(one) for one in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"are among {', '.join(Scope)}") from None


def _fingerprint(text: str) -> str:
    if found := parse_fingerprint(text):
        return found
    raise argparse.ArgumentTypeError("is 64 hexadecimal digits, with or without colons")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="payments merchants", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    _command(commands, "make", _make).add_argument("name")
    _command(commands, "list", _list)
    keys = commands.add_parser("keys").add_subparsers(required=True)
    create = _command(keys, "create", _create)
    create.add_argument("name")
    create.add_argument("--scopes", type=_scopes, required=True)
    create.add_argument("--days", type=_positive, help="until it expires; without it, never")
    _command(keys, "list", _list_keys).add_argument("name")
    rotate = _command(keys, "rotate", _rotate)
    rotate.add_argument("id")
    rotate.add_argument("--overlap-hours", type=_positive, default=OVERLAP_HOURS)
    _command(keys, "revoke", _revoke).add_argument("id")
    certificates = commands.add_parser("certificates").add_subparsers(required=True)
    add = _command(certificates, "add", _add_certificate)
    add.add_argument("name")
    add.add_argument("fingerprint", type=_fingerprint)
    add.add_argument("--days", type=_positive, help="until it expires; without it, never")
    _command(certificates, "list", _list_certificates).add_argument("name")
    _command(certificates, "revoke", _revoke_certificate).add_argument("fingerprint", type=_fingerprint)
    return parser


def _command(commands: Any, name: str, do: Callable[..., Lines]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name)
    parser.set_defaults(do=do)
    return parser
