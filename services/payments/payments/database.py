"""Connections to PostgreSQL: with TLS that is verified, and with credentials that are fetched when they are needed.

A login is by IAM token, made for each connection, or by a secret of Secrets Manager, which is read again when the
database refuses what it held: a rotation goes unnoticed. Lambda functions open one connection; the API has a pool.
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
"""How long what was sent may stay unacknowledged: a failover must not hold a request for the minutes that TCP does."""
# How long a connection serves: after a failover, or with new instances, load is to spread again.
LONGEST_LIFE_SECONDS = 1800
READY_CONNECTIONS = 2  # are open before anybody asks, and stay
IDLE_SECONDS = 120
# boto3 would otherwise wait for minutes.
AWS_CONFIG = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2, "mode": "standard"})

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")
Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Credentials:
    """Who logs in, and with what."""

    user: str
    password: str = field(repr=False)


class Login(Protocol):
    """Where credentials come from."""

    def credentials(self) -> Credentials:
        """What is to be tried."""

    def renewed(self, refused: Credentials) -> Credentials:
        """What is to be tried after these were refused; the same, if there are no others."""


class IamLogin:
    """A token of IAM in the place of the password, made anew for each connection.

    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.Connecting.Python.html
    """

    def __init__(self, *, host: str, port: int, user: str, region: str) -> None:
        """``host`` is the one that AWS knows: the token is good for no other name."""
        self._arguments = {"DBHostname": host, "Port": port, "DBUsername": user, "Region": region}
        make: Any = boto3.client
        self._client = make("rds", region_name=region, config=AWS_CONFIG)
        self._user = user

    def credentials(self) -> Credentials:
        """Signed here, without a call; it is good for 15 minutes."""
        return Credentials(self._user, self._client.generate_db_auth_token(**self._arguments))

    def renewed(self, refused: Credentials) -> Credentials:  # noqa: ARG002 - any other is as good
        """The role's own credentials may have changed while the first was signed."""
        return self.credentials()


class SecretLogin:
    """User and password of a secret of Secrets Manager, kept until the database refuses them."""

    def __init__(self, secret: str, *, region: str) -> None:
        """``secret`` is an ARN, or a name."""
        make: Any = boto3.client
        self._client = make("secretsmanager", region_name=region, config=AWS_CONFIG)
        self._secret = secret
        self._held: Credentials | None = None
        self._lock = threading.Lock()

    def credentials(self) -> Credentials:
        """What is held; read if nothing is."""
        with self._lock:
            if self._held is None:
                self._held = self._read()
            return self._held

    def renewed(self, refused: Credentials) -> Credentials:
        """Read again, once for all who were refused with the same."""
        with self._lock:
            if self._held == refused:
                self._held = self._read()
            return self._held or refused

    def _read(self) -> Credentials:
        values = json.loads(self._client.get_secret_value(SecretId=self._secret)["SecretString"])
        return Credentials(values["username"], values["password"])


@dataclass(frozen=True)
class Database:
    """A database, and how one gets in."""

    host: str
    name: str
    login: Login
    certificates: Path
    """The certificates of the authorities that may vouch for the server: of RDS, its global bundle."""
    port: int = 5432
    application: str = "payments"
    """Shown in the database's views and logs."""
    statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS

    @cached_property
    def _parameters(self) -> dict[str, Any]:
        timeouts = {
            "statement_timeout": self.statement_timeout_seconds,
            "lock_timeout": LOCK_TIMEOUT_SECONDS,
            "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT_SECONDS,
        }
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.name,
            "sslmode": "verify-full",
            "sslrootcert": str(self.certificates),
            "application_name": self.application,
            # After a failover the name may for a while lead to an instance that reads only, and in a region that stands
            # by to no other: that is no connection, to be tried again, rather than one that fails later.
            # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Endpoints.Cluster.html
            "target_session_attrs": "read-write",
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            # While a statement takes its time, so that nothing on the way forgets the connection.
            "keepalives_idle": KEEPALIVE_SECONDS,
            "tcp_user_timeout": TCP_USER_TIMEOUT_SECONDS * 1000,
            "options": " ".join(f"-c {name}={int(seconds * 1000)}" for name, seconds in timeouts.items()),
        }

    def connect(self) -> Connection:
        """A connection that commits each statement by itself, but for transactions that are begun.

        Raises:
            psycopg.OperationalError: it could not be had, also with credentials read again.
        """
        return self.open(psycopg.Connection.connect)

    def open(self, connect: Callable[..., C]) -> C:
        """What ``connect`` makes of libpq's parameters.

        Raises:
            psycopg.OperationalError: it could not be had, also with credentials read again.
        """
        credentials = self.login.credentials()
        try:
            return self._open_as(connect, credentials)
        except psycopg.OperationalError as error:
            if not _is_refused_login(error):
                raise
            renewed = self.login.renewed(credentials)
            if renewed == credentials:
                raise
        return self._open_as(connect, renewed)

    def _open_as(self, connect: Callable[..., C], credentials: Credentials) -> C:
        return connect(**self._parameters, user=credentials.user, password=credentials.password, autocommit=True)


def _is_refused_login(error: psycopg.OperationalError) -> bool:
    """An error before the session exists has no code of its own in psycopg: libpq's words are all there is.

    https://www.postgresql.org/docs/current/errcodes-appendix.html, class 28
    """
    words = str(error)
    return "authentication failed" in words or "is not permitted to log in" in words


class _PooledConnection(psycopg.Connection[Any]):
    """A connection that the pool opens through :class:`Database`."""

    @classmethod
    def connect(cls, conninfo: str = "", *, database: Database, **_values: Any) -> Self:  # type: ignore[override] # noqa: ARG003
        """See :meth:`Database.connect`."""
        return database.open(super().connect)


class Pool:
    """Up to so many connections, as many as are used; those that nobody used for a while are closed.

    How many there are is what the platform's scaling sees: a pool that held all of them would always look full.
    """

    def __init__(self, database: Database, connections: int) -> None:
        self._pool = ConnectionPool(
            connection_class=_PooledConnection,
            kwargs={"database": database},
            min_size=min(connections, READY_CONNECTIONS),
            max_size=connections,
            max_idle=IDLE_SECONDS,
            max_lifetime=LONGEST_LIFE_SECONDS,
            reconnect_timeout=5,
            open=False,
            name=database.application,
        )

    def open(self) -> None:
        """Begin to connect to the first; whether the database is there shows in use."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """End all connections."""
        self._pool.close()

    def run(
        self,
        function: Callable[Concatenate[Connection, P], R],
        /,
        timeout_seconds: float,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Call a function with a connection; if that turns out to be lost, call it again with another.

        Lost is also a connection whose instance has become one that reads only. The function must be one that can be
        repeated: what the database did before the loss may have been done.

        Raises:
            psycopg_pool.PoolTimeout: no connection was to be had within ``timeout_seconds``.
            psycopg.Error: what the function raised.
        """
        deadline = time.monotonic() + timeout_seconds
        tries = 0
        while True:
            tries += 1
            with self._pool.connection(timeout=max(deadline - time.monotonic(), 0.0)) as connection:
                try:
                    return function(connection, *args, **kwargs)
                except psycopg.errors.ReadOnlySqlTransaction:
                    connection.close()  # the pool makes another in its place, to the instance that writes
                    if tries > self._pool.max_size:
                        raise
                except psycopg.OperationalError:
                    if not connection.broken or tries > self._pool.max_size:
                        raise
