"""The HTTP client of an acquirer, whichever API it has (:mod:`payments.acquirer.dialect`).

Retries within a call. A request that did not leave this machine, or that got a 503, or a 401 or 403 with a credential
that was replaced since, was not performed: it is sent again after a pause. A 429 and an open circuit are left to the
caller, who slows down. After any other end without a valid response (a timeout, a broken connection, another 5xx) the
operation may have been performed. Where the acquirer has look-ups, it is looked up, and sent again only where the
acquirer ended the request itself and has no record of it. Where a repeat is performed once only, it is repeated.
Otherwise the outcome is unknown, and the caller looks it up later. A call makes few attempts: longer retries are the
queue's, which outlives this process.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from http import HTTPStatus

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from payments.acquirer.breaker import BreakerSettings, CircuitBreaker, CircuitOpen
from payments.acquirer.credential import Credential
from payments.acquirer.dialect import Dialect, Ended, Exchanged, HttpCall, Plain
from payments.acquirer.port import (
    AcquirerRequest,
    Capabilities,
    Decision,
    LookUp,
    LookUpResult,
    NotFound,
    NotPerformed,
    Outcome,
    Promise,
    Unknown,
    Unserved,
)
from payments.acquirer.settings import AcquirerOptions

logging.getLogger("httpx").setLevel(logging.WARNING)  # below that it logs each request

LEFT_TO_THE_CALLER = {Unserved.THROTTLED, Unserved.SUSPENDED}
"""Waits that are longer than a call."""
CREDENTIAL_REJECTED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
MAX_RESPONSE_BYTES = 2**16
MAX_CAUSE_LENGTH = 128


class _ResponseTooLarge(Exception):
    """No acquirer sends a response of this size."""


class HttpAcquirer:
    """The adapter for the port; one for each process, whose calls share its connections and its circuit breaker."""

    def __init__(
        self,
        settings: AcquirerOptions,
        *,
        dialect: Dialect | None = None,
        breaker: CircuitBreaker | None = None,
        credential: Credential | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``jitter`` returns a number from 0 to 1, by which pauses differ."""
        self._settings = settings
        self._dialect = dialect or Plain(settings.capabilities)
        self.capabilities: Capabilities = self._dialect.capabilities
        self.breaker = breaker or CircuitBreaker(BreakerSettings())
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
        return self.breaker.open_for_seconds()

    def half_open_for_seconds(self) -> float | None:
        """See the port."""
        return self.breaker.half_open_for_seconds()

    async def perform(self, request: AcquirerRequest, seconds: float) -> Outcome:
        """See the port."""
        deadline = time.monotonic() + min(seconds, self._settings.total_seconds)
        outcome: Outcome = NotPerformed("no time left", unserved=Unserved.SUSPENDED)
        open_since: Unknown | None = None
        for attempt in range(1, self._settings.tries + 1):
            if time.monotonic() >= deadline:
                return outcome
            outcome = await self._attempt(request, deadline)
            if isinstance(outcome, NotPerformed) and open_since:
                return open_since  # this attempt was not performed, but one before may have been
            open_since = outcome if isinstance(outcome, Unknown) else None
            if attempt == self._settings.tries or not self._may_retry(outcome):
                return outcome
            pause = max(_retry_after_seconds(outcome), self._pause(attempt))
            if time.monotonic() + pause >= deadline:
                return outcome
            await asyncio.sleep(pause)
        return outcome

    async def look_up(self, request: AcquirerRequest, seconds: float) -> LookUpResult:
        """See the port."""
        if not self.capabilities.can_look_up:
            return Unknown("no look-up", Unserved.SUSPENDED)
        deadline = time.monotonic() + min(seconds, self._settings.total_seconds)
        call = self._dialect.look_up(request)
        result: LookUpResult = Unknown("no time left", Unserved.SUSPENDED)
        for attempt in range(1, self._settings.tries + 1):
            exchanged = await self._exchange(call, request, deadline)
            if isinstance(exchanged, Decision | Promise | NotFound):
                return exchanged
            result = Unknown(f"look-up: {exchanged.cause}"[:MAX_CAUSE_LENGTH], exchanged.unserved)
            if exchanged.unserved in LEFT_TO_THE_CALLER:
                break
            pause = max(_retry_after_seconds(exchanged), self._pause(attempt))
            if attempt == self._settings.tries or time.monotonic() + pause >= deadline:
                break
            await asyncio.sleep(pause)
        return result

    def _may_retry(self, outcome: Outcome) -> bool:
        """Whether another attempt within this call is safe, and of use."""
        if isinstance(outcome, NotPerformed | Unknown) and outcome.unserved in LEFT_TO_THE_CALLER:
            return False
        repeats = isinstance(outcome, Unknown) and self.capabilities.look_up is LookUp.BY_REPEAT
        return repeats or isinstance(outcome, NotPerformed)

    async def _attempt(self, request: AcquirerRequest, deadline: float) -> Outcome:
        """Send the request once; where the response leaves the outcome open, look it up."""
        exchanged = await self._exchange(self._dialect.perform(request), request, deadline)
        if isinstance(exchanged, Decision | Promise | NotPerformed):
            return exchanged
        if isinstance(exchanged, NotFound):
            exchanged = Unknown("status 404")
        if not self.capabilities.can_look_up:
            return Unknown(exchanged.cause, exchanged.unserved)
        result = await self.look_up(request, max(0.0, deadline - time.monotonic()))
        if isinstance(result, Decision | Promise):
            return result
        if isinstance(result, NotFound) and isinstance(exchanged, Ended):
            return NotPerformed(exchanged.cause, unserved=exchanged.unserved)
        return Unknown(exchanged.cause, exchanged.unserved)  # it may still be running, or the look-up failed, too

    def _pause(self, attempt: int) -> float:
        return self._settings.first_pause_seconds * (1 << (attempt - 1)) * (0.5 + 0.5 * self._jitter())

    async def _exchange(self, http: HttpCall, request: AcquirerRequest, deadline: float) -> Exchanged:
        """Send one HTTP request and interpret its response, within the deadline."""
        seconds = min(self._settings.read_seconds, deadline - time.monotonic())
        if seconds <= 0:
            return NotPerformed("no time left", unserved=Unserved.SUSPENDED)
        try:
            with self.breaker.call() as call:
                call.succeeded = False
                try:
                    async with asyncio.timeout(seconds):
                        status, headers, content = await self._send(http)
                    exchanged = self._dialect.interpreted(status, headers, content, request)
                    call.succeeded = _is_served(exchanged)
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

    async def _send(self, http: HttpCall) -> tuple[int, httpx.Headers, bytes]:
        headers = {**http.headers, "Accept": "application/json"}
        credential = await self._credential.header() if self._credential else None
        if credential:
            headers |= self._dialect.authorization(credential)
        async with self._client.stream(http.method, http.path, json=http.body, headers=headers) as response:
            content = bytearray()
            async for part in response.aiter_bytes():
                content += part
                if len(content) > MAX_RESPONSE_BYTES:
                    raise _ResponseTooLarge
        if self._credential and credential and response.status_code in CREDENTIAL_REJECTED:
            self._credential.rejected(credential)
        return response.status_code, response.headers, bytes(content)


def _is_served(exchanged: Exchanged) -> bool:
    return isinstance(exchanged, Decision | Promise | NotFound) or exchanged.unserved is None


def _retry_after_seconds(outcome: Exchanged | Outcome) -> float:
    return outcome.retry_after_seconds if isinstance(outcome, NotPerformed) else 0.0
