"""The worker: a long-running process that consumes the queue, many messages at the same time.

A message is deleted once its operation is completed, and redelivered after a delay if it is still pending. While the
circuit breaker is open nothing is received, so that no message uses up its deliveries on an acquirer that is down.

Stopped, the worker receives no more and completes what it has begun, within the time that ECS gives it (120 s, as Spot
does between its warning and the end). Killed, it loses nothing: its messages are redelivered.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, Any, ParamSpec, TypeVar

import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from psycopg_pool import PoolTimeout
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from payments import logs
from payments.processing.composition import compose
from payments.processing.consumer import GivenUp, Redelivery, consume
from payments.processing.processor import Processor
from payments.processing.routing import Router
from payments.queue import MAX_BATCH, Message, Queue
from payments.settings import read
from shared.payment_metrics import WORKER

P = ParamSpec("P")
R = TypeVar("R")
OTHER_CALLS = 4
"""Calls to the queue at the same time, in addition to those that wait for messages."""


class WorkerSettings(BaseSettings):
    """The worker's concurrency and timeouts. Variables begin with WORKER_, such as WORKER_CONCURRENCY."""

    model_config = SettingsConfigDict(env_prefix="worker_", frozen=True, hide_input_in_errors=True)

    concurrency: Annotated[int, Field(ge=1, le=1000)] = 64
    """Messages that are processed at the same time."""
    pollers: Annotated[int, Field(ge=1, le=10)] = 2
    """Calls that wait for messages at the same time."""
    wait_seconds: Annotated[int, Field(ge=0, le=20)] = 10
    """How long such a call waits for a message (long polling). A stop may have to wait as long."""
    grace_seconds: Annotated[float, Field(gt=0, le=115)] = 90.0
    """How long messages have to be completed after a stop."""
    visibility_margin_seconds: Annotated[float, Field(ge=1, le=300)] = 10.0
    """How much longer than an attempt a message stays invisible to other consumers."""
    pause_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Pause after a call to the queue that failed."""
    metrics_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    """Interval at which metrics are written."""


class Worker:
    """Consumes a queue until it is stopped."""

    def __init__(self, processor: Processor | Router, queue: Queue, settings: WorkerSettings) -> None:
        self._processor = processor
        self._queue = queue
        self._settings = settings
        self._stopping = asyncio.Event()
        self._places = asyncio.Semaphore(settings.concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._completed: asyncio.Queue[Message] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(settings.pollers + OTHER_CALLS, "queue")
        self._attempt_seconds = processor.settings.call_seconds + processor.settings.claim_margin_seconds

    def stop(self) -> None:
        """Receive no more; :meth:`run` returns once the messages that were received are completed."""
        self._stopping.set()

    async def run(self) -> None:
        """Consume the queue until :meth:`stop`."""
        logs.info("consuming", concurrency=self._settings.concurrency)
        helpers = [asyncio.create_task(self._delete()), asyncio.create_task(self._flush_metrics())]
        await asyncio.gather(*(self._poll() for _ in range(self._settings.pollers)))
        logs.info("stopping", running=len(self._tasks))
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=self._settings.grace_seconds)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            logs.info("stopped", cancelled=len(left))
        await self._completed.join()
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        self._threads.shutdown()
        self._processor.metrics.flush()

    async def _poll(self) -> None:
        while not self._stopping.is_set():
            if open_for := await self._open_for_seconds():
                await self._pause(open_for)
                continue
            places = await self._take_places()
            visibility = round(self._attempt_seconds + self._settings.visibility_margin_seconds)
            messages = await self._call(self._queue.receive, places, visibility)
            for _ in range(places - len(messages or ())):
                self._places.release()
            if messages is None:
                await self._pause(self._settings.pause_seconds)
            for message in messages or ():
                self._start(self._process(message))

    async def _open_for_seconds(self) -> float:
        """For how long nothing is received: the acquirer is not called, or the database cannot be asked."""
        try:
            return await self._processor.open_for_seconds()
        except (psycopg.Error, PoolTimeout) as error:
            logs.info("circuit not read", cause=type(error).__name__)
            return self._settings.pause_seconds

    async def _take_places(self) -> int:
        """Wait for a free place, and take as many as are free and one call can fill; returns the number."""
        await self._places.acquire()
        taken = 1
        while taken < MAX_BATCH and not self._places.locked():
            await self._places.acquire()
            taken += 1
        return taken

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._places.release()
        if not task.cancelled() and (error := task.exception()):
            logs.error("not processed", error)

    async def _process(self, message: Message) -> None:
        ended = await consume(self._processor, message.id, message.body, message.receives, self._attempt_seconds)
        if isinstance(ended, GivenUp) and not await self._call(self._queue.give_up, message.body):
            ended = Redelivery(ended.seconds, ended.cause)
        if isinstance(ended, Redelivery):
            await self._call(self._queue.redeliver, message.receipt, ended.seconds)
        else:
            self._completed.put_nowait(message)

    async def _delete(self) -> None:
        """Delete messages of completed operations, in batches. One that cannot be deleted is redelivered: no harm."""
        while True:
            messages = [await self._completed.get()]
            while len(messages) < MAX_BATCH and not self._completed.empty():
                messages.append(self._completed.get_nowait())
            await self._call(self._queue.delete, messages)
            for _ in messages:
                self._completed.task_done()

    async def _flush_metrics(self) -> None:
        while True:
            await asyncio.sleep(self._settings.metrics_seconds)
            self._processor.metrics.flush()

    async def _call(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
        """Call the queue in a thread; None where the call failed."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **kwargs))
        except (BotoCoreError, ClientError) as error:
            logs.info("queue failed", cause=type(error).__name__)
            return None

    async def _pause(self, seconds: float) -> None:
        """Wait for ``seconds``, or until the worker is stopped."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass


async def work() -> None:
    """Run a worker until SIGTERM or SIGINT.

    Raises:
        payments.settings.Misconfigured: a line for each variable that is missing or invalid.
    """
    settings = read(WorkerSettings)
    composition = compose(WORKER)
    try:
        environment = composition.environment
        queue = Queue(
            environment.queue_url,
            region=environment.aws_region,
            wait_seconds=settings.wait_seconds,
            dead_letters=environment.dead_letter_queue_url,
        )
        worker = Worker(composition.router, queue, settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, worker.stop)
        await worker.run()
    finally:
        await composition.close()
