"""Access tokens of an OAuth 2.0 issuer, as clients get them by their client credentials (RFC 6749, 4.4; RFC 9068).

The issuer, its keys and the audience are settings. A token is a JWT that one of the issuer's keys has signed by one of
the listed algorithms; those are asymmetric ones alone, so that no public key is ever taken for a secret. Its claims
name this issuer, this audience, a client, and an expiry. Which merchant the client is of, and what it may do at most,
is in the database: a credential of the kind ``oauth_client``. So a client is revoked here, whatever its token says.

The keys are read from the issuer when they are needed first, and again every few minutes, in a thread: requests go on
with the keys that are known. So they do while the issuer does not answer, for as long as the settings say. A token that
names a key that is not known makes them be read once more, but not more often than every few seconds.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from payments import logs

Algorithm = Literal["RS256", "PS256", "ES256", "EdDSA"]
LEEWAY_SECONDS = 30
"""By how much the issuer's clock may differ from this one."""
MAX_TOKEN_BYTES = 4096
MAX_KEYS_BYTES = 150_000
SECONDS_BETWEEN_READS = 10.0
READ_TIMEOUT_SECONDS = 5.0


class TokenInvalid(Exception):
    """The token is not valid. The message says why, for the log: the response does not."""


class KeysUnavailable(Exception):
    """The issuer's keys are not known, or have been known for too long without being read again."""


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """Whose tokens are accepted, and for whom they must be."""

    issuer: str
    jwks_url: str
    audience: str
    algorithms: tuple[Algorithm, ...] = ("RS256", "ES256")
    refresh_seconds: float = 300.0
    """How long keys are used before they are read again."""
    stale_seconds: float = 86_400.0
    """How long keys are used that cannot be read again."""


@dataclass(frozen=True)
class AccessToken:
    """What a valid token says."""

    client_id: str
    scopes: frozenset[str]


def fetch(url: str) -> Any:
    """The JSON at a URL.

    Raises:
        httpx.HTTPError: the issuer does not answer with it.
        ValueError: it is no JSON, or too long.
    """
    answer = httpx.get(url, timeout=READ_TIMEOUT_SECONDS, follow_redirects=False).raise_for_status()
    if len(answer.content) > MAX_KEYS_BYTES:
        raise ValueError("too long")
    return answer.json()


class Tokens:
    """Verifies the tokens of an issuer; its methods are for the event loop."""

    def __init__(
        self,
        issuer: Issuer,
        *,
        read: Callable[[str], Any] = fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``read`` gets the JSON Web Key Set at a URL, in a thread."""
        self._issuer = issuer
        self._read = read
        self._clock = clock
        self._keys: KeySet | None = None
        self._read_at = self._asked_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer.issuer},
            aud={"essential": True, "value": issuer.audience},
            exp={"essential": True},
        )

    async def verify(self, text: str) -> AccessToken:
        """The token in a text.

        Raises:
            TokenInvalid: it is none of this issuer for this audience, or is not valid now.
            KeysUnavailable: there are no keys to verify it with.
        """
        kid = _kid_of(text)
        keys = await self._current(kid)
        try:
            token = jwt.decode(text, keys, algorithms=list(self._issuer.algorithms))
            self._claims.validate(token.claims)
        except (JoseError, ValueError) as error:
            raise TokenInvalid(type(error).__name__) from None
        client = token.claims.get("client_id") or token.claims.get("azp")
        if not isinstance(client, str) or not client:
            raise TokenInvalid("no client_id")
        scope = token.claims.get("scope", "")
        granted = scope.split() if isinstance(scope, str) else scope if isinstance(scope, list) else []
        return AccessToken(client, frozenset(one for one in granted if isinstance(one, str)))

    async def _current(self, kid: str) -> KeySet:
        now = self._clock()
        is_known = self._keys is not None and any(key.kid == kid for key in self._keys)
        is_fresh = now - self._read_at < self._issuer.refresh_seconds
        if not (is_known and is_fresh):
            reading = self._begin_reading(now)
            if reading and not is_known:
                await asyncio.shield(reading)
        if self._keys is None or self._clock() - self._read_at > self._issuer.stale_seconds:
            raise KeysUnavailable
        return self._keys

    def _begin_reading(self, now: float) -> asyncio.Task[None] | None:
        """Read the keys, unless that was tried a moment ago; one reading for all who wait for it."""
        if self._reading is None and now - self._asked_at >= SECONDS_BETWEEN_READS:
            self._asked_at = now
            self._reading = asyncio.create_task(self._renew())
        return self._reading

    async def _renew(self) -> None:
        try:
            read = await asyncio.to_thread(self._read, self._issuer.jwks_url)
            self._keys, self._read_at = _verifying(read), self._clock()
        except (httpx.HTTPError, OSError, JoseError, ValueError, TypeError, AttributeError) as error:
            logs.error("keys of the issuer not read", error)
        finally:
            self._reading = None


def _verifying(read: Any) -> KeySet:
    """The keys of a set that verify signatures; others, secrets among them, are left out."""
    keys = [one for one in read["keys"] if one.get("kty") in {"RSA", "EC", "OKP"} and one.get("use", "sig") == "sig"]
    return KeySet.import_key_set({"keys": [one for one in keys if one.get("kid")]})


def _kid_of(text: str) -> str:
    """The key that a token names in its header."""
    head = text.partition(".")[0]
    try:
        if len(text) > MAX_TOKEN_BYTES or text.count(".") != len(("header", "payload")):
            raise ValueError
        kid = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
    except (ValueError, binascii.Error, KeyError, TypeError):
        raise TokenInvalid("no header with a key's id") from None
    if not isinstance(kid, str):
        raise TokenInvalid("no header with a key's id")
    return kid
