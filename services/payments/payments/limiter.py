"""Concurrency limiter in front of the connection pool: load is shed instead of timing out.

As many requests use the database at a time as there are connections, and a bounded number of others waits. A request
that finds the wait queue full, or that waits longer than the limit, gets a 503, and its query is never started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

from psycopg_pool import PoolTimeout

from payments.database import Pool
from payments.problems import Overloaded
from payments.repository import Connection

P = ParamSpec("P")
R = TypeVar("R")


class ConcurrencyLimiter:
    """Runs functions of the repository in threads, as many at a time as there are connections."""

    def __init__(self, pool: Pool, *, connections: int, max_waiting: int, max_wait_seconds: float) -> None:
        """Limits of this process.

        Args:
            pool: the connections; a thread for each, so that no thread waits for one.
            connections: how many the pool has.
            max_waiting: requests that may wait for a connection.
            max_wait_seconds: how long each may wait.
        """
        self._pool = pool
        self._executor = ThreadPoolExecutor(connections, thread_name_prefix="database")
        self._running = asyncio.Semaphore(connections)
        self._free_places = max_waiting
        self._max_wait_seconds = max_wait_seconds

    async def run(self, function: Callable[Concatenate[Connection, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function of the repository with a connection and these arguments, in a thread.

        Raises:
            Overloaded: the wait queue is full, the wait was too long, or there is no connection. The function was not
                called.
            psycopg.Error: raised by the function.
        """
        await self._acquire()
        work = asyncio.get_running_loop().run_in_executor(self._executor, self._call, function, args, kwargs)
        # Released when the thread has ended, also where the request was cancelled before.
        work.add_done_callback(lambda _: self._running.release())
        return await asyncio.shield(work)

    async def _acquire(self) -> None:
        if not self._running.locked():
            await self._running.acquire()
            return
        if not self._free_places:
            raise Overloaded
        self._free_places -= 1
        try:
            await asyncio.wait_for(self._running.acquire(), self._max_wait_seconds)
        except TimeoutError:
            raise Overloaded from None
        finally:
            self._free_places += 1

    def _call(self, function: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        try:
            return self._pool.run(function, self._max_wait_seconds, *args, **kwargs)
        except PoolTimeout:
            raise Overloaded("The database is unreachable; retry with the same Idempotency-Key.") from None

    def close(self) -> None:
        """Wait for the functions that are running."""
        self._executor.shutdown()
