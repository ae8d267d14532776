"""The HTTP client of an acquirer.

    POST {base_url}/v1/operations        Idempotency-Key: the operation's key
        {"kind", "amount", "currency", "token" or "reference"}
    GET  {base_url}/v1/operations/{key}

Both respond 200 with {"key", "kind", "amount", "currency", "status": "approved" or "declined", "reference" or
"reason"}; GET responds 404 with {"key", "status": "not_found"} where the acquirer has no record of the key. Any other
404 is a gateway's, a proxy's or a wrong address's, and says nothing of the operation.

Retries within a call. A request that did not leave this machine, or that got a 503, or a 401 or 403 with a credential
that was replaced since, was not performed: it is sent again after a pause. A 429 and an open circuit are left to the
caller, who slows down. After any other end without a valid response (a timeout, a broken connection, another 5xx) the
operation may have been performed: it is looked up by its key. It is sent again only where the acquirer ended the
request itself and has no record of the key. Otherwise the outcome is unknown, and the caller looks it up later. A call
makes few attempts: longer retries are the queue's, which outlives this process.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Annotated, Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from payments.acquirer.breaker import BreakerSettings, CircuitBreaker, CircuitOpen
from payments.acquirer.credential import Credential
from payments.acquirer.port import (
    AcquirerRequest,
    Approved,
    Decision,
    Declined,
    LookUpResult,
    NotFound,
    NotPerformed,
    Outcome,
    Unknown,
    Unserved,
)

logging.getLogger("httpx").setLevel(logging.WARNING)  # below that it logs each request

NOT_STARTED: dict[int, Unserved] = {
    HTTPStatus.TOO_MANY_REQUESTS: Unserved.THROTTLED,
    HTTPStatus.SERVICE_UNAVAILABLE: Unserved.FAILED,
    HTTPStatus.UNAUTHORIZED: Unserved.CREDENTIAL_REJECTED,
    HTTPStatus.FORBIDDEN: Unserved.CREDENTIAL_REJECTED,
}
"""Statuses of requests that were not performed, as the acquirer serves nobody, or not us."""
LEFT_TO_THE_CALLER = {Unserved.THROTTLED, Unserved.SUSPENDED}
"""Waits that are longer than a call."""
UNDECIDED = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT}
"""A request with this key may still be running."""
CREDENTIAL_REJECTED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
MAX_RESPONSE_BYTES = 2**16
MAX_REASON_LENGTH = 64  # characters, as in the database
REFERENCE = re.compile(r"[\x21-\x7e]{1,128}")
"""What the database, its drivers and a file can hold; an acquirer's own names are shorter."""
UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
MAX_CAUSE_LENGTH = 128
MAX_RETRY_AFTER_SECONDS = 3600.0


