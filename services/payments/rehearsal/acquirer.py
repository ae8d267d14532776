"""A simulated acquirer that injects the faults of real ones: `python -m rehearsal.acquirer --port 7700`.

The fault of a request depends on the seed, on its key and on how often the key was sent, so that a run can be repeated:

- failing: 500, 502 or 503 before anything is performed;
- broken: the same for every request with the key, which therefore never succeeds;
- slow: a valid response, late;
- lost: the operation is performed, and the connection breaks without a response;
- silent: the operation is performed, and no response comes before the client times out;
- twice: the response is sent twice on the connection, the second time as if it were the next request's.

No fault, but configured alike, by the key alone: declined, the share of operations that the acquirer declines;
pending, the share that it decides later, and action, the share of first ones whose cardholder has to act before. PUT
/_book/decisions/{key} decides on these: {"approved": true or false}. Sandboxes have cards for it: here, first
operations of a card whose token begins with tok_later_ are decided later.

What acquirers differ in is configured, too: how a request is looked up (look_up, one of rehearsal.book.LOOK_UPS), and
for how long a key is remembered. With api_keys, a request by another API key gets a 401.

GET /_book returns the totals of its book, GET /_book/entries the entries, GET /_settlement/BEGINS/ENDS the settlement
file of a period as a JSON string; PUT /_behaviour changes the faults. It is one process with one thread, in which a
waiting request is a timer: ten thousand of them are no load.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, cast
from urllib.parse import parse_qs, urlsplit

import httptools
import uvloop
from pydantic import BaseModel, ConfigDict, Field

from rehearsal.book import ACTION_REQUIRED, BAD_REQUEST, FIRST_KINDS, NOT_FOUND, PENDING, Book, InvalidRequest
from rehearsal.settlement import settlement_file

HOST = "127.0.0.1"
SILENT_SECONDS = 3600.0
REASONS = ("insufficient_funds", "do_not_honor", "expired_card")
FAILURES = (500, 502, 503)
UNAUTHORIZED = 401
UNDECIDED_TOKEN = "tok_later_"  # noqa: S105 - how tokens begin
Percent = Annotated[float, Field(ge=0, le=100)]


class Behaviour(BaseModel):
    """The shares of faults, and response times."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 1
    down: bool = False
    """Whether every request fails."""
    failing_percent: Percent = 0.0
    broken_percent: Percent = 0.0
    slow_percent: Percent = 0.0
    lost_percent: Percent = 0.0
    silent_percent: Percent = 0.0
    twice_percent: Percent = 0.0
    declined_percent: Percent = 0.0
    pending_percent: Percent = 0.0
    action_percent: Percent = 0.0
    look_up: Literal["key", "reference", "repeat", "file"] = "key"
    key_retention_seconds: Annotated[float, Field(ge=0)] = 1e9
    api_keys: tuple[str, ...] = Field(default=(), repr=False)
    """The API keys that are accepted; any, where there is none."""
    seconds: Annotated[float, Field(ge=0)] = 0.0
    """Response time, on average: from half to one and a half of it, at random."""
    slow_seconds: Annotated[float, Field(ge=0)] = 2.0
    """How much longer a slow response takes."""

    def admits(self, authorization: str) -> bool:
        """Whether a request with this header Authorization is answered."""
        return not self.api_keys or authorization.removeprefix("Bearer ") in self.api_keys

    def fault(self, key: str, number: int) -> str:
        """The fault of the ``number``-th request with a key; empty where it has none."""
        if self.down:
            return "failing"
        broken = random.Random(f"{self.seed}:{key}:broken").uniform(0, 100)  # noqa: S311 - no secret
        if broken < self.broken_percent:
            return "failing"
        drawn = random.Random(f"{self.seed}:{key}:{number}").uniform(0, 100)  # noqa: S311 - no secret
        for name in ("failing", "slow", "lost", "silent", "twice"):
            drawn -= getattr(self, f"{name}_percent")
            if drawn < 0:
                return name
        return ""

    def decline_reason(self, key: str) -> str:
        """The reason for which the operation of a key is declined; empty where it is approved."""
        chance = random.Random(f"{self.seed}:{key}")  # noqa: S311 - no secret
        return chance.choice(REASONS) if chance.uniform(0, 100) < self.declined_percent else ""

    def promise(self, key: str, kind: str, token: str = "") -> str:
        """What the acquirer answers where it decides later; empty where it decides at once."""
        if kind in FIRST_KINDS and token.startswith(UNDECIDED_TOKEN):
            return PENDING
        drawn = random.Random(f"{self.seed}:{key}:promise").uniform(0, 100)  # noqa: S311 - no secret
        if kind in FIRST_KINDS and drawn < self.action_percent:
            return ACTION_REQUIRED
        return PENDING if 100 - drawn < self.pending_percent else ""


