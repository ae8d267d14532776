"""The server process of the API: how it starts, and how it stops without losing a request.

On SIGTERM it drains: it still accepts requests for a while, as the load balancer still sends some, and has clients
close their connections. Then it accepts no more, completes those that are running, sends what is left in the outbox,
and ends.
"""

from __future__ import annotations

import asyncio
import math
import signal
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from payments import application, logs, tls, tracing
from payments.acquirer.notification_keys import NotificationKeys
from payments.api_keys import Peppers
from payments.authentication import Authenticator
from payments.database import Pool
from payments.limiter import ConcurrencyLimiter
from payments.publisher import Publisher
from payments.queue import Queue
from payments.quotas import LookupQuotas, Quota, Quotas
from payments.roles import API, PUBLISHING
from payments.service import Service
from payments.settings import DatabaseSettings, IssuerSettings, ServiceSettings, read
from payments.tokens import Issuer, Tokens

# Longer than the load balancers' idle timeout (settings/load_balancer.py): they close an idle connection first.
KEEP_ALIVE_SECONDS = 75
BACKLOG = 1024
MOST_PLACES = 1_000_000  # no limit but those of all merchants together


def serve(settings: ServiceSettings, database_settings: DatabaseSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    tracing.configure("payments")
    database = database_settings.database(settings.aws_region, role=API)
    queue = Queue(settings.queue_url, region=settings.aws_region)
    publisher = _publisher(settings, database_settings.of_publisher(), queue) if settings.publishes else None
    connections = database_settings.connections - (1 if publisher else 0)
    pool = Pool(database, connections)
    pool.open()
    try:
        asyncio.run(_serve(settings, pool, connections, queue, publisher))
    finally:
        pool.close()
    logs.info("stopped")


def _publisher(settings: ServiceSettings, database_settings: DatabaseSettings, queue: Queue) -> Publisher:
    database = database_settings.database(settings.aws_region, application="publisher", role=PUBLISHING)
    return Publisher(database, queue, environment=settings.environment_suffix, kept=settings.lifetimes)


async def _serve(
    settings: ServiceSettings, pool: Pool, connections: int, queue: Queue, publisher: Publisher | None
) -> None:
    limiter = ConcurrencyLimiter(
        pool,
        connections=connections,
        max_waiting=settings.waiting_requests,
        max_wait_seconds=settings.waiting_seconds,
    )
    authenticator = Authenticator(
        limiter,
        Peppers(settings.api_key_peppers_secret_arn, region=settings.aws_region),
        mode=settings.api_key_mode,
        keep_seconds=settings.credential_seconds,
        client_certificates=settings.client_certificates,
        tokens=_tokens(read(IssuerSettings)),
        lookup_quotas=LookupQuotas(
            per_second=settings.unknown_credentials_per_second, burst=settings.unknown_credentials_burst
        ),
    )
    service = Service(
        settings,
        limiter=limiter,
        authenticator=authenticator,
        quotas=Quotas(_quota(settings, connections)),
        queue=queue,
        publisher=publisher,
        notification_keys=_notification_keys(settings),
    )
    app = application.create(settings, service)
    if publisher:
        publisher.start()

    def drain() -> None:
        app.state.draining = True

    await _Server(_configuration(settings, app), drain, settings.drain_seconds).serve()
    limiter.close()
    if publisher:
        await asyncio.to_thread(publisher.stop, settings.stop_seconds)


def _notification_keys(settings: ServiceSettings) -> NotificationKeys | None:
    secret = settings.acquirer_notification_secret_arn
    return NotificationKeys(secret, region=settings.aws_region) if secret else None


def _tokens(settings: IssuerSettings) -> Tokens | None:
    if settings.issuer is None or settings.jwks_url is None or settings.audience is None:
        return None
    return Tokens(
        Issuer(
            issuer=settings.issuer,
            jwks_url=settings.jwks_url,
            audience=settings.audience,
            algorithms=settings.algorithms,
            refresh_seconds=settings.refresh_seconds,
            stale_seconds=settings.stale_seconds,
        )
    )


def _whole(places: float) -> int:
    return int(min(places, MOST_PLACES))


def _quota(settings: ServiceSettings, connections: int) -> Quota:
    share = settings.merchant_share if settings.merchant_share < 1 else math.inf
    return Quota(
        requests_per_second=settings.merchant_requests_per_second,
        burst=settings.merchant_burst,
        running=max(1, _whole(connections * share)),
        waiting=_whole(settings.waiting_requests * share),
        max_wait_seconds=settings.waiting_seconds,
        refusal_seconds=settings.merchant_refusal_seconds,
    )


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
    """Uvicorn with a drain period between the signal and the shutdown."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None], drain_seconds: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._drain_seconds = drain_seconds
        self._loop = asyncio.get_running_loop()
        self._drain_until_exit: asyncio.TimerHandle | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain at the first signal, and shut down at once at the second.

        Uvicorn's own method raises the signal again after the shutdown, which would end the process before the outbox
        is sent.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)  # the process is ending already

    def _stop(self) -> None:
        if self._drain_until_exit is None:
            logs.info("draining", drain_seconds=self._drain_seconds)
            self._drain()
            self._drain_until_exit = self._loop.call_later(self._drain_seconds, self._exit)
        else:
            self._exit()

    def _exit(self) -> None:
        self.should_exit = True
