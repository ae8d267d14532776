"""Simulated customers: each repeats its request with the same key until it gets a response."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

CURRENCIES = ("EUR", "USD", "JPY")
SECONDS_FOR_AN_ANSWER = 15.0
LONGEST_PAUSE_SECONDS = 2.0


@dataclass
class Purchase:
    """A customer's payment, and the result of its request."""

    number: int
    amount: int
    currency: str
    token: str
    key: str
    payment: str = ""
    requests: int = 0
    first_sent_at: float = 0.0
    seconds_of_last: float = 0.0
    """Of the request that was accepted."""
    seconds: float = 0.0
    """From the first request until it was accepted."""


@dataclass
class Customers:
    """So many connections, each with one request at a time."""

    ports: list[int]
    api_key: str = field(repr=False)
    seed: int = 0
    open: int = 0
    max_open: int = 0
    accepted: list[Purchase] = field(default_factory=list)
    shed: int = 0
    """Requests that were answered 429 or 503."""
    broken: int = 0
    """Requests without an answer."""
    wrong: list[str] = field(default_factory=list)
    """Answers that no customer should get."""

    def purchase(self, number: int) -> Purchase:
        """The same for the same number and seed."""
        chance = random.Random(f"{self.seed}:{number}")
        name = f"{self.seed}-{number}"
        return Purchase(
            number, chance.randint(1, 500_00), chance.choice(CURRENCIES), f"tok_load_{name}", f"load-{name}"
        )

    async def run(self, purchases: int, clients: int, may_begin: Callable[[], Awaitable[bool]]) -> None:
        """Make all purchases; ``may_begin`` waits for its turn, and says no when the run is over."""
        numbers = iter(range(purchases))

        async def one() -> None:
            connection = Connection(self.ports)
            while await may_begin():
                number = next(numbers, None)
                if number is None:
                    break
                await self._buy(connection, self.purchase(number))
            connection.close()

        await asyncio.gather(*(one() for _ in range(clients)))

    async def repeat(self, purchases: Sequence[Purchase], clients: int = 20) -> None:
        """Send requests that were accepted once more, with the same keys, and note the payments of the answers."""
        waiting = iter(purchases)

        async def one() -> None:
            connection = Connection(self.ports)
            for purchase in waiting:
                again = replace(purchase, payment="")
                await self._ask(connection, again)
                purchase.payment = again.payment
            connection.close()

        await asyncio.gather(*(one() for _ in range(clients)))

    async def _buy(self, connection: Connection, purchase: Purchase) -> None:
        purchase.first_sent_at = time.monotonic()
        await self._ask(connection, purchase)
        if purchase.payment:
            purchase.seconds = time.monotonic() - purchase.first_sent_at
            self.accepted.append(purchase)

    async def _ask(self, connection: Connection, purchase: Purchase) -> None:
        """Send the request until it is accepted, or answered wrongly."""
        body = {
            "amount": purchase.amount,
            "currency": purchase.currency,
            "token": purchase.token,
            "reference": str(purchase.number),
        }
        request = _request("/api/v1/payments", self.api_key, purchase.key, body)
        pause = 0.1
        self.open += 1
        self.max_open = max(self.max_open, self.open)
        try:
            while not purchase.payment:
                purchase.requests += 1
                began = time.monotonic()
                try:
                    async with asyncio.timeout(SECONDS_FOR_AN_ANSWER):
                        status, headers, answer = await connection.exchange(request)
                except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
                    connection.close()
                    self.broken += 1
                    pause = await _pause(pause)
                    continue
                if status == 202:
                    purchase.payment = json.loads(answer)["id"]
                    purchase.seconds_of_last = time.monotonic() - began
                elif status in {429, 503}:
                    self.shed += 1
                    await asyncio.sleep(float(headers.get("retry-after", "1")) * random.uniform(0.5, 1.5))
                else:
                    self.wrong.append(f"{status} {answer[:200]!r}")
                    return
        finally:
            self.open -= 1


async def _pause(seconds: float) -> float:
    await asyncio.sleep(seconds * random.uniform(0.5, 1.0))
    return min(seconds * 2, LONGEST_PAUSE_SECONDS)


class Connection:
    """One connection, to any of the ports that takes it: what a load balancer does."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a request and read its answer."""
        reader, writer = self._streams or await self._open()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return int(head[0].split()[1]), headers, body

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for port in random.sample(self._ports, len(self._ports)):
            try:
                self._streams = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            return self._streams
        raise ConnectionRefusedError

    def close(self) -> None:
        """Forget the connection; the next request opens another."""
        if self._streams:
            self._streams[1].close()
        self._streams = None


def _request(path: str, api_key: str, key: str, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {api_key}\r\n"
        f"Idempotency-Key: {key}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