class Simulator:
    """The acquirer: its book, its behaviour, and the number of requests that wait for a response."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.book = Book()
        self.behaviour = behaviour
        self.faults: dict[str, int] = {}
        self.in_flight = 0
        self.max_in_flight = 0

    @property
    def behaviour(self) -> Behaviour:
        """Its faults and capabilities."""
        return self._behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self.book.look_up, self.book.key_retention_seconds = behaviour.look_up, behaviour.key_retention_seconds

    def handle_operation(self, connection: Connection, key: str, body: bytes) -> None:
        """Handle a request to perform an operation, with or without a response."""
        number = self.book.requests[key] + 1
        fault = self.behaviour.fault(key, number) if key else ""
        self.faults[fault] = self.faults.get(fault, 0) + 1
        if fault == "failing":
            self.book.requests[key] += 1
            connection.respond(FAILURES[number % len(FAILURES)], {"problem": "down"})
            return
        try:
            request = json.loads(body)
            if not (key and isinstance(request, dict)):
                raise InvalidRequest(BAD_REQUEST, "a key and a JSON object are required")
            promise = self.behaviour.promise(key, str(request.get("kind")), str(request.get("token")))
            entry = self.book.enter(key, request, self.behaviour.decline_reason(key), promise)
        except (ValueError, InvalidRequest) as error:
            status = error.status if isinstance(error, InvalidRequest) else BAD_REQUEST
            connection.respond(status, {"problem": str(error)})
            return
        self._respond(connection, fault, entry.response(), key, number)

    def _respond(self, connection: Connection, fault: str, body: dict[str, Any], key: str, number: int) -> None:
        behaviour = self.behaviour
        factor = random.Random(f"{behaviour.seed}:{key}:{number}:seconds").uniform(0.5, 1.5)  # noqa: S311 - no secret
        seconds = behaviour.seconds * factor + (behaviour.slow_seconds if fault == "slow" else 0.0)
        if fault == "lost":
            connection.schedule(seconds, connection.abort)
        elif fault == "silent":
            connection.schedule(SILENT_SECONDS, connection.abort)
        else:
            connection.schedule(seconds, lambda: connection.respond(200, body, times=2 if fault == "twice" else 1))

    def handle_other(self, connection: Connection, method: str, path: str, body: bytes) -> None:
        """Handle a request for anything else."""
        if method == "GET" and path.startswith("/v1/operations"):
            connection.respond(*found(self.book, path))
        elif method == "PUT" and path.startswith("/_book/decisions/"):
            entry = self.book.decide(path.rpartition("/")[2], approved=bool(json.loads(body)["approved"]))
            connection.respond(200, entry.response())
        elif method == "PUT" and path == "/_behaviour":
            self.behaviour = Behaviour.model_validate_json(body)
            connection.respond(200, self.behaviour.model_dump(exclude={"api_keys"}))
        elif path == "/_book":
            more = {"faults": self.faults, "in_flight": self.in_flight, "max_in_flight": self.max_in_flight}
            connection.respond(200, {**self.book.summary(), **more})
        elif path == "/_book/entries":
            connection.respond(200, [{**one.response(), "subject": one.subject} for one in self.book.entries.values()])
        elif path.startswith("/_settlement/"):
            begins, ends = map(datetime.fromisoformat, path.split("/")[2:4])
            connection.respond(200, "".join(settlement_file(self.book.entries.values(), begins, ends)))
        else:
            connection.respond(NOT_FOUND, {"problem": "no such path"})


def found(book: Book, path: str) -> tuple[int, dict[str, Any]]:
    """The response to a look-up, by the path of the request: status and body."""
    (reference,) = parse_qs(urlsplit(path).query).get("merchant_reference", [""])
    return book.find(reference or path.rpartition("/")[2], by_reference=bool(reference))


class Connection(asyncio.Protocol):
    """A client's connection, with one request at a time."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._begin()

    def _begin(self) -> None:
        self._url, self._body, self._key, self._authorization = b"", b"", "", ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _error: Exception | None) -> None:
        """The client has disconnected: a scheduled response is cancelled."""
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
        elif name.lower() == b"authorization":
            self._authorization = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        self._body += body

    def on_message_complete(self) -> None:
        """The request is complete."""
        method, path = self._parser.get_method().decode(), self._url.decode("latin-1")
        key, body, authorization = self._key, self._body, self._authorization
        self._begin()
        if path.startswith("/v1/") and not self._simulator.behaviour.admits(authorization):
            self.respond(UNAUTHORIZED, {"problem": "unknown API key"})
        elif method == "POST" and path == "/v1/operations":
            self._simulator.handle_operation(self, key, body)
        else:
            self._simulator.handle_other(self, method, path, body)

    def schedule(self, seconds: float, action: Callable[[], None]) -> None:
        """Act after ``seconds``, unless the client disconnects before."""
        simulator = self._simulator
        simulator.in_flight += 1
        simulator.max_in_flight = max(simulator.max_in_flight, simulator.in_flight)

        def act() -> None:
            self._ended()
            action()

        self._timer = asyncio.get_running_loop().call_later(seconds, act)

    def _ended(self) -> None:
        self._timer = None
        self._simulator.in_flight -= 1

    def respond(self, status: int, body: object, times: int = 1) -> None:
        """Send a response, ``times`` times."""
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
    """Listen on a port of 127.0.0.1; 0 is any free one."""
    return await asyncio.get_running_loop().create_server(lambda: Connection(simulator), HOST, port, backlog=4096)


async def serve(port: int, behaviour: Behaviour) -> None:
    """Serve until the process ends."""
    async with await start(Simulator(behaviour), port) as server:
        await server.serve_forever()


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.acquirer", description="A simulated acquirer.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--behaviour", type=Behaviour.model_validate_json, default=Behaviour(), help="JSON")
    given = parser.parse_args()
    uvloop.run(serve(given.port, given.behaviour))


if __name__ == "__main__":
    main()
