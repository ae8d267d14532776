"""Connections to the database of a login: to its writer, by verified TLS only.

The environment variable DATABASE_HOST may list endpoints of clusters that may have the writer, separated by commas, as
of a global database; without it the secret's own host is the only one.
"""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

from shared.postgresql_rotation.login import Login
from shared.secret_rotation import RotationRefused

BUNDLE = Path(__file__).parents[1] / "rds-ca-bundle.pem"
SECONDS_PER_CALL = 10.0
MIN_HOSTS_TO_CHOOSE_FROM = 2
# https://www.postgresql.org/docs/current/errcodes-appendix.html
WRONG_CREDENTIALS = {"28000", "28P01"}
# The host that had the writer last: one of a region that is lost would cost its whole time each time.
_last_writer: list[str] = []


def first_that_opens(logins: Iterable[Login]) -> Login:
    """The first of these logins that the database takes.

    Raises:
        RotationRefused: it takes none of them.
    """
    for login in logins:
        if opens(login):
            return login
    raise RotationRefused("no version of the secret opens the database")


def opens(login: Login) -> bool:
    """Whether the database accepts a login. Any error other than wrong credentials is raised."""
    try:
        with connected(login):
            return True
    except DatabaseError as error:
        if not _is_refusal(error):
            raise
        return False


@contextmanager
def connected(login: Login) -> Iterator[Connection]:
    """A connection as this user, closed at the end of the block.

    Raises:
        DatabaseError: the database refused the login, or a statement.
        InterfaceError, OSError: it cannot be reached, or its certificate is not accepted.
        RotationRefused: none of several hosts has the writer.
    """
    connection = _to_the_writer(login)
    try:
        yield connection
    finally:
        _close(connection)


def _close(connection: Connection) -> None:
    with suppress(InterfaceError, OSError):  # the connection may be broken, which an earlier error reports
        connection.close()


def _to_the_writer(login: Login) -> Connection:
    """A connection to the host that writes. One that refuses the login counts for more than one that is away."""
    listed = [host for host in os.environ.get("DATABASE_HOST", "").split(",") if host]
    if len(listed) < MIN_HOSTS_TO_CHOOSE_FROM:
        return _connect(login, listed[0] if listed else login.host)
    problems: list[Exception] = []
    for host in sorted(listed, key=lambda host: host not in _last_writer):
        try:
            connection = _connect(login, host)
        except (DatabaseError, InterfaceError, OSError) as error:
            problems.append(error)
            continue
        if rows(connection, "SHOW transaction_read_only") == [["off"]]:  # as libpq's read-write
            _last_writer[:] = [host]
            return connection
        _close(connection)
    if not problems:
        raise RotationRefused("none of the database's hosts has the writer")
    raise next((error for error in problems if _is_refusal(error)), problems[0])


def _connect(login: Login, host: str) -> Connection:
    return Connection(
        login.username,
        host=host,
        port=login.port,
        database=login.database,
        password=login.password,
        timeout=SECONDS_PER_CALL,
        ssl_context=verification(),
        application_name="rotate_database_secret",
    )


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, DatabaseError) and code(error) in WRONG_CREDENTIALS


@functools.cache
def verification() -> ssl.SSLContext:
    """TLS 1.2 or newer, the host's name and the certificate's issuer checked: the defaults for a client of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(BUNDLE)
    return context


def rows(connection: Connection, statement: str, **values: object) -> list[Any]:
    """The rows that a statement returns; none if it returns nothing."""
    return list(connection.run(statement, **values) or [])


def code(error: DatabaseError) -> str:
    """The SQLSTATE of an error that the server has sent."""
    told = error.args[0] if error.args else None
    return str(told.get("C", "")) if isinstance(told, dict) else ""


def cause(error: Exception) -> str | None:
    """The kind of a database error, without its message, which may quote a statement."""
    if isinstance(error, DatabaseError):
        return f"PostgreSQL: SQLSTATE {code(error)}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the database's certificate is not accepted: {error.verify_message}"
    if isinstance(error, InterfaceError) and str(error) == "Server refuses SSL":
        return "the database does not speak TLS; nothing was sent to it"
    if isinstance(error, InterfaceError):
        reason = error.__cause__
        return f"no connection to the database: {getattr(reason, 'strerror', None) or type(reason or error).__name__}"
    return None
