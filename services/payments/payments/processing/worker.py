"""Works off the queue in one long-running process, many messages at the same time.

A message is deleted once its operation has an answer, and given out again later if it has none yet. While the acquirer
is left alone (the circuit is open) nothing is received, so that no message loses tries to an acquirer that is down.

Stopped, the worker receives no more and ends what it has begun, within the grace that ECS gives (120 s, as Spot does
between its warning and the end). Killed, it loses nothing: what it held is given out again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, Any, ParamSpec, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from payments import logs
from payments.processing.consumer import consume
from payments.processing.processor import Processor
from payments.processing.queue import MOST_AT_ONCE, Message, Queue

P = ParamSpec("P")
R = TypeVar("R")
OTHER_CALLS = 4
"""Calls of the queue at the same time beside those that wait for messages."""


class WorkerSettings(BaseSettings):
    """How the worker works. Variables begin with WORKER_, such as WORKER_AT_ONCE."""

    model_config = SettingsConfigDict(env_prefix="worker_", frozen=True, hide_input_in_errors=True)

    at_once: Annotated[int, Field(ge=1, le=1000)] = 64
    """Messages that are processed at the same time."""
    pollers: Annotated[int, Field(ge=1, le=10)] = 2
    """Calls that wait for messages at the same time."""
    wait_seconds: Annotated[int, Field(ge=0, le=20)] = 10
    """How long such a call waits; so long a stop may have to wait for it, too."""
    grace_seconds: Annotated[float, Field(gt=0, le=115)] = 90.0
    """How long what was begun has to end, after no more is received."""
    margin_seconds: Annotated[float, Field(ge=1, le=300)] = 10.0
    """How much longer than a try a message stays hidden from others."""
    pause_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Before the queue is called again after it failed."""
    metrics_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    """Between two lines of metrics."""


class Worker:
    """The worker at work."""

    def __init__(self, processor: Processor, queue: Queue, settings: WorkerSettings) -> None:
        self._processor = processor
        self._queue = queue
        self._settings = settings
        self._stopping = asyncio.Event()
        self._places = asyncio.Semaphore(settings.at_once)
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: asyncio.Queue[Message] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(settings.pollers + OTHER_CALLS, "queue")
        self._try_seconds = processor.settings.call_seconds + processor.settings.claim_margin_seconds

    def stop(self) -> None:
        """Receive no more; :meth:`run` returns once what was begun has ended."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until :meth:`stop`."""
        logs.info("working", at_once=self._settings.at_once)
        helpers = [asyncio.create_task(self._delete()), asyncio.create_task(self._measure())]
        await asyncio.gather(*(self._poll() for _ in range(self._settings.pollers)))
        logs.info("stopping", under_way=len(self._tasks))
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=self._settings.grace_seconds)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            logs.info("stopped", given_back=len(left))
        await self._done.join()
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        self._threads.shutdown()
        self._processor.measures.flush()

    async def _poll(self) -> None:
        while not self._stopping.is_set():
            if closed_for := self._processor.acquirer.closed_for_seconds():
                await self._pause(closed_for)
                continue
            places = await self._take_places()
            hidden = round(self._try_seconds + self._settings.margin_seconds)
            messages = await self._called(self._queue.receive, places, hidden)
            for _ in range(places - len(messages or ())):
                self._places.release()
            if messages is None:
                await self._pause(self._settings.pause_seconds)
            for message in messages or ():
                self._begin(self._process(message))

    async def _take_places(self) -> int:
        """How many messages there is room for: as soon as one, and as many as one call brings."""
        await self._places.acquire()
        taken = 1
        while taken < MOST_AT_ONCE and not self._places.locked():
            await self._places.acquire()
            taken += 1
        return taken

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._places.release()
        if not task.cancelled() and (error := task.exception()):
            logs.error("not processed", error)

    async def _process(self, message: Message) -> None:
        later = await consume(self._processor, message.id, message.body, message.receives, self._try_seconds)
        if later is None:
            self._done.put_nowait(message)
        else:
            await self._called(self._queue.give_out_again, message.receipt, later.seconds)

    async def _delete(self) -> None:
        """Delete what is done with, as many at a time as there are. What cannot be deleted comes again, in vain."""
        while True:
            messages = [await self._done.get()]
            while len(messages) < MOST_AT_ONCE and not self._done.empty():
                messages.append(self._done.get_nowait())
            await self._called(self._queue.delete, messages)
            for _ in messages:
                self._done.task_done()

    async def _measure(self) -> None:
        while True:
            await asyncio.sleep(self._settings.metrics_seconds)
            self._processor.measures.flush()

    async def _called(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
        """What a call of the queue gives; nothing if it failed."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **kwargs))
        except (BotoCoreError, ClientError) as error:
            logs.info("the queue failed", cause=type(error).__name__)
            return None

    async def _pause(self, seconds: float) -> None:
        """Wait, but for a stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass
