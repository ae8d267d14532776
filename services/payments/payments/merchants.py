"""Merchants and their credentials: made, rotated and revoked, with the rights of the administration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg

from payments.api_keys import ApiKey, KeyMode, Peppers
from payments.identifiers import new_id
from payments.repository import Connection
from payments.repository.credentials import (
    API_KEY,
    CERTIFICATE,
    OAUTH_CLIENT,
    Credential,
    Merchant,
    create_credential,
    create_merchant,
    end_credential,
    list_credentials,
    list_merchants,
    revoke_credential,
)
from payments.scopes import Scope

NOUNS = {CERTIFICATE: "certificate", OAUTH_CLIENT: "client"}


class Refused(Exception):
    """The command refers to something that does not exist, or is not allowed. The message is for the user."""


@dataclass(frozen=True)
class Merchants:
    """Creates and changes merchants and their keys; ``connection`` has the rights of the administration."""

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
        scopes = list(Scope)  # the key's decide
        return self._add(merchant_id, CERTIFICATE, fingerprint, scopes, expires_at)

    def add_client(
        self, merchant_id: UUID, client_id: str, scopes: Sequence[Scope], expires_at: datetime | None = None
    ) -> Credential:
        """Let access tokens of a client of the issuer be a merchant's credential.

        Raises:
            Refused: the client is known already, of this or another merchant.
        """
        return self._add(merchant_id, OAUTH_CLIENT, client_id, scopes, expires_at)

    def _add(
        self, merchant_id: UUID, kind: str, identifier: str, scopes: Sequence[Scope], expires_at: datetime | None
    ) -> Credential:
        """Store a credential whose secret is somebody else's."""
        now = datetime.now(UTC)
        credential = Credential(
            id=new_id(now),
            merchant_id=merchant_id,
            kind=kind,
            identifier=identifier,
            secret_hash=None,
            pepper=None,
            scopes=[scope.value for scope in scopes],
            not_before=now,
            expires_at=expires_at,
            revoked_at=None,
            last_used_at=None,
        )
        try:
            create_credential(self.connection, credential)
        except psycopg.errors.UniqueViolation:
            raise Refused(f"this {NOUNS[kind]} is known already") from None
        except psycopg.errors.CheckViolation:
            raise Refused(f"the {NOUNS[kind]} needs a name of 1 to 128 characters") from None
        return credential

    def revoke_client(self, client_id: str) -> None:
        """Revoke a client: each process rejects its tokens once its cached entry has expired.

        Raises:
            Refused: there is no such client.
        """
        revoke_credential(self.connection, self.client(client_id).id)

    def client(self, client_id: str) -> Credential:
        """The client with an id.

        Raises:
            Refused: there is none.
        """
        return self._credential(OAUTH_CLIENT, client_id, "there is no client with this id")

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
