"""An acquirer that is reached by HTTP.

    POST {base_url}/v1/operations        Idempotency-Key: the operation's id
        {"kind", "amount", "currency", "token" or "reference"}
    GET  {base_url}/v1/operations/{key}

Both answer 200 with {"key", "kind", "amount", "currency", "status": "approved" or "declined", "reference" or "reason"},
and the second 404 where the key is not known.

What is asked again, and when: a request that did not leave this machine, or that the acquirer answered with 429 or 503,
was not begun: it is sent again after a pause. Of any other end without a right answer (no answer in time, a connection
that broke, another 5xx) nobody knows what was done: it is looked up by its key. Only when the acquirer has ended the
request itself and its book has nothing is it sent again. Otherwise the outcome is unknown, and whoever asked looks it
up later. Tries in one call are few: what takes longer is the queue's affair, which survives this process.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
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

from payments.acquirer.breaker import Breaker, BreakerSettings, CircuitOpen
from payments.acquirer.credential import Credential
from payments.acquirer.port import Answer, Approved, Declined, Demand, Found, NotDone, NotKnown, Outcome, Unknown

logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log each request

NOT_BEGUN = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
REFUSED_CREDENTIAL = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
LARGEST_ANSWER = 2**16  # bytes
LONGEST_REASON = 64  # characters, as the database keeps them
LONGEST_REFERENCE = 128
LONGEST_RETRY_AFTER_SECONDS = 3600.0


class AcquirerSettings(BaseSettings):
    """Where the acquirer is, and how patient we are. Variables begin with ACQUIRER_, such as ACQUIRER_BASE_URL."""

    model_config = SettingsConfigDict(env_prefix="acquirer_", frozen=True, hide_input_in_errors=True)

    base_url: Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]
    """Such as https://acquirer.example.com."""
    connect_seconds: Annotated[float, Field(gt=0, le=30)] = 2.0
    """For a connection to be made, TLS included, or to become free."""
    read_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    """For the answer to a request, whole."""
    total_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0
    """For all tries, pauses and look-ups of one call."""
    tries: Annotated[int, Field(ge=1, le=10)] = 3
    """How often one call may send its request."""
    first_pause_seconds: Annotated[float, Field(gt=0, le=10)] = 0.2
    """Before the second try; each further pause up to twice as long, by chance."""
    most_connections: Annotated[int, Field(ge=1, le=1000)] = 100
    """Open at the same time."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """The acquirer ended the request without an answer: its book says whether it did what was asked."""

    cause: str


class HttpAcquirer:
    """The adapter; one for each process, as connections and breaker are shared by all its calls."""

    def __init__(
        self,
        settings: AcquirerSettings,
        *,
        breaker: Breaker | None = None,
        credential: Credential | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``chance`` gives a number from 0 to 1, by which pauses differ."""
        self._settings = settings
        self._breaker = breaker or Breaker(BreakerSettings())
        self._credential = credential
        self._chance = chance
        self._client = httpx.AsyncClient(
            base_url=settings.base_url.rstrip("/"),
            timeout=httpx.Timeout(
                settings.read_seconds, connect=settings.connect_seconds, pool=settings.connect_seconds
            ),
            limits=httpx.Limits(max_connections=settings.most_connections, keepalive_expiry=15.0),
            transport=transport,
            trust_env=False,  # no proxy that somebody has set for something else
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def closed_for_seconds(self) -> float:
        """See the port."""
        return self._breaker.closed_for_seconds()

    async def perform(self, demand: Demand, seconds: float) -> Outcome:
        """See the port."""
        deadline = time.monotonic() + min(seconds, self._settings.total_seconds)
        body = _body(demand)
        outcome: Outcome = NotDone("no time left")
        for tried in range(1, self._settings.tries + 1):
            if time.monotonic() >= deadline:
                return outcome
            outcome = await self._try(demand, body, deadline)
            if not isinstance(outcome, NotDone) or tried == self._settings.tries:
                return outcome
            pause = max(outcome.retry_after_seconds, self._pause(tried))
            if time.monotonic() + pause >= deadline:
                return outcome
            await asyncio.sleep(pause)
        return outcome

    async def look_up(self, demand: Demand, seconds: float) -> Found:
        """See the port."""
        deadline = time.monotonic() + min(seconds, self._settings.total_seconds)
        found: Found = Unknown("no time left")
        for tried in range(1, self._settings.tries + 1):
            exchanged = await self._exchange("GET", f"/v1/operations/{demand.key}", None, demand, deadline)
            if isinstance(exchanged, Answer | NotKnown):
                return exchanged
            found = Unknown(f"look-up: {exchanged.cause}"[:LONGEST_REFERENCE])
            asked_to_wait = exchanged.retry_after_seconds if isinstance(exchanged, NotDone) else 0.0
            pause = max(asked_to_wait, self._pause(tried))
            if tried == self._settings.tries or time.monotonic() + pause >= deadline:
                break
            await asyncio.sleep(pause)
        return found

    async def _try(self, demand: Demand, body: dict[str, Any], deadline: float) -> Outcome:
        """Send the request once, and find out what has become of it."""
        exchanged = await self._exchange("POST", "/v1/operations", body, demand, deadline)
        if isinstance(exchanged, Answer | NotDone):
            return exchanged
        if isinstance(exchanged, NotKnown):
            return NotDone("status 404")
        found = await self.look_up(demand, max(0.0, deadline - time.monotonic()))
        if isinstance(found, Answer):
            return found
        if isinstance(found, NotKnown) and isinstance(exchanged, _Ended):
            return NotDone(exchanged.cause)
        return Unknown(exchanged.cause)  # it may still be under way, or nobody could say

    def _pause(self, tried: int) -> float:
        return self._settings.first_pause_seconds * (1 << (tried - 1)) * (0.5 + 0.5 * self._chance())

    async def _exchange(
        self, method: str, path: str, body: dict[str, Any] | None, demand: Demand, deadline: float
    ) -> Answer | NotKnown | NotDone | Unknown | _Ended:
        """One request, in time or not at all."""
        seconds = min(self._settings.read_seconds, deadline - time.monotonic())
        if seconds <= 0:
            return NotDone("no time left")
        try:
            with self._breaker.call() as call:
                call.answered = False
                try:
                    async with asyncio.timeout(seconds):
                        status, headers, content = await self._send(method, path, body, demand)
                    call.answered = status < HTTPStatus.INTERNAL_SERVER_ERROR
                except asyncio.CancelledError:
                    call.answered = None  # we gave it up
                    raise
        except CircuitOpen as circuit:
            return NotDone("circuit open", circuit.seconds)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, BotoCoreError, ClientError) as error:
            return NotDone(type(error).__name__)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError, _TooLarge) as error:
            return Unknown(type(error).__name__)
        return _read(status, headers, content, demand)

    async def _send(
        self, method: str, path: str, body: dict[str, Any] | None, demand: Demand
    ) -> tuple[int, httpx.Headers, bytes]:
        headers = {"Idempotency-Key": str(demand.key), "Accept": "application/json"}
        if self._credential:
            headers["Authorization"] = await self._credential.header()
        async with self._client.stream(method, path, json=body, headers=headers) as response:
            content = bytearray()
            async for part in response.aiter_bytes():
                content += part
                if len(content) > LARGEST_ANSWER:
                    raise _TooLarge
        if self._credential and response.status_code in REFUSED_CREDENTIAL:
            self._credential.refused(headers["Authorization"])
        return response.status_code, response.headers, bytes(content)


