"""A database secret in RDS's format: user, password, host and database.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.secret_rotation import RotationRefused

SUFFIX = "_clone"  # as AWS's own rotation functions have it
LONGEST_NAME = 63  # bytes that PostgreSQL keeps of a name
ENGINES = {"postgres", "aurora-postgresql"}


@dataclass(frozen=True, kw_only=True)
class Login:
    """Content of a secret: user, host and database."""

    host: str
    port: int
    database: str
    username: str
    password: str = field(repr=False)
    master_arn: str
    values: Mapping[str, Any] = field(repr=False)

    @staticmethod
    def of(text: str) -> Login:
        """Read a secret's JSON.

        Raises:
            RotationRefused: a member is missing or not supported.
        """
        values = _object(text)
        for name in ("engine", "host", "username", "password"):
            if not (isinstance(values.get(name), str) and values[name]):
                raise RotationRefused(f"the secret has no {name}")
        if values["engine"] not in ENGINES:
            raise RotationRefused(f"the secret's engine is none of {', '.join(sorted(ENGINES))}")
        if str(values.get("ssl", True)).lower() != "true":
            raise RotationRefused("the secret asks for a connection without TLS; none is made")
        return Login(
            host=values["host"],
            port=_port(values.get("port") or 5432),
            database=values.get("dbname") or "postgres",
            username=values["username"],
            password=values["password"],
            master_arn=values.get("masterarn") or "",
            values=values,
        )

    @property
    def first_user(self) -> str:
        """The first of the two alternating users."""
        return self.username.removesuffix(SUFFIX)

    @property
    def other_user(self) -> str:
        """The other one of the two users."""
        if self.username.endswith(SUFFIX):
            return self.first_user
        other = self.username + SUFFIX
        if len(other.encode()) > LONGEST_NAME:
            raise RotationRefused(
                f"the user's name is too long: with {SUFFIX} it would have more than {LONGEST_NAME} bytes"
            )
        return other

    @property
    def place(self) -> tuple[str, int]:
        """Where the database is."""
        return self.host, self.port

    def enters_as(self, other: Login) -> bool:
        """Whether it is the same user's of the same database."""
        return (self.place, self.username) == (other.place, other.username)

    def has(self, *, username: str, password: str) -> str:
        """The JSON of the same secret with another user and password."""
        return json.dumps({**self.values, "username": username, "password": password})


def _object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise RotationRefused("the secret is no JSON object")
    return values


def _port(value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**16):
        raise RotationRefused("the secret's port is no port")
    return int(text)
