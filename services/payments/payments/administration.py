"""`python -m payments merchants`: merchants and their API keys, for those who run the service.

    merchants make NAME
    merchants list
    merchants keys create NAME --scopes payments:read,payments:write [--days 365]
    merchants keys list NAME
    merchants keys rotate ID [--overlap-hours 168]
    merchants keys revoke ID
    merchants clients add NAME CLIENT_ID --scopes payments:read [--days 365]
    merchants clients list NAME
    merchants clients revoke CLIENT_ID
    merchants certificates add NAME FINGERPRINT [--days 365]
    merchants certificates list NAME
    merchants certificates revoke FINGERPRINT

Each prints a line of JSON for each thing that it made or found. A key is in what `create` and `rotate` print, and
nowhere else: it cannot be shown again. A rotation makes a key with the same scopes and the same time to live, and lets
the one before expire when the overlap is over; ID is what a key is named by, the part between its underscores.

CLIENT_ID is that of a client of the OAuth 2.0 issuer (:mod:`payments.tokens`): its access tokens are the merchant's,
with those scopes that both grant.

Where client certificates are required, a merchant's keys are valid together with its certificates only. FINGERPRINT is
SHA-256, as `openssl x509 -noout -fingerprint -sha256` prints it. A merchant that renews its certificate has two for a
while.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from payments.api_keys import KeyMode, Peppers
from payments.certificates import parse_fingerprint
from payments.merchants import Merchants
from payments.repository.credentials import (
    API_KEY,
    CERTIFICATE,
    OAUTH_CLIENT,
    Credential,
    Merchant,
    list_credentials,
    list_merchants,
)
from payments.roles import ADMINISTRATION
from payments.scopes import Scope
from payments.settings import DatabaseSettings, RegionSettings, read

OVERLAP_HOURS = 168.0


class KeySettings(RegionSettings):
    """The settings of the commands in addition to the database's."""

    api_key_peppers_secret_arn: Annotated[str, Field(min_length=1)]
    api_key_mode: KeyMode = KeyMode.TEST


Lines = list[dict[str, Any]]


def text_of(most: int) -> Callable[[str], str]:
    """The type of an argument that is a text of 1 to ``most`` characters."""

    def checked(text: str) -> str:
        if text.strip() and len(text) <= most:
            return text
        raise argparse.ArgumentTypeError(f"has 1 to {most} characters")

    return checked


def run(arguments: Sequence[str]) -> int:
    """Run a command, and print what it made or found; see the module."""
    for line in perform(arguments):
        print(json.dumps(line, default=str))
    return 0


def perform(arguments: Sequence[str]) -> Lines:
    """Run a command; returns what it made or found.

    Raises:
        SystemExit: the arguments are wrong, as the standard error says.
        Refused: see its class.
        payments.settings.Misconfigured, psycopg.Error, payments.api_keys.PeppersInvalid: it could not be run.
    """
    given = _parser().parse_args(arguments)
    settings = read(KeySettings)
    peppers = Peppers(settings.api_key_peppers_secret_arn, region=settings.aws_region)
    database = read(DatabaseSettings).database(settings.aws_region, application="merchants", role=ADMINISTRATION)
    with closing(database.connect()) as connection:
        lines: Lines = given.do(Merchants(connection, peppers, settings.api_key_mode), given)
    return lines


def _positive(text: str) -> float:
    """A number above 0, for argparse."""
    with suppress(ValueError):
        if 0 < (value := float(text)) < float("inf"):
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")


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


def _add_client(merchants: Merchants, given: argparse.Namespace) -> Lines:
    expires_at = datetime.now(UTC) + timedelta(days=given.days) if given.days is not None else None
    merchant = merchants.named(given.name)
    return [_of_client(merchants.add_client(merchant.id, given.client_id, given.scopes, expires_at))]


def _list_clients(merchants: Merchants, given: argparse.Namespace) -> Lines:
    found = list_credentials(merchants.connection, merchants.named(given.name).id)
    return [_of_client(one) for one in found if one.kind == OAUTH_CLIENT]


def _revoke_client(merchants: Merchants, given: argparse.Namespace) -> Lines:
    merchants.revoke_client(given.client_id)
    return [_of_client(merchants.client(given.client_id))]


def _of_client(credential: Credential) -> dict[str, Any]:
    shown = _of_key(credential)
    return {"client_id": shown.pop("id"), **{name: shown[name] for name in shown if name != "pepper"}}


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
    clients = commands.add_parser("clients").add_subparsers(required=True)
    add_client = _command(clients, "add", _add_client)
    add_client.add_argument("name")
    add_client.add_argument("client_id")
    add_client.add_argument("--scopes", type=_scopes, required=True)
    add_client.add_argument("--days", type=_positive, help="until it expires; without it, never")
    _command(clients, "list", _list_clients).add_argument("name")
    _command(clients, "revoke", _revoke_client).add_argument("client_id")
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
