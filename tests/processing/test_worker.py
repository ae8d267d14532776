"""The worker's loop by itself: when it receives, how much at once, and what becomes of a message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from botocore.exceptions import EndpointConnectionError

from payments.messages import ProcessOperation
from payments.processing.processor import RetryLater, TriesUsedUp
from payments.processing.settings import ProcessingSettings
from payments.processing.worker import Worker, WorkerSettings
from payments.queue import Message

pytestmark = pytest.mark.requirement("Q4")

PATIENCE = 60  # seconds
NEVER = 3600.0  # seconds
Process = Callable[[ProcessOperation], Awaitable[None]]


def message(number: int) -> Message:
    operation = ProcessOperation(uuid4(), uuid4(), f"c-{number}")
    return Message(f"id-{number}", f"receipt-{number}", operation.to_json(), 1)


class Queue:
    """A queue that holds messages, fails its first calls where asked to, and notes what it is asked for."""

    def __init__(self, count: int, *, failing: int = 0, gives_up: bool = True) -> None:
        self.messages = [message(number) for number in range(count)]
        self.failing, self.gives_up = failing, gives_up
        self.asked: list[int] = []
        self.deleted: list[str] = []
        self.redelivered: list[tuple[str, float]] = []
        self.given_up = 0

    def receive(self, places: int, visibility_seconds: int) -> list[Message]:
        self.asked.append(places)
        assert visibility_seconds > ProcessingSettings().call_seconds
        if len(self.asked) <= self.failing:
            raise EndpointConnectionError(endpoint_url="https://sqs")
        taken, self.messages = self.messages[:places], self.messages[places:]
        return taken

    def delete(self, messages: Sequence[Message]) -> int:
        self.deleted += [one.receipt for one in messages]
        return 0

    def redeliver(self, receipt: str, seconds: float) -> None:
        self.redelivered.append((receipt, seconds))

    def give_up(self, _body: str) -> bool:
        self.given_up += 1
        if not self.gives_up:
            raise EndpointConnectionError(endpoint_url="https://sqs")
        return True


class Processor:
    """Processes as a test wants; ``circuit`` is what it says of the circuit, the first time and so on, then closed."""

    def __init__(self, process: Process, circuit: Sequence[float | Exception] = ()) -> None:
        self.settings = ProcessingSettings()
        self.metrics = SimpleNamespace(add=lambda *_: None, flush=lambda: None)
        self._process, self._circuit = process, list(circuit)

    async def open_for_seconds(self) -> float:
        said = self._circuit.pop(0) if self._circuit else 0.0
        if isinstance(said, Exception):
            raise said
        return said

    def delay_seconds(self, _attempts: int) -> float:
        return 7.0

    async def process(self, operation: ProcessOperation, _seconds: float, _receives: int = 1) -> None:
        await self._process(operation)


def work(processor: Processor, queue: Queue, until: Callable[[], bool], **settings: Any) -> None:
    """Run a worker until something is so, and then stop it."""
    values = {"pollers": 1, "pause_seconds": 0.01, "metrics_seconds": 60, **settings}
    processes: Any = processor
    queues: Any = queue

    async def run() -> None:
        worker = Worker(processes, queues, WorkerSettings(**values))
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(PATIENCE):
            while not until():
                assert not running.done(), "it has ended by itself"
                await asyncio.sleep(0.001)
            worker.stop()
            await running

    asyncio.run(run())


async def done(_operation: ProcessOperation) -> None:
    """Processed."""


def test_each_message_that_is_processed_is_deleted() -> None:
    queue = Queue(25)
    work(Processor(done), queue, lambda: len(queue.deleted) == 25)
    assert sorted(queue.deleted) == sorted(f"receipt-{number}" for number in range(25))
    assert queue.redelivered == []
    assert set(queue.asked) == {10}, "never more than a call can bring"


@pytest.mark.parametrize("circuit", [[0.01, 0.01], [psycopg.OperationalError("no database"), 0.01]])
def test_nothing_is_received_while_no_acquirer_is_called_and_then_it_goes_on(circuit: list[float | Exception]) -> None:
    queue = Queue(1)
    processor = Processor(done, circuit)
    work(processor, queue, lambda: bool(queue.deleted) or (bool(queue.asked) and bool(processor._circuit)))
    assert queue.deleted == ["receipt-0"]
    assert processor._circuit == []


def test_stopped_worker_waits_for_no_circuit() -> None:
    queue, processor = Queue(1), Processor(done, [NEVER])
    work(processor, queue, lambda: not processor._circuit)
    assert queue.asked == []


def test_calls_that_fail_take_no_place() -> None:
    queue = Queue(3, failing=3)
    work(Processor(done), queue, lambda: len(queue.deleted) == 3, concurrency=2)
    assert set(queue.asked) <= {1, 2}
    assert queue.asked[:4] == [2, 2, 2, 2], "all places are free again after each call that brought nothing"


def test_no_more_messages_are_processed_at_once_than_there_are_places() -> None:
    running, most, go = 0, 0, asyncio.Event()

    async def process(_operation: ProcessOperation) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            go.set()
        await go.wait()
        await asyncio.sleep(0.005)
        running -= 1

    queue = Queue(12)
    work(Processor(process), queue, lambda: len(queue.deleted) == 12, concurrency=3)
    assert most == 3


def test_message_without_a_decision_is_redelivered_after_its_delay_and_not_deleted() -> None:
    async def process(operation: ProcessOperation) -> None:
        if operation.correlation_id == "c-0":
            raise RetryLater("no answer", 42.0)

    queue = Queue(2)
    work(Processor(process), queue, lambda: len(queue.deleted) + len(queue.redelivered) == 2)
    assert (queue.deleted, queue.redelivered) == (["receipt-1"], [("receipt-0", 42.0)])


@pytest.mark.parametrize("gives_up", [True, False])
def test_message_that_is_given_up_is_deleted_only_once_it_is_a_dead_letter(*, gives_up: bool) -> None:
    async def process(_operation: ProcessOperation) -> None:
        raise TriesUsedUp("no decision")

    queue = Queue(1, gives_up=gives_up)
    work(Processor(process), queue, lambda: bool(queue.deleted or queue.redelivered))
    assert queue.given_up == 1
    assert (queue.deleted, queue.redelivered) == ((["receipt-0"], []) if gives_up else ([], [("receipt-0", 7.0)]))


def test_stopped_worker_completes_what_it_can_and_cancels_the_rest() -> None:
    begun, cancelled = [], []

    async def process(operation: ProcessOperation) -> None:
        begun.append(operation.correlation_id)
        if operation.correlation_id == "c-0":
            try:
                await asyncio.sleep(NEVER)
            except asyncio.CancelledError:
                cancelled.append(operation.correlation_id)
                raise

    queue = Queue(2)
    work(Processor(process), queue, lambda: len(begun) == 2, grace_seconds=0.2)
    assert cancelled == ["c-0"]
    assert (queue.deleted, queue.redelivered) == (["receipt-1"], [])
