"""Connections to PostgreSQL, by verified TLS, with credentials that survive a rotation.

A login is by an IAM token, signed every ten minutes, or by a secret of Secrets Manager, which is read again when the
database rejects the credentials read before.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

import boto3
import psycopg
from botocore.config import Config
from psycopg_pool import ConnectionPool

CONNECT_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 5
LOCK_TIMEOUT_SECONDS = 3
IDLE_IN_TRANSACTION_TIMEOUT_SECONDS = 30
KEEPALIVE_SECONDS = 60
TCP_USER_TIMEOUT_SECONDS = 10
"""How long sent data may stay unacknowledged. TCP's own limit is minutes, for which a failover would hold requests."""
# Connections are replaced after so long, so that load spreads again after a failover or to new instances.
MAX_LIFETIME_SECONDS = 1800
MIN_CONNECTIONS = 2  # open before the first request, and kept
MAX_IDLE_SECONDS = 120
# By default boto3 would wait for minutes.
AWS_CONFIG = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2, "mode": "standard"})

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")
Connection = psycopg.Connection[Any]
TOKEN_SECONDS = 600.0
"""Seconds that an IAM token is used for new connections, of the 900 that it is valid."""


@dataclass(frozen=True)
class Credentials:
    """A database user and its password."""

    user: str
    password: str = field(repr=False)


class Login(Protocol):
    """A source of credentials."""

    def credentials(self) -> Credentials:
        """The credentials to log in with."""

    def renewed(self, rejected: Credentials) -> Credentials:
        """The credentials to log in with after these were rejected; the same where there are no others."""


class IamLogin:
    """IAM database authentication: a token in place of the password, kept for the connections of ten minutes.

    A pool that connects anew after a failover so signs once, and not for each connection, as AWS advises.
    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.html
    """

    def __init__(
        self, *, host: str, port: int, user: str, region: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``host`` is the endpoint's own name: a token is valid for no other."""
        self._arguments = {"DBHostname": host, "Port": port, "DBUsername": user, "Region": region}
        make: Any = boto3.client
        self._client = make("rds", region_name=region, config=AWS_CONFIG)
        self._user = user
        self._clock = clock
        self._cached: Credentials | None = None
        self._until = 0.0
        self._lock = threading.Lock()

    def credentials(self) -> Credentials:
        """A token, signed without a call; it is valid for 15 minutes."""
        with self._lock:
            if self._cached is None or self._clock() >= self._until:
                self._cached = self._signed()
            return self._cached

    def renewed(self, rejected: Credentials) -> Credentials:
        """Another token: the role's own credentials may have changed since the first was signed."""
        with self._lock:
            if self._cached is None or self._cached is rejected:  # two of one second are equal
                self._cached = self._signed()
            return self._cached

    def _signed(self) -> Credentials:
        self._until = self._clock() + TOKEN_SECONDS
        return Credentials(self._user, self._client.generate_db_auth_token(**self._arguments))


class SecretLogin:
    """User and password of a secret of Secrets Manager, cached until the database rejects them."""

    def __init__(self, secret: str, *, region: str) -> None:
        """``secret`` is an ARN or a name."""
        make: Any = boto3.client
        self._client = make("secretsmanager", region_name=region, config=AWS_CONFIG)
        self._secret = secret
        self._cached: Credentials | None = None
        self._lock = threading.Lock()

    def credentials(self) -> Credentials:
        """The cached credentials; read if there are none."""
        with self._lock:
            if self._cached is None:
                self._cached = self._read()
            return self._cached

    def renewed(self, rejected: Credentials) -> Credentials:
        """The secret read again: once, for all callers that were rejected with the same credentials."""
        with self._lock:
            if self._cached == rejected:
                self._cached = self._read()
            return self._cached or rejected

    def _read(self) -> Credentials:
        values = json.loads(self._client.get_secret_value(SecretId=self._secret)["SecretString"])
        return Credentials(values["username"], values["password"])


@dataclass(frozen=True)
class Database:
    """A database and the login to it."""

    host: str
    name: str
    login: Login
    certificates: Path
    """The CA certificates that the server's certificate is verified with; of RDS, its global bundle."""
    port: int = 5432
    application: str = "payments"
    """Names the process in the database's views and logs."""
    statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS
    role: str | None = None
    """The role that each session takes on; without one it has all rights of the login."""

    @cached_property
    def _parameters(self) -> dict[str, Any]:
        options = {"role": self.role} if self.role else {}
        timeouts = {
            "statement_timeout": self.statement_timeout_seconds,
            "lock_timeout": LOCK_TIMEOUT_SECONDS,
            "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT_SECONDS,
        }
        options |= {name: str(int(seconds * 1000)) for name, seconds in timeouts.items()}
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.name,
            "sslmode": "verify-full",
            "sslrootcert": str(self.certificates),
            "application_name": self.application,
            # For a while after a failover the endpoint may resolve to a read-only instance, and in a standby region it
            # always does. Such a connection is rejected here, to be retried, instead of failing at the first write.
            # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Endpoints.Cluster.html
            "target_session_attrs": "read-write",
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            # While a statement takes its time, so that nothing on the way forgets the connection.
            "keepalives_idle": KEEPALIVE_SECONDS,
            "tcp_user_timeout": TCP_USER_TIMEOUT_SECONDS * 1000,
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
        }

    def connect(self) -> Connection:
        """Open a connection in autocommit mode.

        Raises:
            psycopg.OperationalError: no connection, with renewed credentials neither.
        """
        return self.open(psycopg.Connection.connect)

    def open(self, connect: Callable[..., C]) -> C:
        """Open a connection by ``connect``, which takes libpq's parameters.

        Raises:
            psycopg.OperationalError: no connection, with renewed credentials neither.
        """
        credentials = self.login.credentials()
        try:
            return self._open_as(connect, credentials)
        except psycopg.OperationalError as error:
            if not _is_rejected_login(error):
                raise
            renewed = self.login.renewed(credentials)
            if renewed == credentials:
                raise
        return self._open_as(connect, renewed)

    def _open_as(self, connect: Callable[..., C], credentials: Credentials) -> C:
        return connect(**self._parameters, user=credentials.user, password=credentials.password, autocommit=True)


