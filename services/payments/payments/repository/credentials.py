"""Merchants and their credentials. Neither is ever deleted: a credential is revoked or expires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.repository.records import Connection

COLUMNS = (
    "id, merchant_id, kind, identifier, secret_hash, pepper, scopes, not_before, expires_at, revoked_at, last_used_at"
)
API_KEY = "api_key"
"""The kind of a credential by API key; its identifier is the key's id."""
OAUTH_CLIENT = "oauth_client"
"""The kind of a client of the OAuth 2.0 issuer; its identifier is the client's id there."""
CERTIFICATE = "certificate"
"""The kind of a client certificate that a merchant's keys may be used with; its identifier is the fingerprint."""


@dataclass(frozen=True)
class Merchant:
    """A stored merchant."""

    id: UUID
    name: str


@dataclass(frozen=True)
class Credential:
    """A stored credential of a merchant."""

    id: UUID
    merchant_id: UUID
    kind: str
    identifier: str
    secret_hash: bytes | None = field(repr=False)
    pepper: str | None
    """The name of the pepper of the hash."""
    scopes: Sequence[str]
    not_before: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def is_valid(self, at: datetime) -> bool:
        """Whether it is valid at a time: its validity has begun, and it is neither expired nor revoked."""
        ends = [one for one in (self.expires_at, self.revoked_at) if one]
        return self.not_before <= at and all(at < end for end in ends)


def find_credential(connection: Connection, kind: str, identifier: str) -> Credential | None:
    """The credential with an identifier, of any merchant; None where there is none."""
    query = f"SELECT {COLUMNS} FROM payments.credential_of(%s, %s)"  # noqa: S608 - constants
    row = connection.execute(query, (kind, identifier)).fetchone()
    return Credential(*row) if row else None


def note_use(connection: Connection, credential_id: UUID) -> None:
    """Record the use of a credential; written at most every five minutes."""
    connection.execute("SELECT payments.credential_used(%s)", (credential_id,))


def create_merchant(connection: Connection, merchant: Merchant) -> None:
    """Store a merchant.

    Raises:
        psycopg.errors.UniqueViolation: the name is taken.
        psycopg.errors.CheckViolation: the name is not 1 to 63 lower-case letters, digits and hyphens, or starts with a
            hyphen.
    """
    connection.execute("INSERT INTO payments.merchants (id, name) VALUES (%s, %s)", (merchant.id, merchant.name))


def list_merchants(connection: Connection) -> list[Merchant]:
    """All merchants, by name."""
    return [Merchant(*row) for row in connection.execute("SELECT id, name FROM payments.merchants ORDER BY name")]


def create_credential(connection: Connection, new: Credential) -> None:
    """Store a credential."""
    values: tuple[Any, ...] = (
        *(new.id, new.merchant_id, new.kind, new.identifier, new.secret_hash, new.pepper, list(new.scopes)),
        *(new.not_before, new.expires_at),
    )
    connection.execute(
        """
        INSERT INTO payments.credentials
            (id, merchant_id, kind, identifier, secret_hash, pepper, scopes, not_before, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        values,
    )


def list_credentials(connection: Connection, merchant_id: UUID) -> list[Credential]:
    """All credentials of a merchant, oldest first, including expired and revoked ones."""
    query = f"SELECT {COLUMNS} FROM payments.credentials WHERE merchant_id = %s ORDER BY id"  # noqa: S608 - constants
    return [Credential(*row) for row in connection.execute(query, (merchant_id,))]


def end_credential(connection: Connection, credential_id: UUID, at: datetime) -> None:
    """Set a credential to expire at a time, unless it expires earlier."""
    connection.execute(
        "UPDATE payments.credentials SET expires_at = least(expires_at, %s) WHERE id = %s", (at, credential_id)
    )


def revoke_credential(connection: Connection, credential_id: UUID) -> None:
    """Revoke a credential now, unless it was revoked before."""
    connection.execute(
        "UPDATE payments.credentials SET revoked_at = coalesce(revoked_at, now()) WHERE id = %s", (credential_id,)
    )
