"""A simulated acquirer that behaves as badly as real ones do: `python -m rehearsal.acquirer --port 7700`.

What befalls a request depends on the seed, its key and how often the key has come, so that a run can be repeated:

- failing: 500, 502 or 503 before anything is done;
- broken: the same for each request with the key, which therefore never succeeds;
- slow: the right answer, late;
- lost: the thing is done, and the connection breaks without an answer;
- silent: the thing is done, and no answer comes before the client has given up;
- twice: the right answer comes a second time on the same connection, as if it were that of the next request;
- declined: the acquirer's own no, which depends on the key alone.

Its book is read at /_book (totals) and /_book/entries, and how it behaves is changed by PUT /_behaviour. It is one
process with one thread: a request that waits is a timer, so ten thousand of them are no burden.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Callable
from typing import Annotated, Any, cast

import httptools
import uvloop
from pydantic import BaseModel, ConfigDict, Field

from rehearsal.book import Book, Refused

HOST = "127.0.0.1"
SILENT_SECONDS = 3600.0
REASONS = ("insufficient_funds", "do_not_honor", "expired_card")
FAILURES = (500, 502, 503)
BAD_REQUEST, NOT_FOUND = 400, 404
Percent = Annotated[float, Field(ge=0, le=100)]


class Behaviour(BaseModel):
    """Shares in percent, and seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 1
    out_of_order: bool = False
    """Whether everything fails for the time being."""
    failing_percent: Percent = 0.0
    broken_percent: Percent = 0.0
    slow_percent: Percent = 0.0
    lost_percent: Percent = 0.0
    silent_percent: Percent = 0.0
    twice_percent: Percent = 0.0
    declined_percent: Percent = 0.0
    seconds: Annotated[float, Field(ge=0)] = 0.0
    """How long an answer takes; half as long to half as long again, by chance."""
    slow_seconds: Annotated[float, Field(ge=0)] = 2.0
    """How much longer a slow one takes."""

    def of(self, key: str, times: int) -> str:
        """What befalls the request that is the ``times``-th with its key, or nothing."""
        if self.out_of_order:
            return "failing"
        broken = random.Random(f"{self.seed}:{key}:broken").uniform(0, 100)  # noqa: S311 - no secret
        if broken < self.broken_percent:
            return "failing"
        drawn = random.Random(f"{self.seed}:{key}:{times}").uniform(0, 100)  # noqa: S311 - no secret
        for name in ("failing", "slow", "lost", "silent", "twice"):
            drawn -= getattr(self, f"{name}_percent")
            if drawn < 0:
                return name
        return ""

    def declined_for(self, key: str) -> str:
        """The reason why what comes with this key is declined, or nothing."""
        chance = random.Random(f"{self.seed}:{key}")  # noqa: S311 - no secret
        return chance.choice(REASONS) if chance.uniform(0, 100) < self.declined_percent else ""


