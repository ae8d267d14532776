"""The load itself: customers, killed processes, and the comparison of the books at the end."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg

from payments.identifiers import lowest_id
from tests.load.customers import Connection, Customers, _request
from tests.load.faults import Faults, fill
from tests.load.size import Size
from tests.load.world import World, behaviour_of

SECONDS_BETWEEN_SAMPLES = 0.5
FEW = 50
RESEND_AFTER_SECONDS = "10"
"""Half an hour else: how long a message whose operation is due counts as under way."""
# The payments by which bare costs are measured are in another currency than those of the load.
STATUSES = "SELECT status, count(*) FROM payments.payments WHERE currency <> 'GBP' GROUP BY status"
SUMS = "SELECT currency, sum(captured_amount)::bigint FROM payments.payments WHERE currency <> 'GBP' GROUP BY currency"
PENDING_OPERATIONS = "SELECT id FROM payments.operations WHERE status = 'pending'"
PENDING = "SELECT id FROM payments.payments WHERE status = 'accepted' AND currency <> 'GBP'"
AGES = """
SELECT extract(epoch FROM completed_at - created_at)::float FROM payments.operations
WHERE completed_at IS NOT NULL AND correlation_id <> 'bare'
"""


@dataclass
class Sample:
    """A moment of the run."""

    at: float
    open: int
    accepted: int
    completed: int
    """Payments captured or declined, in the database."""
    service_bytes: int
    worker_bytes: int

    @property
    def in_flight(self) -> int:
        """Requests that are open, and payments that are accepted and not completed."""
        return self.open + self.accepted - self.completed


@dataclass
class Bare:
    """Medians in milliseconds, measured in turns before the load."""

    insert: float
    send: float
    accept: float

    @property
    def ratio(self) -> float:
        """What accepting a payment costs, beside a bare insert and a bare send."""
        return self.accept / (self.insert + self.send)


@dataclass
class Result:
    """The result of a run."""

    size: Size
    bare: Bare
    customers: Customers
    samples: list[Sample]
    kills: Counter[str]
    seconds: float
    """From the first request until everything accepted was completed or a dead letter."""
    statuses_of_payments: Counter[str]
    dead: set[str]
    """Pending payments whose messages are dead letters."""
    reconciled: dict[str, int]
    book: dict[str, Any]
    captured: dict[str, int]
    """Sums that are captured in the database, by currency."""
    processing_seconds: list[float]
    cpu: dict[str, float]
    """Seconds of processor time by kind of process."""
    statuses: list[int]
    """How the processes ended that were stopped at the end."""
    faults: Faults
    poisoned: set[str]
    """Those of the dead letters that the acquirer answers with an error however often it is asked."""
    problems: list[str] = field(default_factory=list)

    @property
    def peak(self) -> int:
        """The most payments that were in flight at the same time."""
        return max((sample.in_flight for sample in self.samples), default=0)

    @property
    def waiting(self) -> set[str]:
        """Payments that wait for a person: dead letters, and in a run with faults what always fails and has an age."""
        return self.dead | (self.poisoned if self.faults.windows else set())

    @property
    def accepted(self) -> int:
        return len(self.customers.accepted)


async def run(world: World, say: Callable[[str], None]) -> Result:
    """Put the load on, wait until all is completed, and compare the books."""
    size = world.size
    world.behave(broken_percent=0.0)  # one that always fails, and is alone, is no try: it would be waited for for ever
    bare = await _bare(world)
    say(f"bare: insert {bare.insert:.2f} ms, send {bare.send:.2f} ms; accepting a payment {bare.accept:.2f} ms")
    if size.rows:
        await asyncio.to_thread(fill, world, size.rows, say)
    world.behave(down=size.outage)
    if size.outage:
        say("the acquirer is out of order until the wanted number is in flight")
    customers = Customers([one.port for one in world.services], world.api_key, size.seed)
    state = _State(world, customers, say)
    began = time.monotonic()
    watching = [asyncio.create_task(state.sample()), asyncio.create_task(state.kill())]
    happening = asyncio.create_task(state.faults.run(lambda: state.over))
    try:
        await customers.run(size.payments, size.clients, state.may_begin)
        say(f"all {len(customers.accepted)} are accepted after {time.monotonic() - began:.0f} s")
        await happening
        await state.until_completed()
    finally:
        state.over = True
        await asyncio.gather(*watching, happening)
    seconds = time.monotonic() - began
    reconciled = await asyncio.to_thread(_reconcile, world)
    return await asyncio.to_thread(_compared, world, bare, state, seconds, reconciled)


class _State:
    """What is known of the run while it goes on."""

    def __init__(self, world: World, customers: Customers, say: Callable[[str], None]) -> None:
        self.world = world
        self.customers = customers
        self.say = say
        self.faults = Faults(world, customers, say)
        self.samples: list[Sample] = []
        self.kills: Counter[str] = Counter()
        self.over = False
        self._outage = world.size.outage
        self._completed = 0
        self._began = time.monotonic()
        self._first = lowest_id(datetime.now(UTC) - timedelta(minutes=10))

    async def may_begin(self) -> bool:
        """Wait until there is room for another payment in flight."""
        while self.customers.open + len(self.customers.accepted) - self._completed >= self.world.size.in_flight:
            await asyncio.sleep(0.02)
        return not self.over

    async def sample(self) -> None:
        while not self.over:
            self._completed = await asyncio.to_thread(self._count)
            services, workers = (
                sum(one.resident_bytes for one in group) for group in (self.world.services, self.world.workers)
            )
            at = time.monotonic() - self._began
            accepted, is_open = len(self.customers.accepted), self.customers.open
            self.samples.append(Sample(at, is_open, accepted, self._completed, services, workers))
            if len(self.samples) % 20 == 0:
                self.say(
                    f"{at:4.0f} s: {accepted} accepted, {self._completed} completed, "
                    f"{self.samples[-1].in_flight} in flight, {sum(self.kills.values())} killed"
                )
            if self._outage and self.kills and self.samples[-1].in_flight >= self.world.size.in_flight:
                self._outage = False
                await asyncio.to_thread(self.world.behave)
                self.say(f"{at:4.0f} s: {self.samples[-1].in_flight} in flight; the acquirer works again")
            await asyncio.sleep(SECONDS_BETWEEN_SAMPLES)

    def _count(self) -> int:
        row = self._query(
            "SELECT count(*) FROM payments.operations"
            " WHERE id >= %s AND status <> 'pending' AND correlation_id <> 'bare'",
            self._first,
        )[0]
        return int(row[0])

    def _query(self, statement: str, *parameters: object) -> list[Any]:
        """The rows of a statement; a database that is not there is waited for."""
        while True:
            try:
                with self.world.connect() as connection:
                    return connection.execute(statement.encode(), parameters).fetchall()
            except psycopg.OperationalError:
                if self.over or time.monotonic() > self._began + self.world.size.seconds:
                    raise
                time.sleep(SECONDS_BETWEEN_SAMPLES)

    async def kill(self) -> None:
        chance = random.Random(self.world.size.seed)
        mean = self.world.size.seconds_between_kills
        next_at = time.monotonic() + mean * chance.uniform(0.5, 1.5)
        while not self.over:
            if time.monotonic() >= next_at:
                self.kills[await asyncio.to_thread(self.world.kill_one, chance)] += 1
                next_at = time.monotonic() + mean * chance.uniform(0.5, 1.5)
            await asyncio.sleep(0.1)

    async def until_completed(self) -> None:
        """Wait until each operation is completed, or its message is a dead letter."""
        deadline = self._began + self.world.size.seconds
        while time.monotonic() < deadline:
            pending = len(await asyncio.to_thread(self._query, PENDING_OPERATIONS))
            dead = await asyncio.to_thread(_dead, self.world)
            # Dead letters may be of rows that are lost.
            alike = pending <= (0 if self.world.size.lost_seconds else dead)
            if alike or (pending <= dead + FEW and await asyncio.to_thread(self._only_poisoned_wait)):
                return
            if self.world.size.lost_seconds:  # of what was done in the lost seconds the message is gone
                await asyncio.to_thread(_reconcile, self.world)
            await asyncio.sleep(0.5)
        self.say(f"not all is completed after {self.world.size.seconds:.0f} s")

    def _only_poisoned_wait(self) -> bool:
        """Whether a run with faults is over: what always fails is alone then, which is no try and pages by its age."""
        if not self.faults.windows:
            return False
        pending = [str(row[0]) for row in self._query(PENDING)]
        dead = {message["payment_id"] for message in self.world.dead_letters(hidden_seconds=1)}
        with self.world.connect() as connection:
            return all(one in dead or _is_broken(connection, self.world, one) for one in pending)


def _count_pending(connection: Any) -> int:
    return int(connection.execute("SELECT count(*) FROM payments.operations WHERE status = 'pending'").fetchone()[0])


def _dead(world: World) -> int:
    name = "ApproximateNumberOfMessages"
    answer = world.sqs.get_queue_attributes(QueueUrl=world.dead_letters_url, AttributeNames=[name])
    return int(answer["Attributes"][name])


async def _bare(world: World) -> Bare:
    """A row inserted, a message sent and a payment accepted, in turns, one at a time."""
    connection = world.connect()
    connection.execute("CREATE TABLE bare (id uuid PRIMARY KEY, body text NOT NULL, created_at timestamptz NOT NULL)")
    queue = world.sqs.create_queue(QueueName="bare")["QueueUrl"]
    customer = Connection([one.port for one in world.services])
    body = json.dumps({"operation_id": str(uuid4()), "payment_id": str(uuid4()), "correlation_id": str(uuid4())})
    took: dict[str, list[float]] = {"insert": [], "send": [], "accept": []}
    for number in range(world.size.bare + 20):
        began = time.perf_counter()
        connection.execute("INSERT INTO bare VALUES (%s, %s, now())", (uuid4(), body))
        inserted = time.perf_counter()
        world.sqs.send_message(QueueUrl=queue, MessageBody=body)
        sent = time.perf_counter()
        purchase = {"amount": 1, "currency": "GBP", "token": f"tok_bare_{number}"}
        status, _, _ = await customer.exchange(_request("/api/v1/payments", world.api_key, f"bare-{number}", purchase))
        assert status == 202
        if number >= 20:  # the first ones wake things up
            took["insert"].append((inserted - began) * 1000)
            took["send"].append((sent - inserted) * 1000)
            took["accept"].append((time.perf_counter() - sent) * 1000)
    customer.close()
    while _count_pending(connection) > _dead(world):
        await asyncio.sleep(0.1)
    connection.execute("UPDATE payments.operations SET correlation_id = 'bare'")
    connection.close()
    return Bare(**{name: statistics.median(values) for name, values in took.items()})


def _reconcile(world: World) -> dict[str, int]:
    """One run of the reconciler, once no claim holds any more: an answer that was lost for good is found."""
    environment = {**world.environment, "RECONCILIATION_MIN_AGE_SECONDS": "0"}
    if world.size.lost_seconds:
        environment["RECONCILIATION_RESEND_AFTER_SECONDS"] = RESEND_AFTER_SECONDS
    time.sleep(1)
    done = subprocess.run(
        [sys.executable, "-m", "payments", "reconcile"], env=environment, capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _compared(world: World, bare: Bare, state: _State, seconds: float, reconciled: dict[str, int]) -> Result:
    cpu = {
        "service": sum(one.cpu for one in world.services),
        "worker": sum(one.cpu for one in world.workers),
        "sqs": world.others[1].cpu,
        "acquirer": world.others[0].cpu,
    }
    statuses = [one.stop() for one in world.workers + world.services]
    connection = world.connect()
    statuses_of_payments = Counter(dict(connection.execute(STATUSES).fetchall()))
    captured = dict(connection.execute(SUMS).fetchall())
    pending = {str(one[0]) for one in connection.execute(PENDING)}
    processing = [row[0] for row in connection.execute(AGES)]
    dead = {message["payment_id"] for message in world.dead_letters()}
    result = Result(
        size=world.size,
        bare=bare,
        customers=state.customers,
        samples=state.samples,
        kills=state.kills,
        seconds=seconds,
        statuses_of_payments=statuses_of_payments,
        dead=dead & pending,
        reconciled=reconciled,
        book=world.book(),
        captured=captured,
        processing_seconds=processing,
        cpu=cpu,
        statuses=statuses,
        faults=state.faults,
        poisoned={one for one in pending if _is_broken(connection, world, one)},
    )
    result.problems = list(_problems(result, connection, pending))
    return result


def _problems(result: Result, connection: Any, pending: set[str]) -> Iterator[str]:
    """Every violation of what must hold."""
    completed = result.statuses_of_payments["captured"] + result.statuses_of_payments["declined"]
    if result.accepted != result.size.payments:
        yield f"{result.size.payments} were to be taken, {result.accepted} were"
    waiting = result.waiting
    if result.accepted != completed + len(waiting):
        yield f"{result.accepted} accepted, {completed} completed, {len(waiting)} wait for a person"
    if lost := pending - waiting:
        yield f"{len(lost)} are neither completed nor dead letters"
    if result.customers.wrong:
        yield f"wrong answers: {Counter(result.customers.wrong)}"
    if any(result.statuses):
        yield f"processes ended with {result.statuses}"
    if result.size.outage_seconds and not result.dead <= result.poisoned:
        yield f"{len(result.dead - result.poisoned)} dead letters of an outage"
    yield from result.faults.problems
    yield from _of_the_books(result, connection)


def _is_broken(connection: Any, world: World, payment_id: str) -> bool:
    """Whether the acquirer never answers the first operation of a payment."""
    query = "SELECT coalesce(acquirer_key, id)::text FROM payments.operations WHERE payment_id = %s"
    (key,) = connection.execute(query, (payment_id,)).fetchone()
    broken = behaviour_of(world.size).model_copy(update={"failing_percent": 0.0})
    return all(broken.fault(key, number) == "failing" for number in range(1, 30))


def _of_the_books(result: Result, connection: Any) -> Iterator[str]:
    """The customers' responses, the database and the acquirer's book must agree."""
    query = "SELECT id, reference, amount, currency FROM payments.payments WHERE currency <> 'GBP'"
    stored = {str(row[0]): row[1:] for row in connection.execute(query)}
    if stored != {one.payment: (str(one.number), one.amount, one.currency) for one in result.customers.accepted}:
        yield "what is stored is not what customers were promised"
    sums = {name.removeprefix("sale "): sum_ for name, sum_ in result.book["sums"].items() if not name.endswith("GBP")}
    if sums != {currency: sum_ for currency, sum_ in result.captured.items() if sum_}:
        yield f"the acquirer's book has {sums}, the database {result.captured}"
    if result.book["charged_twice"]:
        yield f"charged twice: {result.book['charged_twice']}"