def _is_rejected_login(error: psycopg.OperationalError) -> bool:
    """Whether the credentials were rejected. Before a session exists psycopg has no SQLSTATE, only libpq's message.

    https://www.postgresql.org/docs/current/errcodes-appendix.html, class 28
    """
    message = str(error)
    return "authentication failed" in message or "is not permitted to log in" in message


class _PooledConnection(psycopg.Connection[Any]):
    """A connection that the pool opens through :class:`Database`."""

    @classmethod
    def connect(cls, conninfo: str = "", *, database: Database, **_values: Any) -> Self:  # type: ignore[override] # noqa: ARG003
        """See :meth:`Database.connect`."""
        return database.open(super().connect)


class Pool:
    """A pool of connections: opened as they are needed, up to a maximum, and closed when they have been idle.

    The platform scales by the number of connections: a pool that kept its maximum open would always look full.
    """

    def __init__(self, database: Database, connections: int) -> None:
        self._pool = ConnectionPool(
            connection_class=_PooledConnection,
            kwargs={"database": database},
            min_size=min(connections, MIN_CONNECTIONS),
            max_size=connections,
            max_idle=MAX_IDLE_SECONDS,
            max_lifetime=MAX_LIFETIME_SECONDS,
            reconnect_timeout=5,
            open=False,
            name=database.application,
        )

    def open(self) -> None:
        """Start to open the first connections, without waiting for them."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def run(
        self,
        function: Callable[Concatenate[Connection, P], R],
        /,
        timeout_seconds: float,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Call a function with a connection; if the connection turns out to be lost, call it again with another.

        A connection to an instance that has become read-only counts as lost. The function must be idempotent: the
        database may have committed what the lost connection sent.

        Raises:
            psycopg_pool.PoolTimeout: no connection within ``timeout_seconds``.
            psycopg.Error: raised by the function.
        """
        deadline = time.monotonic() + timeout_seconds
        tries = 0
        while True:
            tries += 1
            with self._pool.connection(timeout=max(deadline - time.monotonic(), 0.0)) as connection:
                try:
                    return function(connection, *args, **kwargs)
                except psycopg.errors.ReadOnlySqlTransaction:
                    connection.close()  # the pool opens another in its place, to the writer
                    if tries > self._pool.max_size:
                        raise
                except psycopg.OperationalError:
                    if not connection.broken or tries > self._pool.max_size:
                        raise
