"""Work on the database beside the event loop: as much at a time as there are connections, and a bounded number waiting.

What finds no room is refused at once, and what waits too long is refused without having been begun: a service that is
asked for more than it can do answers what it can, quickly, instead of answering nothing in time.
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


class Gate:
    """The way to the database for requests."""

    def __init__(self, pool: Pool, *, connections: int, waiting: int, waiting_seconds: float) -> None:
        """As many threads as the pool has connections: none waits for one."""
        self._pool = pool
        self._executor = ThreadPoolExecutor(connections, thread_name_prefix="database")
        self._room = asyncio.Semaphore(connections)
        self._free_places = waiting
        self._seconds = waiting_seconds

    async def run(self, function: Callable[Concatenate[Connection, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function with a connection, in a thread.

        Raises:
            Overloaded: there was no room, or no connection. The function was not called.
            psycopg.Error: what the function raised.
        """
        await self._enter()
        work = asyncio.get_running_loop().run_in_executor(self._executor, self._call, function, args, kwargs)
        # Also when the request is given up: the thread is taken until its work is done.
        work.add_done_callback(lambda _: self._room.release())
        return await asyncio.shield(work)

    async def _enter(self) -> None:
        if not self._room.locked():
            await self._room.acquire()
            return
        if not self._free_places:
            raise Overloaded
        self._free_places -= 1
        try:
            await asyncio.wait_for(self._room.acquire(), self._seconds)
        except TimeoutError:
            raise Overloaded from None
        finally:
            self._free_places += 1

    def _call(self, function: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        try:
            return self._pool.run(function, self._seconds, *args, **kwargs)
        except PoolTimeout:
            raise Overloaded("The database is not to be reached. Repeat the request with the same key.") from None

    def close(self) -> None:
        """Wait for what is under way."""
        self._executor.shutdown()
