"""A simulation of days of processing on a clock of its own: queue, consumers, reconciler, and an acquirer with outages.

The code is the real one, on a real PostgreSQL whose ``now()`` is the simulated clock's: a function of that name in a
schema before pg_catalog in the search path. Only SQS and the acquirer's network are played here. Nothing sleeps: the
clock goes from one event to the next.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import httpx
import psycopg

from payments import repository
from payments.acquirer.breaker import BreakerSettings, CircuitBreaker
from payments.acquirer.dialect import Plain
from payments.acquirer.http_client import HttpAcquirer
from payments.acquirer.port import Capabilities
from payments.acquirer.settings import AcquirerSettings
from payments.messages import ProcessOperation
from payments.metrics import MetricRecorder
from payments.processing.circuit import SharedCircuit
from payments.processing.consumer import GivenUp, consume
from payments.processing.processor import Processor
from payments.processing.reconciler import Reconciler
from payments.processing.settings import ProcessingSettings, ReconciliationSettings
from rehearsal.acquirer import found
from rehearsal.book import Book, InvalidRequest
from settings import load
from shared import payment_metrics as metrics
from tests.processing.support import accepted

P = ParamSpec("P")
R = TypeVar("R")

MINUTE, HOUR = 60.0, 3600.0
PROCESSES = 3
RECONCILE_SECONDS = 5 * MINUTE
MAX_RECEIVES = 1000
"""The queue's maxReceiveCount."""
VISIBILITY_SECONDS = 270.0
PERIODS = 2
"""Of the alarm payments-unsettled, one for each run of the reconciler."""
CALL_SECONDS = 30.0

CLOCK = """
CREATE SCHEMA simulated;
CREATE FUNCTION simulated.now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT current_setting('simulated.now')::timestamptz $$;
SET search_path = simulated, pg_catalog;
"""


@dataclass
class Clock:
    """Seconds since the beginning, and the database's time with them."""

    connection: psycopg.Connection[Any]
    seconds: float = 0.0
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.connection.execute(CLOCK)
        self.advance(0.0)

    def advance(self, seconds: float) -> None:
        """Go on to ``seconds`` since the beginning."""
        self.seconds = max(self.seconds, seconds)
        self.connection.execute("SELECT set_config('simulated.now', %s, false)", (self.now().isoformat(),))

    def now(self) -> datetime:
        return self.began + timedelta(seconds=self.seconds)

    def time(self) -> float:
        return self.seconds


@dataclass(frozen=True)
class Fault:
    """What the acquirer does from ``start`` to ``end`` (seconds): a status, or ``silent``: performs, and the response
    is lost; ``page``: 404 as a page of its gateway; ``requests``: 500, but to look-ups; of all keys or of one."""

    start: float
    end: float
    kind: int | str
    key: str | None = None


class Acquirer:
    """The acquirer's end of the network: a book, and faults by the clock."""

    def __init__(self, clock: Clock, faults: Sequence[Fault] = (), capabilities: Capabilities | None = None) -> None:
        can = capabilities or Capabilities()
        self.book = Book(
            look_up=can.look_up.value, key_retention_seconds=can.key_retention.total_seconds(), clock=clock.time
        )
        self.faults, self._clock = list(faults), clock
        self.promises: dict[str, str] = {}
        """What it answers before it decides, by key: pending or action_required."""
        self.calls: Counter[str] = Counter()
        """Requests by method and what they got."""

    def _fault(self, key: str) -> int | str | None:
        at = self._clock.seconds
        found = [one.kind for one in self.faults if one.start <= at < one.end and one.key in (None, key)]
        return found[0] if found else None

    async def handle(self, request: httpx.Request) -> httpx.Response:
        key = request.headers["Idempotency-Key"]
        fault = self._fault(key)
        self.calls[f"{request.method} {fault or 'served'}"] += 1
        if fault == "page":
            return httpx.Response(404, html="<h1>Not found</h1>")
        if fault == "requests" and request.method == "POST":
            return httpx.Response(500, json={"problem": "down"})
        if isinstance(fault, int):
            return httpx.Response(fault, json={"problem": "down"})
        if request.method == "GET":
            if fault == "silent":
                raise httpx.ReadTimeout("", request=request)
            status, body = found(self.book, request.url.raw_path.decode())
            return httpx.Response(status, json=body)
        try:
            entry = self.book.enter(key, json.loads(request.content), "", self.promises.get(key, ""))
        except InvalidRequest as error:
            return httpx.Response(error.status, json={"problem": str(error)})
        if fault == "silent":
            raise httpx.ReadTimeout("", request=request)
        return httpx.Response(200, json=entry.response())


@dataclass
class Delivery:
    """A message in the queue."""

    body: str
    visible_at: float
    receives: int = 0


class SimulatedQueue:
    """SQS: visibility, receive counts and dead letters."""

    def __init__(self, max_receives: int) -> None:
        self.messages: list[Delivery] = []
        self.dead: list[str] = []
        self._max_receives = max_receives

    def send(self, bodies: dict[str, str], at: float = 0.0) -> tuple[list[str], dict[str, str]]:
        self.messages += [Delivery(body, at) for body in bodies.values()]
        return list(bodies), {}

    def next_at(self) -> float:
        return min((one.visible_at for one in self.messages), default=float("inf"))

    def receive(self, at: float) -> list[Delivery]:
        found = [one for one in self.messages if one.visible_at <= at][:10]
        for one in found:
            one.receives += 1
            one.visible_at = at + VISIBILITY_SECONDS
            if one.receives > self._max_receives:
                self.give_up(one)
        return [one for one in found if one.receives <= self._max_receives]

    def give_up(self, message: Delivery) -> None:
        self.dead.append(message.body)
        self.messages.remove(message)


