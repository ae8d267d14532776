"""Connections to the database of a login: by TLS that is verified, and never otherwise."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection
from secret_rotation import Refused

from postgresql_rotation.login import Login

BUNDLE = Path(__file__).parents[1] / "rds-ca-bundle.pem"
SECONDS_PER_CALL = 10.0
# https://www.postgresql.org/docs/current/errcodes-appendix.html
WRONG_CREDENTIALS = {"28000", "28P01"}


def first_that_opens(logins: Iterable[Login]) -> Login:
    """The first of these logins that the database takes.

    Raises:
        Refused: it takes none of them.
    """
    for login in logins:
        if opens(login):
            return login
    raise Refused("no version of the secret opens the database")


def opens(login: Login) -> bool:
    """Whether the database takes a login. Any other trouble than wrong credentials is an error, and says nothing."""
    try:
        with connected(login):
            return True
    except DatabaseError as error:
        if code(error) not in WRONG_CREDENTIALS:
            raise
        return False


@contextmanager
def connected(login: Login) -> Iterator[Connection]:
    """A connection as this user, closed at the end of the block.

    Raises:
        DatabaseError: the database refused the login, or a statement.
        InterfaceError, OSError: it cannot be reached, or its certificate is not accepted.
    """
    connection = Connection(
        login.username,
        host=login.host,
        port=login.port,
        database=login.database,
        password=login.password,
        timeout=SECONDS_PER_CALL,
        ssl_context=verification(),
        application_name="rotate_database_secret",
    )
    try:
        yield connection
    finally:
        with suppress(InterfaceError, OSError):  # it may be broken, which is what an error in here says
            connection.close()


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
    """What went wrong with the database, without its words: they may quote a statement."""
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