class AcquirerSettings(BaseSettings):
    """The acquirer's address and our timeouts. Variables begin with ACQUIRER_, such as ACQUIRER_BASE_URL."""

    model_config = SettingsConfigDict(env_prefix="acquirer_", frozen=True, hide_input_in_errors=True)

    base_url: Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]
    """Such as https://acquirer.example.com."""
    connect_seconds: Annotated[float, Field(gt=0, le=30)] = 2.0
    """Timeout of a connection, TLS included, and of the wait for a free one."""
    read_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    """Timeout of a whole response."""
    total_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0
    """Timeout of a call, with all its attempts, pauses and look-ups."""
    tries: Annotated[int, Field(ge=1, le=10)] = 3
    """Attempts of a call."""
    first_pause_seconds: Annotated[float, Field(gt=0, le=10)] = 0.2
    """Pause before the second attempt, with jitter; each further pause is twice as long."""
    max_connections: Annotated[int, Field(ge=1, le=1000)] = 100
    """Connections that are open at the same time."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """The acquirer ended the request without a decision: a look-up tells whether it was performed."""

    cause: str
    unserved: Unserved | None = Unserved.FAILED


_Exchanged = Decision | NotFound | NotPerformed | Unknown | _Ended


class _ResponseTooLarge(Exception):
    """No acquirer sends a response of this size."""


class HttpAcquirer:
    """The adapter for the port; one for each process, whose calls share its connections and its circuit breaker."""

    def __init__(
        self,
        settings: AcquirerSettings,
        *,
        breaker: CircuitBreaker | None = None,
        credential: Credential | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``jitter`` returns a number from 0 to 1, by which pauses differ."""
        self._settings = settings
        self._breaker = breaker or CircuitBreaker(BreakerSettings())
        self._credential = credential
        self._jitter = jitter
        self._client = httpx.AsyncClient(
            base_url=settings.base_url.rstrip("/"),
            timeout=httpx.Timeout(
                settings.read_seconds, connect=settings.connect_seconds, pool=settings.connect_seconds
            ),
            limits=httpx.Limits(max_connections=settings.max_connections, keepalive_expiry=15.0),
            transport=transport,
            trust_env=False,  # a proxy in the environment is for something else
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def open_for_seconds(self) -> float:
        """See the port."""
        return self._breaker.open_for_seconds()

    async def perform(self, request: AcquirerRequest, seconds: float) -> Outcome:
        """See the port."""
        deadline = time.monotonic() + min(seconds, self._settings.total_seconds)
        body = _body(request)
        outcome: Outcome = NotPerformed("no time left", unserved=Unserved.SUSPENDED)
        for attempt in range(1, self._settings.tries + 1):
            if time.monotonic() >= deadline:
                return outcome
            outcome = await self._attempt(request, body, deadline)
            if not isinstance(outcome, NotPerformed) or attempt == self._settings.tries:
                return outcome
            if outcome.unserved in LEFT_TO_THE_CALLER:
                return outcome
            pause = max(outcome.retry_after_seconds, self._pause(attempt))
            if time.monotonic() + pause >= deadline:
                return outcome
            await asyncio.sleep(pause)
        return outcome

    async def look_up(self, request: AcquirerRequest, seconds: float) -> LookUpResult:
        """See the port."""
        deadline = time.monotonic() + min(seconds, self._settings.total_seconds)
        result: LookUpResult = Unknown("no time left", Unserved.SUSPENDED)
        for attempt in range(1, self._settings.tries + 1):
            exchanged = await self._exchange("GET", f"/v1/operations/{request.key}", None, request, deadline)
            if isinstance(exchanged, Decision | NotFound):
                return exchanged
            result = Unknown(f"look-up: {exchanged.cause}"[:MAX_CAUSE_LENGTH], exchanged.unserved)
            if exchanged.unserved in LEFT_TO_THE_CALLER:
                break
            retry_after = exchanged.retry_after_seconds if isinstance(exchanged, NotPerformed) else 0.0
            pause = max(retry_after, self._pause(attempt))
            if attempt == self._settings.tries or time.monotonic() + pause >= deadline:
                break
            await asyncio.sleep(pause)
        return result

    async def _attempt(self, request: AcquirerRequest, body: dict[str, Any], deadline: float) -> Outcome:
        """Send the request once; where the response leaves the outcome open, look it up."""
        exchanged = await self._exchange("POST", "/v1/operations", body, request, deadline)
        if isinstance(exchanged, Decision | NotPerformed):
            return exchanged
        result = await self.look_up(request, max(0.0, deadline - time.monotonic()))
        if isinstance(result, Decision):
            return result
        if isinstance(exchanged, NotFound):
            return Unknown("status 404")
        if isinstance(result, NotFound) and isinstance(exchanged, _Ended):
            return NotPerformed(exchanged.cause, unserved=exchanged.unserved)
        return Unknown(exchanged.cause, exchanged.unserved)  # it may still be running, or the look-up failed, too

    def _pause(self, attempt: int) -> float:
        return self._settings.first_pause_seconds * (1 << (attempt - 1)) * (0.5 + 0.5 * self._jitter())

    async def _exchange(
        self, method: str, path: str, body: dict[str, Any] | None, request: AcquirerRequest, deadline: float
    ) -> _Exchanged:
        """Send one HTTP request and interpret its response, within the deadline."""
        seconds = min(self._settings.read_seconds, deadline - time.monotonic())
        if seconds <= 0:
            return NotPerformed("no time left", unserved=Unserved.SUSPENDED)
        try:
            with self._breaker.call() as call:
                call.succeeded = False
                try:
                    async with asyncio.timeout(seconds):
                        status, headers, content = await self._send(method, path, body, request)
                    exchanged = _interpreted(status, headers, content, request)
                    call.succeeded = isinstance(exchanged, Decision | NotFound) or exchanged.unserved is None
                except asyncio.CancelledError:
                    call.succeeded = None
                    raise
        except CircuitOpen as circuit:
            return NotPerformed("circuit open", circuit.seconds, Unserved.SUSPENDED)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, BotoCoreError, ClientError) as error:
            return NotPerformed(type(error).__name__, unserved=Unserved.FAILED)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError, _ResponseTooLarge) as error:
            return Unknown(type(error).__name__.lstrip("_"), Unserved.FAILED)
        return exchanged

    async def _send(
        self, method: str, path: str, body: dict[str, Any] | None, request: AcquirerRequest
    ) -> tuple[int, httpx.Headers, bytes]:
        headers = {"Idempotency-Key": str(request.key), "Accept": "application/json"}
        if self._credential:
            headers["Authorization"] = await self._credential.header()
        async with self._client.stream(method, path, json=body, headers=headers) as response:
            content = bytearray()
            async for part in response.aiter_bytes():
                content += part
                if len(content) > MAX_RESPONSE_BYTES:
                    raise _ResponseTooLarge
        if self._credential and response.status_code in CREDENTIAL_REJECTED:
            self._credential.rejected(headers["Authorization"])
        return response.status_code, response.headers, bytes(content)