class _TooLarge(Exception):
    """The answer is none of an acquirer."""


def _body(demand: Demand) -> dict[str, Any]:
    body: dict[str, Any] = {"kind": demand.kind.value, "amount": demand.amount, "currency": demand.currency}
    if demand.token is not None:
        body["token"] = demand.token
    if demand.reference is not None:
        body["reference"] = demand.reference
    return body


def _read(
    status: int, headers: httpx.Headers, content: bytes, demand: Demand
) -> Answer | NotKnown | NotDone | Unknown | _Ended:
    """What an answer of HTTP says about the demand."""
    if status == HTTPStatus.OK:
        return _said(content, demand)
    if status in NOT_BEGUN:
        return NotDone(f"status {status}", _retry_after(headers))
    if status == HTTPStatus.NOT_FOUND:
        return NotKnown()
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in UNDECIDED:
        return NotDone(f"status {status}")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _Ended(f"status {status}")
    return Unknown(f"status {status}")


UNDECIDED = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT}
"""A request with this key may be under way."""


def _said(content: bytes, demand: Demand) -> Answer | Unknown:
    """The acquirer's word, if it is about what was asked. Words about anything else say nothing of this payment."""
    try:
        values = json.loads(content)
        about = (values["key"], values["kind"], values["amount"], values["currency"])
        status, reference, reason = values["status"], values.get("reference"), values.get("reason")
    except (ValueError, TypeError, KeyError, AttributeError):
        return Unknown("answer not understood")
    if about != (str(demand.key), demand.kind.value, demand.amount, demand.currency):
        return Unknown("answer about something else")
    if status == "approved" and isinstance(reference, str) and 0 < len(reference) <= LONGEST_REFERENCE:
        return Approved(reference)
    if status == "declined" and isinstance(reason, str) and reason:
        return Declined(reason[:LONGEST_REASON])
    return Unknown("answer not understood")


def _retry_after(headers: httpx.Headers) -> float:
    """Seconds that the acquirer wants to be left alone (RFC 9110, 10.2.3: seconds or a date)."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return min(float(text), LONGEST_RETRY_AFTER_SECONDS)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(0.0, (aware - datetime.now(UTC)).total_seconds()), LONGEST_RETRY_AFTER_SECONDS)