class Simulator:
    """The acquirer: its book, its behaviour, and how many requests are with it."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.book = Book()
        self.befell: dict[str, int] = {}
        self.in_flight = 0
        self.most_in_flight = 0

    def operate(self, connection: Connection, key: str, body: bytes) -> None:
        """Answer a request for an operation, or do not."""
        times = self.book.asked[key] + 1
        what = self.behaviour.of(key, times) if key else ""
        self.befell[what] = self.befell.get(what, 0) + 1
        if what == "failing":
            self.book.asked[key] += 1
            connection.answer(FAILURES[times % len(FAILURES)], {"problem": "out of order"})
            return
        try:
            asked = json.loads(body)
            if not (key and isinstance(asked, dict)):
                raise Refused(BAD_REQUEST, "a key and an object are needed")
            entry = self.book.enter(key, asked, self.behaviour.declined_for(key))
        except (ValueError, Refused) as error:
            connection.answer(error.status if isinstance(error, Refused) else BAD_REQUEST, {"problem": str(error)})
            return
        self._answer(connection, what, entry.answer(), key, times)

    def _answer(self, connection: Connection, what: str, answer: dict[str, Any], key: str, times: int) -> None:
        behaviour = self.behaviour
        chance = random.Random(f"{behaviour.seed}:{key}:{times}:seconds").uniform(0.5, 1.5)  # noqa: S311 - no secret
        seconds = behaviour.seconds * chance + (behaviour.slow_seconds if what == "slow" else 0.0)
        if what == "lost":
            connection.later(seconds, connection.abort)
        elif what == "silent":
            connection.later(SILENT_SECONDS, connection.abort)
        else:
            connection.later(seconds, lambda: connection.answer(200, answer, times=2 if what == "twice" else 1))

    def other(self, connection: Connection, method: str, path: str, body: bytes) -> None:
        """Answer what is not an operation."""
        if method == "GET" and path.startswith("/v1/operations/"):
            entry = self.book.entries.get(path.rpartition("/")[2])
            connection.answer(200 if entry else NOT_FOUND, entry.answer() if entry else {"problem": "not known"})
        elif method == "PUT" and path == "/_behaviour":
            self.behaviour = Behaviour.model_validate_json(body)
            connection.answer(200, self.behaviour.model_dump())
        elif path == "/_book":
            more = {"befell": self.befell, "in_flight": self.in_flight, "most_in_flight": self.most_in_flight}
            connection.answer(200, {**self.book.summary(), **more})
        elif path == "/_book/entries":
            connection.answer(200, [{**one.answer(), "subject": one.subject} for one in self.book.entries.values()])
        else:
            connection.answer(NOT_FOUND, {"problem": "no such path"})


class Connection(asyncio.Protocol):
    """One client's connection; its requests come one after the other."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._begin()

    def _begin(self) -> None:
        self._url, self._body, self._key = b"", b"", ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _error: Exception | None) -> None:
        """The client has gone: what was to be answered later is not."""
        self._transport = None
        if self._timer:
            self._timer.cancel()
            self._ended()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort()

    def on_url(self, url: bytes) -> None:
        """See httptools."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        if name.lower() == b"idempotency-key":
            self._key = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        self._body += body

    def on_message_complete(self) -> None:
        """The request is whole."""
        method, path = self._parser.get_method().decode(), self._url.decode("latin-1")
        key, body = self._key, self._body
        self._begin()
        if method == "POST" and path == "/v1/operations":
            self._simulator.operate(self, key, body)
        else:
            self._simulator.other(self, method, path, body)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after so many seconds, unless the client goes before."""
        simulator = self._simulator
        simulator.in_flight += 1
        simulator.most_in_flight = max(simulator.most_in_flight, simulator.in_flight)

        def act() -> None:
            self._ended()
            action()

        self._timer = asyncio.get_running_loop().call_later(seconds, act)

    def _ended(self) -> None:
        self._timer = None
        self._simulator.in_flight -= 1

    def answer(self, status: int, body: object, times: int = 1) -> None:
        """Send an answer, ``times`` times."""
        if self._transport is None:
            return
        content = json.dumps(body).encode()
        head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        self._transport.write((head.encode() + content) * times)

    def abort(self) -> None:
        """Break the connection."""
        if self._transport:
            self._transport.abort()


async def start(simulator: Simulator, port: int = 0) -> asyncio.Server:
    """Listen on a port of 127.0.0.1, or on a free one."""
    return await asyncio.get_running_loop().create_server(lambda: Connection(simulator), HOST, port, backlog=4096)


async def serve(port: int, behaviour: Behaviour) -> None:
    """Serve until the process ends."""
    async with await start(Simulator(behaviour), port) as server:
        await server.serve_forever()


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.acquirer", description="A simulated acquirer.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--behaviour", type=Behaviour.model_validate_json, default=Behaviour(), help="JSON")
    given = parser.parse_args()
    uvloop.run(serve(given.port, given.behaviour))


if __name__ == "__main__":
    main()
