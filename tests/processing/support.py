"""An acquirer in this process, and an adapter that is in no hurry only where a test says so."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import psycopg

from payments import repository
from payments.acquirer.breaker import Breaker, BreakerSettings
from payments.acquirer.over_http import AcquirerSettings, HttpAcquirer
from payments.acquirer.port import Demand
from payments.identifiers import new_id
from payments.messages import ProcessOperation
from payments.metrics import Metric
from payments.processing.measures import Measures
from payments.processing.processor import Database, Processor
from payments.processing.settings import ProcessingSettings
from payments.repository import Answer as Stored
from payments.repository import Key, NewOperation, NewPayment
from payments.states import Kind
from rehearsal.acquirer import Behaviour, Simulator, start
from tests.payments.conftest import Database as TestDatabase

P = ParamSpec("P")
R = TypeVar("R")

KEY = UUID("0193a8f0-0000-7000-8000-000000000001")


def demand(**values: Any) -> Demand:
    return Demand(**{"key": KEY, "kind": Kind.SALE, "amount": 1250, "currency": "EUR", "token": "tok_1", **values})


def settings(url: str, **values: Any) -> AcquirerSettings:
    quick: dict[str, Any] = {
        "connect_seconds": 1.0,
        "read_seconds": 0.3,
        "total_seconds": 2.0,
        "first_pause_seconds": 0.01,
    }
    return AcquirerSettings(base_url=url, **{**quick, **values})


@asynccontextmanager
async def simulated(**behaviour: Any) -> AsyncIterator[tuple[Simulator, str]]:
    """A simulated acquirer and where it is."""
    simulator = Simulator(Behaviour(**behaviour))
    server = await start(simulator)
    try:
        yield simulator, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def reached(url: str, breaker: dict[str, Any] | None = None, **values: Any) -> AsyncIterator[HttpAcquirer]:
    """The adapter for an acquirer at ``url``."""
    adapter = HttpAcquirer(settings(url, **values), breaker=Breaker(BreakerSettings(**(breaker or {}))))
    try:
        yield adapter
    finally:
        await adapter.close()


class OneConnection:
    """A pool of the superuser's connections, each for one statement."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._connect = connect

    def run(
        self,
        function: Callable[Concatenate[psycopg.Connection[Any], P], R],
        /,
        timeout_seconds: float,  # noqa: ARG002 - they are made anew each time
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        with self._connect() as connection:
            return function(connection, *args, **kwargs)


def accepted(
    connection: psycopg.Connection[Any],
    kind: Kind = Kind.SALE,
    amount: int = 1250,
    age_seconds: float = 0.0,
    currency: str = "EUR",
) -> ProcessOperation:
    """Store a payment, and return the message that asks for its first operation; the outbox is left empty."""
    at = datetime.now(UTC) - timedelta(seconds=age_seconds)
    identity = new_id(datetime.now(UTC))
    first = NewOperation(
        id=new_id(datetime.now(UTC)), payment_id=identity, kind=kind, amount=amount, correlation_id="c-1", created_at=at
    )
    payment = NewPayment(currency, f"tok_{identity}", None, first)
    repository.accept(connection, payment, Key(secrets.token_hex(8), secrets.token_bytes(32)), Stored(202, "{}"))
    return _message(connection, first)


def asked(connection: psycopg.Connection[Any], payment_id: UUID, kind: Kind, amount: int) -> ProcessOperation:
    """Store a later operation, and return the message that asks for it."""
    now = datetime.now(UTC)
    operation = NewOperation(
        id=new_id(now), payment_id=payment_id, kind=kind, amount=amount, correlation_id="c-2", created_at=now
    )
    repository.ask(connection, operation, Key(secrets.token_hex(8), secrets.token_bytes(32)), Stored(202, "{}"))
    return _message(connection, operation)


def _message(connection: psycopg.Connection[Any], operation: NewOperation) -> ProcessOperation:
    with connection.transaction():
        repository.sent(connection, [letter.id for letter in repository.letters(connection, 1000)])
    return ProcessOperation(operation.id, operation.payment_id, operation.correlation_id)


@dataclass
class World:
    """A processor, the acquirer that it asks, and the database that it writes to."""

    processor: Processor
    simulator: Simulator
    connection: psycopg.Connection[Any]

    async def process(self, message: ProcessOperation, seconds: float = 30.0) -> None:
        await self.processor.process(message, seconds)

    def state(self, message: ProcessOperation) -> str:
        found = repository.payment(self.connection, message.payment_id)
        assert found
        return found.state.value

    def attempts(self, message: ProcessOperation) -> int:
        (found,) = [
            one for one in repository.operations(self.connection, message.payment_id) if one.id == message.operation_id
        ]
        return found.attempts

    def asked(self, message: ProcessOperation) -> int:
        """How often the acquirer was asked for the operation."""
        return self.simulator.book.asked[str(message.operation_id)]

    def behave(self, **behaviour: Any) -> None:
        self.simulator.behaviour = Behaviour(**behaviour)

    def measured(self, metric: Metric) -> list[float]:
        return self.processor.measures._values[metric]


@asynccontextmanager
async def world(
    database: TestDatabase,
    adapter: dict[str, Any] | None = None,
    processing: dict[str, Any] | None = None,
    **behaviour: Any,
) -> AsyncIterator[World]:
    """Everything, in this process but for PostgreSQL."""
    quick: dict[str, Any] = {"call_seconds": 5.0, "claim_margin_seconds": 5.0, "first_delay_seconds": 4.0}
    async with simulated(**behaviour) as (simulator, url), reached(url, **(adapter or {})) as acquirer:
        runs = Database(OneConnection(database.connect), 8)
        with database.connect() as connection:
            settings = ProcessingSettings(**{**quick, **(processing or {})})
            measures = Measures("test", "tests")
            yield World(Processor(runs, acquirer, measures, settings, chance=lambda: 1.0), simulator, connection)
        runs.close()
