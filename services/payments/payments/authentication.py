"""Authentication of requests: the merchant and the scopes of a request's credential.

A credential is looked up in the database and cached for a while, so that most requests need no query; so are unknown
identifiers. A revocation takes effect when the cache entry expires.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from payments import certificates, logs
from payments.api_keys import ApiKey, KeyMode, Peppers, PeppersInvalid
from payments.certificates import ClientCertificates
from payments.limiter import ConcurrencyLimiter
from payments.problems import ApiError
from payments.repository import Requester
from payments.repository.credentials import API_KEY, CERTIFICATE, Credential, find_credential, note_use

MAX_KEPT = 10_000
"""Maximum size of a process's cache: credentials and unknown identifiers."""


class Scope(StrEnum):
    """A permission of a credential."""

    PAYMENTS_READ = "payments:read"
    PAYMENTS_WRITE = "payments:write"
    REFUNDS_WRITE = "refunds:write"
    EVENTS_MANAGE = "events:manage"
    MERCHANTS_ADMIN = "merchants:admin"


@dataclass(frozen=True)
class Caller:
    """An authenticated caller."""

    requester: Requester
    scopes: frozenset[str]

    @property
    def merchant_id(self) -> UUID:
        """The merchant of the credential, whose rows it may see."""
        return self.requester.merchant_id


class Unauthenticated(ApiError):
    """The credential is missing or invalid; the response tells nothing but which of the two."""

    def __init__(self, *, shown: bool) -> None:
        """``shown`` tells whether the request had a credential. https://www.rfc-editor.org/rfc/rfc6750#section-3."""
        detail = "The credential is not valid." if shown else "Send a credential: Authorization: Bearer KEY."
        challenge = 'Bearer realm="payments"' + (', error="invalid_token"' if shown else "")
        super().__init__("unauthenticated", HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})


class Forbidden(ApiError):
    """The credential is valid and lacks the scope that the route requires."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(
            "insufficient-scope",
            HTTPStatus.FORBIDDEN,
            f"The credential needs the scope {scope}.",
            headers={"WWW-Authenticate": f'Bearer realm="payments", error="insufficient_scope", scope="{scope}"'},
        )


_Name = tuple[str, str]
"""Kind and identifier of a credential."""


@dataclass
class _Kept:
    credential: Credential | None
    until: float
    is_noted: bool = False  # that it is in use


class Authenticator:
    """Authenticates the requests of a process; its methods are for the event loop."""

    def __init__(
        self,
        limiter: ConcurrencyLimiter,
        peppers: Peppers,
        *,
        mode: KeyMode,
        keep_seconds: float,
        client_certificates: ClientCertificates = ClientCertificates.IGNORED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keys of another ``mode`` are invalid here; look-ups are cached for ``keep_seconds``."""
        self.peppers = peppers
        self._limiter = limiter
        self._mode = mode
        self._keep_seconds = keep_seconds
        self._client_certificates = client_certificates
        self._clock = clock
        self._kept: dict[_Name, _Kept] = {}
        self._lookups: dict[_Name, asyncio.Task[Credential | None]] = {}

    async def authenticate(self, authorization: str | None, shown: Sequence[str] = ()) -> Caller:
        """The caller of a request, by the value of its Authorization header.

        Args:
            authorization: the header's value, if there is one.
            shown: the values of the header with the client's certificate (:mod:`payments.certificates`).

        Raises:
            Unauthenticated: the credential is missing or invalid, or the certificate is not its merchant's.
            payments.problems.Overloaded: the database has no capacity to look it up.
            psycopg.Error: the database failed.
        """
        scheme, _, text = (authorization or "").partition(" ")
        if not authorization:
            raise Unauthenticated(shown=False)
        key = ApiKey.parse(text.strip()) if scheme.lower() == "bearer" else None
        if key is None or key.mode is not self._mode:
            raise Unauthenticated(shown=True)
        credential = await self._find((API_KEY, key.id))
        if credential is None or not await self._matches(key, credential):
            raise Unauthenticated(shown=True)
        if not credential.is_valid(datetime.now(UTC)):
            raise Unauthenticated(shown=True)
        scopes = frozenset(credential.scopes) & await self._scopes_of_certificate(shown, credential)
        await self._note_use((API_KEY, key.id), credential.id)
        return Caller(Requester(credential.merchant_id, credential.id), scopes)

    async def _scopes_of_certificate(self, shown: Sequence[str], key: Credential) -> frozenset[str]:
        """What the shown certificate may be used for, which must be of the key's merchant."""
        if self._client_certificates is ClientCertificates.IGNORED:
            return frozenset(key.scopes)
        fingerprint = certificates.shown(shown)
        found = await self._find((CERTIFICATE, fingerprint)) if fingerprint else None
        if found is None or found.merchant_id != key.merchant_id or not found.is_valid(datetime.now(UTC)):
            raise Unauthenticated(shown=True)
        await self._note_use((CERTIFICATE, found.identifier), found.id)
        return frozenset(found.scopes)

    async def _matches(self, key: ApiKey, credential: Credential) -> bool:
        name = credential.pepper or ""
        try:
            pepper = self.peppers.known(name) or await asyncio.to_thread(self.peppers.get, name)
        except (BotoCoreError, ClientError, PeppersInvalid) as error:
            logs.error("peppers not read", error)
            pepper = None
        if pepper is None:
            raise ApiError(
                "authentication-unavailable",
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The credential cannot be verified now; retry with the same Idempotency-Key.",
                headers={"Retry-After": "1"},
            )
        return hmac.compare_digest(key.hashed(pepper), credential.secret_hash or b"")

    async def _note_use(self, name: _Name, credential_id: UUID) -> None:
        """Of a caller that has proved to be the credential's, once for each look-up."""
        kept = self._kept.get(name)
        if kept and not kept.is_noted:
            kept.is_noted = True
            await self._limiter.run(note_use, credential_id)

    async def _find(self, name: _Name) -> Credential | None:
        kept = self._kept.get(name)
        if kept and self._clock() < kept.until:
            return kept.credential
        lookup = self._lookups.get(name)
        if lookup is None:  # one look-up for all requests that wait for it
            lookup = asyncio.create_task(self._look_up(name))
            self._lookups[name] = lookup
            lookup.add_done_callback(lambda _: self._lookups.pop(name, None))
        return await asyncio.shield(lookup)

    async def _look_up(self, name: _Name) -> Credential | None:
        until = self._clock() + self._keep_seconds
        found = await self._limiter.run(find_credential, *name)
        self._kept.pop(name, None)  # the newest is the last
        while len(self._kept) >= MAX_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[name] = _Kept(found, until)
        return found
