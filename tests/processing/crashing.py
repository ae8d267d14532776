"""Runs workers that end without warning at one of their outward calls: reads cases as JSON from standard input.

Each case is a worker of its own, forked: {"environment": {...}, "call": 3, "when": "before"}. It consumes its queue
until it ends at that call, or, where the call is 0, until it has deleted a message. Prints how each has ended.

The calls are counted as they are made: to the database, to the acquirer, and to the queue (a call for messages counts
if it brings one). The circuit is read once a second, which changes nothing, and is not counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import boto3

from payments import repository
from payments.acquirer.http_client import HttpAcquirer
from payments.database import Pool
from payments.processing.composition import compose
from payments.processing.worker import Worker, WorkerSettings
from payments.queue import Queue

CRASHED = 9
SECONDS = 60


class Calls:
    """Counts calls, and ends the process at one of them."""

    def __init__(self, call: int, when: str) -> None:
        self._call, self._when, self._made = call, when, 0

    def begin(self) -> None:
        self._made += 1
        self._crash("before", self._made)

    def end(self) -> None:
        self._crash("after", self._made)

    def _crash(self, when: str, made: int) -> None:
        if (made, when) == (self._call, self._when):
            os._exit(CRASHED)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.begin()
            answer = function(*args, **kwargs)
            self.end()
            return answer

        return call

    def around_pool(self, function: Callable[..., Any]) -> Callable[..., Any]:
        counted = self.around(function)

        def call(pool: Any, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            return (function if work is repository.get_circuit else counted)(pool, work, *args, **kwargs)

        return call

    def around_async(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self.begin()
            try:
                return await function(*args, **kwargs)
            finally:
                self.end()

        return call

    def around_receive(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            messages = function(*args, **kwargs)
            if messages:
                self.begin()
                self.end()
            return messages

        return call


async def work(calls: Calls) -> None:
    """Work until a message is deleted, if not to the crash."""
    composition = compose("worker")
    environment = composition.environment
    settings = WorkerSettings()
    queue = Queue(environment.queue_url, region=environment.aws_region, wait_seconds=settings.wait_seconds)
    worker = Worker(composition.router, queue, settings)
    loop = asyncio.get_running_loop()

    def stopping(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            answer = function(*args)
            loop.call_soon_threadsafe(worker.stop)
            return answer

        return call

    queue.delete = stopping(calls.around(queue.delete))  # type: ignore[method-assign]
    queue.receive = calls.around_receive(queue.receive)  # type: ignore[method-assign]
    queue.redeliver = calls.around(queue.redeliver)  # type: ignore[method-assign]
    await worker.run()
    await composition.close()


def run(case: dict[str, Any]) -> None:
    signal.alarm(SECONDS)
    os.environ.update(case["environment"])
    calls = Calls(case["call"], case["when"])
    Pool.run = calls.around_pool(Pool.run)  # type: ignore[method-assign]
    HttpAcquirer._send = calls.around_async(HttpAcquirer._send)  # type: ignore[method-assign]
    asyncio.run(work(calls))


def main() -> None:
    boto3.client("sqs", region_name="us-east-2")  # what it loads, the forked need not
    children = {}
    for number, case in enumerate(json.load(sys.stdin)):
        pid = os.fork()
        if pid == 0:
            try:
                run(case)
            except BaseException:  # noqa: BLE001 - forked: nothing of this process's may go on
                import traceback

                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        children[pid] = number
    ended: dict[int, int] = {}
    while len(ended) < len(children):
        pid, status = os.wait()
        ended[children[pid]] = os.waitstatus_to_exitcode(status)
    print(json.dumps([ended[number] for number in range(len(children))]))


if __name__ == "__main__":
    main()
