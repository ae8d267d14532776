"""Many merchants, of which one floods the service: what the others' latency is beside that without the flood.

Rounds with and without the flood alternate, so that whatever else the machine does meets both. The flood comes from a
process of its own, so that it does not hold up the clock of the others.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from uuid import uuid4

from tests.load.customers import Connection, _request
from tests.load.world import World

ROUNDS = 6
SECONDS = 10.0
FLOOD_CONNECTIONS = 128
"""Twice as many as a process lets wait or run of one merchant: fewer would only wait, and nothing would be refused."""
MEAN_PAUSE_SECONDS = 3.0
"""Of a merchant that does not flood, between two payments: together they ask for less than half of what two busy cores
can do, as the flooding one may have the other half."""
SECONDS_TO_BEGIN = 60.0
PATH = "/api/v1/payments"
HUNDRED = 100


@dataclass
class Round:
    """Latencies in milliseconds and statuses of the merchants that do not flood."""

    milliseconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def percentile(self, percent: int) -> float:
        """Of the latencies."""
        return statistics.quantiles(self.milliseconds, n=HUNDRED)[percent - 1]


@dataclass(frozen=True)
class Comparison:
    """All rounds of a run."""

    quiet: Round
    flooded: Round
    flood: Counter[int]
    """Statuses that the flooding merchant got."""

    @property
    def ratio(self) -> float:
        """The others' p99 with the flood, beside that without."""
        return self.flooded.percentile(99) / self.quiet.percentile(99)

    @property
    def problems(self) -> list[str]:
        """What must not be, whatever the machine's load."""
        found = []
        if set(self.quiet.statuses) | set(self.flooded.statuses) != {202}:
            found.append(f"other merchants were refused: {self.quiet.statuses}, {self.flooded.statuses}")
        if not self.flood[429]:
            found.append(f"the flood was not refused: {self.flood}")
        return found


async def compare(world: World, say: Callable[[str], None]) -> Comparison:
    """Alternate rounds without and with the flood of the first merchant."""
    flooding, *others = world.merchant_keys
    ports = [one.port for one in world.services]
    quiet, flooded, flood = Round(), Round(), Counter[int]()
    await _round(ports, others, Round(), SECONDS / 2)  # wakes things up
    for number in range(ROUNDS):
        await _round(ports, others, quiet, SECONDS)
        async with _flood_of(ports, flooding) as statuses:
            await _round(ports, others, flooded, SECONDS)
        flood += statuses
        say(f"round {number + 1} of {ROUNDS}: the flood got {dict(flood)}")
    return Comparison(quiet, flooded, flood)


async def _round(ports: list[int], keys: list[str], into: Round, seconds: float) -> None:
    until = time.monotonic() + seconds
    await asyncio.gather(*(_merchant(ports, key, into, until) for key in keys))


async def _merchant(ports: list[int], key: str, into: Round, until: float) -> None:
    connection = Connection(ports)
    while True:
        await asyncio.sleep(random.uniform(0, 2 * MEAN_PAUSE_SECONDS))
        if time.monotonic() >= until:
            break
        began = time.perf_counter()
        status, _, _ = await connection.exchange(_payment(key))
        into.milliseconds.append((time.perf_counter() - began) * 1000)
        into.statuses[status] += 1
    connection.close()


def _payment(key: str) -> bytes:
    return _request(PATH, key, str(uuid4()), {"amount": 100, "currency": "EUR", "token": "tok_flood_1"})


@asynccontextmanager
async def _flood_of(ports: list[int], key: str) -> AsyncIterator[Counter[int]]:
    """The flood within the block, from when each of its connections has had an answer; the statuses are there after."""
    context = multiprocessing.get_context("spawn")
    begun, ending, counted = context.Event(), context.Event(), context.SimpleQueue()
    process = context.Process(target=_flood, args=(ports, key, (begun, ending), counted))
    process.start()
    statuses: Counter[int] = Counter()
    try:
        assert await asyncio.to_thread(begun.wait, SECONDS_TO_BEGIN), "the flood does not begin"
        yield statuses
    finally:
        ending.set()
        statuses += await asyncio.to_thread(counted.get)
        await asyncio.to_thread(process.join)


def _flood(
    ports: list[int], key: str, events: tuple[Event, Event], counted: multiprocessing.SimpleQueue[Counter[int]]
) -> None:
    """Be the merchant that floods: its connections never pause, and take no notice of Retry-After."""
    statuses: Counter[int] = Counter()
    begun, ending = events
    connected = 0

    async def one() -> None:
        nonlocal connected
        connection = Connection(ports)
        await connection.exchange(_payment(key))
        connected += 1
        if connected == FLOOD_CONNECTIONS:
            begun.set()
        while not ending.is_set():
            status, _, _ = await connection.exchange(_payment(key))
            statuses[status] += 1
        connection.close()

    async def run() -> None:
        await asyncio.gather(*(one() for _ in range(FLOOD_CONNECTIONS)))

    asyncio.run(run())
    counted.put(statuses)
