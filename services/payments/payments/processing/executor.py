"""Runs the repository's functions in threads, next to the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from payments.repository import Connection

CONNECTION_SECONDS = 5.0
"""How long a function waits for a connection."""

P = ParamSpec("P")
R = TypeVar("R")


class Pool(Protocol):
    """A pool of connections in autocommit mode, such as :class:`payments.database.Pool`."""

    def run(
        self,
        function: Callable[Concatenate[Connection, P], R],
        /,
        timeout_seconds: float,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Call a function with a connection, for which it waits for at most ``timeout_seconds``."""


class DatabaseExecutor:
    """Runs functions of the repository with the connections of a pool."""

    def __init__(self, pool: Pool, connections: int) -> None:
        """As many threads as the pool has ``connections``."""
        self._pool = pool
        self._threads = ThreadPoolExecutor(connections, "database")

    async def run(self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function of the repository with a connection and these arguments."""

        def call() -> R:
            return self._pool.run(function, CONNECTION_SECONDS, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> None:
        """End the threads. The pool stays open."""
        self._threads.shutdown()
