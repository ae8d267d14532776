"""A login of the tests' database for each kind of process, as an environment has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg

from payments.database import Credentials
from payments.roles import Process

PASSWORD = "Correct-Horse-4711"
USER = "payments_app"
"""The API's."""


class Known:
    """A login that does not change."""

    def __init__(self, user: str) -> None:
        self._held = Credentials(user, PASSWORD)

    def credentials(self) -> Credentials:
        """Its user and the password."""
        return self._held

    def renewed(self, rejected: Credentials) -> Credentials:
        """There is no other one."""
        return rejected


def user_of(process: Process, first: str = USER) -> str:
    """The login of a process; the API's is ``first``."""
    return first if process is Process.API else f"{first}_{process}"


def logins(first: str = USER) -> Mapping[str, Process]:
    """All of them, with their processes."""
    return {user_of(process, first): process for process in Process}


def create_logins(connection: psycopg.Connection[Any], first: str = USER, password: str = PASSWORD) -> None:
    """Create those that are not there, each with the password and without any right."""
    for user in _missing(connection, logins(first)):
        connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")


def _missing(connection: psycopg.Connection[Any], users: Mapping[str, Process]) -> Iterator[str]:
    rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", (list(users),))
    found = {str(name) for (name,) in rows}
    return (user for user in users if user not in found)
