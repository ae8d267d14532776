"""Authentication of requests: the merchant and the scopes of a request's credential.

A credential is looked up in the database and cached for a while, so that most requests need no query; so are unknown
identifiers. A revocation takes effect when the cache entry expires. Unknown identifiers are looked up at a bounded rate
for each client address (:class:`payments.quotas.LookupQuotas`).
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from payments import certificates, logs
from payments.api_keys import PREFIX, ApiKey, KeyMode, Peppers, PeppersInvalid
from payments.certificates import ClientCertificates
from payments.limiter import ConcurrencyLimiter
from payments.problems import ApiError
from payments.quotas import LookupQuotas
from payments.repository import Requester
from payments.repository.credentials import API_KEY, CERTIFICATE, OAUTH_CLIENT, Credential, find_credential, note_use
from payments.scopes import Scope
from payments.tokens import KeysUnavailable, TokenInvalid, Tokens

MAX_KEPT = 10_000
"""Maximum size of a process's cache: credentials and unknown identifiers."""


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


def _unavailable() -> ApiError:
    return ApiError(
        "authentication-unavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The credential cannot be verified now; retry with the same Idempotency-Key.",
        headers={"Retry-After": "1"},
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
        tokens: Tokens | None = None,
        lookup_quotas: LookupQuotas | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keys of another ``mode`` are invalid here; look-ups are cached for ``keep_seconds``.

        Without ``tokens`` an access token is no credential; without ``lookup_quotas`` look-ups are not bounded.
        """
        self.peppers = peppers
        self._limiter = limiter
        self._mode = mode
        self._keep_seconds = keep_seconds
        self._client_certificates = client_certificates
        self._tokens = tokens
        self._lookup_quotas = lookup_quotas
        self._clock = clock
        self._kept: dict[_Name, _Kept] = {}
        self._lookups: dict[_Name, asyncio.Task[Credential | None]] = {}

    async def authenticate(self, authorization: str | None, shown: Sequence[str] = (), *, address: str = "") -> Caller:
        """The caller of a request, by the value of its Authorization header.

        Args:
            authorization: the header's value, if there is one.
            shown: the values of the header with the client's certificate (:mod:`payments.certificates`).
            address: the client's.

        Raises:
            Unauthenticated: the credential is missing or invalid, or the certificate is not its merchant's.
            payments.quotas.TooManyRequests: the address has sent too many unknown credentials.
            payments.problems.Overloaded: the database has no capacity to look it up.
            psycopg.Error: the database failed.
        """
        scheme, _, text = (authorization or "").partition(" ")
        if not authorization:
            raise Unauthenticated(shown=False)
        if scheme.lower() != "bearer":
            raise Unauthenticated(shown=True)
        credential, granted = await self._proved(text.strip(), address)
        if not credential.is_valid(datetime.now(UTC)):
            raise Unauthenticated(shown=True)
        scopes = granted & await self._scopes_of_certificate(shown, credential, address)
        await self._note_use((credential.kind, credential.identifier), credential.id)
        return Caller(Requester(credential.merchant_id, credential.id, address or None), scopes)

    async def _proved(self, text: str, address: str) -> tuple[Credential, frozenset[str]]:
        """The credential that a text proves, an API key or an access token, and the scopes that it grants."""
        if self._tokens and not text.startswith(PREFIX):
            return await self._of_token(self._tokens, text, address)
        key = ApiKey.parse(text)
        if key is None or key.mode is not self._mode:
            raise Unauthenticated(shown=True)
        credential = await self._find((API_KEY, key.id), address)
        if credential is None or not await self._matches(key, credential):
            raise Unauthenticated(shown=True)
        return credential, frozenset(credential.scopes)

    async def _of_token(self, tokens: Tokens, text: str, address: str) -> tuple[Credential, frozenset[str]]:
        """The client of an access token, with the scopes that both the token and the database grant."""
        try:
            token = await tokens.verify(text)
        except TokenInvalid as invalid:
            logs.info("access token rejected", reason=str(invalid))
            raise Unauthenticated(shown=True) from None
        except KeysUnavailable:
            raise _unavailable() from None
        credential = await self._find((OAUTH_CLIENT, token.client_id), address)
        if credential is None:
            raise Unauthenticated(shown=True)
        return credential, frozenset(credential.scopes) & token.scopes

    async def _scopes_of_certificate(self, shown: Sequence[str], key: Credential, address: str) -> frozenset[str]:
        """What the shown certificate may be used for, which must be of the key's merchant."""
        if self._client_certificates is ClientCertificates.IGNORED:
            return frozenset(key.scopes)
        fingerprint = certificates.shown(shown)
        found = await self._find((CERTIFICATE, fingerprint), address) if fingerprint else None
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
            raise _unavailable()
        return hmac.compare_digest(key.hashed(pepper), credential.secret_hash or b"")

    async def _note_use(self, name: _Name, credential_id: UUID) -> None:
        """Of a caller that has proved to be the credential's, once for each look-up."""
        kept = self._kept.get(name)
        if kept and not kept.is_noted:
            kept.is_noted = True
            await self._limiter.run(note_use, credential_id)

    async def _find(self, name: _Name, address: str) -> Credential | None:
        kept = self._kept.get(name)
        if kept and self._clock() < kept.until:
            return kept.credential
        lookup = self._lookups.get(name)
        if lookup is None:  # one look-up for all requests that wait for it
            was_known = kept is not None and kept.credential is not None
            give_back = self._lookup_quotas.take(address) if self._lookup_quotas and not was_known else None
            lookup = asyncio.create_task(self._look_up(name, give_back))
            self._lookups[name] = lookup
            lookup.add_done_callback(lambda _: self._lookups.pop(name, None))
        return await asyncio.shield(lookup)

    async def _look_up(self, name: _Name, give_back: Callable[[], None] | None) -> Credential | None:
        until = self._clock() + self._keep_seconds
        found = await self._limiter.run(find_credential, *name)
        if found and give_back:
            give_back()
        self._kept.pop(name, None)  # the newest is the last
        while len(self._kept) >= MAX_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[name] = _Kept(found, until)
        return found
