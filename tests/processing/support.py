"""A simulated acquirer in this process, and its HTTP client with short timeouts."""

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
from payments.acquirer.breaker import BreakerSettings, CircuitBreaker
from payments.acquirer.http_client import HttpAcquirer
from payments.acquirer.port import AcquirerRequest
from payments.acquirer.settings import AcquirerSettings
from payments.identifiers import new_id
from payments.messages import ProcessOperation
from payments.metrics import MetricRecorder
from payments.processing.executor import DatabaseExecutor
from payments.processing.processor import Processor
from payments.processing.settings import ProcessingSettings
from payments.repository import IdempotencyKey, NewOperation, NewPayment, StoredResponse
from payments.states import OperationKind
from rehearsal.acquirer import Behaviour, Simulator, start
from shared.payment_metrics import Metric
from tests.payments.conftest import Database
from tests.payments.support import BY

P = ParamSpec("P")
R = TypeVar("R")

KEY = UUID("0193a8f0-0000-7000-8000-000000000001")


def request(**values: Any) -> AcquirerRequest:
    return AcquirerRequest(
        **{"key": KEY, "kind": OperationKind.SALE, "amount": 1250, "currency": "EUR", "token": "tok_1", **values}
    )


SECONDS = 60.0
PATIENT = {"connect_seconds": 30.0, "read_seconds": SECONDS, "total_seconds": SECONDS}
"""Of an acquirer that answers, however busy this machine is; one that is silent is given up as soon as settings say."""


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
    """A simulated acquirer and its URL."""
    simulator = Simulator(Behaviour(**behaviour))
    server = await start(simulator)
    try:
        yield simulator, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def reached(url: str, breaker: dict[str, Any] | None = None, **values: Any) -> AsyncIterator[HttpAcquirer]:
    """The HTTP client of the acquirer at ``url``."""
    adapter = HttpAcquirer(settings(url, **values), breaker=CircuitBreaker(BreakerSettings(**(breaker or {}))))
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
    kind: OperationKind = OperationKind.SALE,
    amount: int = 1250,
    age_seconds: float = 0.0,
    currency: str = "EUR",
) -> ProcessOperation:
    """Store a payment; returns the message of its first operation. The outbox is left empty."""
    at = datetime.now(UTC) - timedelta(seconds=age_seconds)
    identity = new_id(datetime.now(UTC))
    first = NewOperation(
        id=new_id(datetime.now(UTC)), payment_id=identity, kind=kind, amount=amount, correlation_id="c-1", created_at=at
    )
    payment = NewPayment(currency, f"tok_{identity}", None, first)
    repository.create_payment(
        connection,
        BY,
        payment,
        IdempotencyKey(secrets.token_hex(8), secrets.token_bytes(32)),
        StoredResponse(202, "{}"),
    )
    return _message(connection, first)


def requested(
    connection: psycopg.Connection[Any], payment_id: UUID, kind: OperationKind, amount: int
) -> ProcessOperation:
    """Store a later operation of a payment; returns its message."""
    now = datetime.now(UTC)
    operation = NewOperation(
        id=new_id(now), payment_id=payment_id, kind=kind, amount=amount, correlation_id="c-2", created_at=now
    )
    repository.create_operation(
        connection,
        BY,
        operation,
        IdempotencyKey(secrets.token_hex(8), secrets.token_bytes(32)),
        StoredResponse(202, "{}"),
    )
    return _message(connection, operation)


@dataclass(frozen=True)
class SeenByAcquirer:
    """The request for an operation, as the acquirer's book takes it."""

    key: str
    body: dict[str, Any]


def seen_by_acquirer(connection: psycopg.Connection[Any], message: ProcessOperation) -> SeenByAcquirer:
    """The request that the acquirer gets, or would get, for the first operation of a payment."""
    row = connection.execute(
        """
        SELECT acquirer_key, kind, operation.amount, currency, token
        FROM payments.operations AS operation JOIN payments.payments AS payment ON payment.id = payment_id
        WHERE operation.id = %s
        """,
        (message.operation_id,),
    ).fetchone()
    assert row
    key, kind, amount, currency, token = row
    return SeenByAcquirer(str(key), {"kind": kind, "amount": amount, "currency": currency, "token": token})


def _message(connection: psycopg.Connection[Any], operation: NewOperation) -> ProcessOperation:
    with connection.transaction():
        messages = repository.claim_outbox_messages(connection, 1000)
        repository.delete_outbox_messages(connection, [message.id for message in messages])
    return ProcessOperation(
        operation.id, operation.payment_id, operation.correlation_id, acquirer_key=messages[-1].acquirer_key
    )


@dataclass
class World:
    """A processor, its acquirer and its database."""

    processor: Processor
    simulator: Simulator
    connection: psycopg.Connection[Any]

    async def process(self, message: ProcessOperation, seconds: float = 30.0) -> None:
        await self.processor.process(message, seconds)

    def status(self, message: ProcessOperation) -> str:
        found = repository.get_payment(self.connection, BY.merchant_id, message.payment_id)
        assert found
        return found.status.value

    def attempts(self, message: ProcessOperation) -> int:
        (found,) = [
            one
            for one in repository.list_operations(self.connection, message.payment_id)
            if one.id == message.operation_id
        ]
        return found.attempts

    def requests(self, message: ProcessOperation) -> int:
        """How often the acquirer was requested to perform the operation."""
        return self.simulator.book.requests[str(message.acquirer_key)]

    def behave(self, **behaviour: Any) -> None:
        self.simulator.behaviour = Behaviour(**behaviour)

    def measured(self, metric: Metric) -> list[float]:
        return self.processor.metrics.buffered(metric)


@asynccontextmanager
async def world(
    database: Database,
    adapter: dict[str, Any] | None = None,
    processing: dict[str, Any] | None = None,
    **behaviour: Any,
) -> AsyncIterator[World]:
    """A world whose parts are all in this process, but for PostgreSQL."""
    quick: dict[str, Any] = {"call_seconds": 5.0, "claim_margin_seconds": 5.0, "first_delay_seconds": 4.0}
    async with simulated(**behaviour) as (simulator, url), reached(url, **(adapter or {})) as acquirer:
        executor = DatabaseExecutor(OneConnection(database.connect), 8)
        with database.connect() as connection:
            settings = ProcessingSettings(**{**quick, **(processing or {})})
            recorder = MetricRecorder("test", "tests")
            processor = Processor(executor, acquirer, recorder, settings, jitter=lambda: 1.0)
            yield World(processor, simulator, connection)
        executor.close()
