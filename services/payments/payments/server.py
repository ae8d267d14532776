"""The process that serves the API: how it begins, and how it ends without losing a request.

On SIGTERM it goes on taking requests for a while, as the load balancer still sends some, and asks clients to close
their connections; then it takes no more, ends those under way, sends what is left in the outbox, and is gone.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from payments import api, logs, tls, tracing
from payments.database import Database, Pool
from payments.gate import Gate
from payments.publisher import Publisher, Queue
from payments.settings import DatabaseSettings, ServiceSettings

# Longer than a load balancer's idle timeout of 60 s: it is the one to close an idle connection.
KEEP_ALIVE_SECONDS = 75
BACKLOG = 1024


def serve(settings: ServiceSettings, database_settings: DatabaseSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    tracing.configure("payments")
    database = database_settings.database(settings.aws_region)
    queue = Queue(settings.queue_url, settings.aws_region)
    publisher = _publisher(settings, database, queue) if settings.publishes else None
    connections = database_settings.connections - (1 if publisher else 0)
    pool = Pool(database, connections)
    pool.open()
    try:
        asyncio.run(_serve(settings, pool, connections, queue, publisher))
    finally:
        pool.close()
    logs.info("stopped")


def _publisher(settings: ServiceSettings, database: Database, queue: Queue) -> Publisher:
    return Publisher(database, queue, environment=settings.environment_suffix, keep_keys=settings.keep_keys)


async def _serve(
    settings: ServiceSettings, pool: Pool, connections: int, queue: Queue, publisher: Publisher | None
) -> None:
    gate = Gate(
        pool, connections=connections, waiting=settings.waiting_requests, waiting_seconds=settings.waiting_seconds
    )
    app = api.create(settings, api.Service(settings, gate, queue, publisher))
    if publisher:
        publisher.start()

    def drain() -> None:
        app.state.draining = True

    await _Server(_configuration(settings, app), drain, settings.drain_seconds).serve()
    gate.close()
    if publisher:
        await asyncio.to_thread(publisher.stop, settings.stop_seconds)


def _configuration(settings: ServiceSettings, app: object) -> uvicorn.Config:
    def context(_config: uvicorn.Config, _default: object) -> ssl.SSLContext:
        return tls.server_context()

    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=settings.listen,
        port=settings.http_port or settings.https_port,
        ssl_context_factory=None if settings.http_port else context,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.stop_seconds),
    )


class _Server(uvicorn.Server):
    """Uvicorn, with a time between the signal and the end in which requests are still taken."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None], drain_seconds: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._drain_seconds = drain_seconds
        self._loop = asyncio.get_running_loop()
        self._drain_until_exit: asyncio.TimerHandle | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Begin to end at the first signal, and end at once at the second.

        Uvicorn's own raises the signal again once all is served, which would end the process before the outbox is sent.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._begin_to_end)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)  # the end has begun

    def _begin_to_end(self) -> None:
        if self._drain_until_exit is None:
            logs.info("stopping", drain_seconds=self._drain_seconds)
            self._drain()
            self._drain_until_exit = self._loop.call_later(self._drain_seconds, self._end)
        else:
            self._end()

    def _end(self) -> None:
        self.should_exit = True