def _body(request: AcquirerRequest) -> dict[str, Any]:
    body: dict[str, Any] = {"kind": request.kind.value, "amount": request.amount, "currency": request.currency}
    if request.token is not None:
        body["token"] = request.token
    if request.reference is not None:
        body["reference"] = request.reference
    return body


def _interpreted(status: int, headers: httpx.Headers, content: bytes, request: AcquirerRequest) -> _Exchanged:
    """What an HTTP response means for the operation."""
    if status == HTTPStatus.OK:
        return _decision(content, request)
    if unserved := NOT_STARTED.get(status):
        return NotPerformed(f"status {status}", _retry_after(headers), unserved)
    if status == HTTPStatus.NOT_FOUND:
        return NotFound() if _says_not_found(content, request) else Unknown("status 404", Unserved.FAILED)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in UNDECIDED:
        return NotPerformed(f"status {status}")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _Ended(f"status {status}")
    return Unknown(f"status {status}")


def _says_not_found(content: bytes, request: AcquirerRequest) -> bool:
    """Whether a response says that the acquirer has no record of this key."""
    try:
        values = json.loads(content)
        return (values["key"], values["status"]) == (str(request.key), "not_found")
    except (ValueError, TypeError, KeyError):
        return False


def _decision(content: bytes, request: AcquirerRequest) -> Decision | Unknown:
    """The decision in a response's body, if it is on this operation."""
    try:
        values = json.loads(content)
        subject = (values["key"], values["kind"], values["amount"], values["currency"])
        status, reference, reason = values["status"], values.get("reference"), values.get("reason")
    except (ValueError, TypeError, KeyError, AttributeError):
        return Unknown("invalid response")
    if subject != (str(request.key), request.kind.value, request.amount, request.currency):
        return Unknown("response for another operation")
    if status == "approved" and isinstance(reference, str) and REFERENCE.fullmatch(reference):
        return Approved(reference)
    if status == "declined" and isinstance(reason, str) and reason:
        return Declined(UNPRINTABLE.sub("?", reason)[:MAX_REASON_LENGTH])
    return Unknown("invalid response")


def _retry_after(headers: httpx.Headers) -> float:
    """Seconds of the header Retry-After (RFC 9110, 10.2.3: seconds or a date); 0 without a valid one."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return min(float(text), MAX_RETRY_AFTER_SECONDS)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(0.0, (aware - datetime.now(UTC)).total_seconds()), MAX_RETRY_AFTER_SECONDS)