class InThisThread:
    """Runs the repository's functions with one connection."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    async def run(
        self, function: Callable[Concatenate[psycopg.Connection[Any], P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        return function(self._connection, *args, **kwargs)


class Simulation:
    """Days of processing."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        faults: Sequence[Fault] = (),
        *,
        seed: int = 1,
        processing: dict[str, Any] | None = None,
        reconciliation: dict[str, Any] | None = None,
        capabilities: Capabilities | None = None,
        believed: Capabilities | None = None,
    ) -> None:
        """``capabilities`` are the acquirer's; where they are not those that it has declared, ``believed`` are."""
        self.connection, self.clock, self.random = connection, Clock(connection), random.Random(seed)
        self.capabilities = believed or capabilities or Capabilities()
        self.acquirer = Acquirer(self.clock, faults, capabilities)
        self.queue = SimulatedQueue(MAX_RECEIVES)
        self.settings = ProcessingSettings(**(processing or {}))
        self.reconciliation = ReconciliationSettings(**(reconciliation or {}))
        self.processors = [self._processor() for _ in range(PROCESSES)]
        self._unsettled = 0
        self._max_age = load("production").observability.max_unsettled_age_seconds
        self.paged: dict[float, str] = {}
        """Pages: when, and by which metric."""

    def _processor(self) -> Processor:
        """A process of its own, with its own breaker: what it shares with others is in the database."""
        quick = AcquirerSettings(base_url="http://acquirer", first_pause_seconds=0.0001)
        breaker = CircuitBreaker(BreakerSettings(), clock=self.clock.time, jitter=self.random.random)
        executor: Any = InThisThread(self.connection)
        return Processor(
            executor,
            HttpAcquirer(
                quick,
                dialect=Plain(self.capabilities),
                breaker=breaker,
                transport=httpx.MockTransport(self.acquirer.handle),
            ),
            MetricRecorder("test", "simulation"),
            self.settings,
            circuit=SharedCircuit(executor, clock=self.clock.time, jitter=self.random.random),
            jitter=self.random.random,
        )

    def accept(self) -> ProcessOperation:
        """A payment comes in now; its message is sent at once."""
        message = accepted(self.connection, age_seconds=-self.clock.seconds)
        self.queue.send({"": message.to_json()}, self.clock.seconds)
        return message

    async def run(self, until: float, arrivals: Sequence[float] = ()) -> list[ProcessOperation]:
        """Go on until a time, while payments come in; returns their messages."""
        coming = sorted(arrivals)
        came: list[ProcessOperation] = []
        reconcile_at = self.clock.seconds + self.random.uniform(0, RECONCILE_SECONDS)
        while True:
            next_arrival = coming[0] if coming else float("inf")
            at = min(reconcile_at, next_arrival, self.queue.next_at())
            if at > until:
                self.clock.advance(until)
                return came
            self.clock.advance(at)
            if at == next_arrival:
                coming.pop(0)
                came.append(self.accept())
            if at == reconcile_at:
                reconcile_at += RECONCILE_SECONDS
                await self._reconcile()
            for message in self.queue.receive(self.clock.seconds):
                await self._consume(message)

    async def _consume(self, message: Delivery) -> None:
        processor = self.random.choice(self.processors)
        ended = await consume(processor, "m", message.body, message.receives, CALL_SECONDS)
        if ended is None:
            self.queue.messages.remove(message)
        elif isinstance(ended, GivenUp):
            self.queue.give_up(message)
        else:
            message.visible_at = self.clock.seconds + ended.seconds
        self._page(processor)

    async def _reconcile(self) -> None:
        processor = self.processors[0]
        await Reconciler(processor, self.reconciliation, now=self.clock.now).run(lambda: 60.0)
        self._page(processor)
        with self.connection.transaction():
            for one in repository.claim_outbox_messages(self.connection, 10_000):
                body = ProcessOperation(one.operation_id, one.payment_id, one.correlation_id).to_json()
                self.queue.send({"": body}, self.clock.seconds)
                repository.delete_outbox_messages(self.connection, [one.id])

    def _page(self, processor: Processor) -> None:
        for metric in (metrics.DEAD_LETTERS, metrics.CREDENTIAL_REJECTED, metrics.NOT_IN_DATABASE):
            if processor.metrics.buffered(metric):
                self.paged.setdefault(self.clock.seconds, metric.name)
        for age in processor.metrics.buffered(metrics.OLDEST_PENDING):
            self._unsettled = self._unsettled + 1 if age > self._max_age else 0
            if self._unsettled >= PERIODS:
                self.paged.setdefault(self.clock.seconds, metrics.OLDEST_PENDING.name)
        processor.metrics.flush()

    def statuses(self) -> dict[UUID, str]:
        """The status of each operation."""
        rows = self.connection.execute("SELECT id, status FROM payments.operations").fetchall()
        return dict(rows)

    def twice(self) -> list[str]:
        """The cards that were charged more than once."""
        return list(self.acquirer.book.summary()["charged_twice"])
