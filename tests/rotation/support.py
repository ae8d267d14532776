"""A database with its secrets, Secrets Manager's side of a rotation, and what goes wrong in the midst of one."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import json
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, LiteralString, TypeVar

import psycopg
import pytest
from botocore.client import BaseClient
from moto.core import DEFAULT_ACCOUNT_ID
from moto.secretsmanager.models import secretsmanager_backends
from psycopg import sql

from synthesis.packaging import FUNCTIONS
from tests.postgresql import Postgresql

REGION = "us-east-2"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
Answer = TypeVar("Answer")
_numbers = itertools.count(1)


@functools.cache
def load_handler(function: str) -> ModuleType:
    """The handler of a function, as a module of its own."""
    path = FUNCTIONS / function / "handler.py"
    specification = importlib.util.spec_from_file_location(f"{function}_handler", path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # where dataclasses look for their module
    specification.loader.exec_module(module)
    return module


class Killed(BaseException):
    """The function is ended: none of its code runs any more."""


class Lost(ConnectionError):
    """The network fails: the function gets an error, and may do something about it."""


@dataclass
class Outside:
    """All that a function calls, counted; one of the calls may go wrong, before or after it has had its effect."""

    calls: list[str] = field(default_factory=list)
    fails_at: int | None = None
    after: bool = False
    how: type[BaseException] = Killed

    def forget(self) -> None:
        """Count anew, and let everything succeed."""
        self.calls, self.fails_at = [], None

    def fail(self, number: int, *, after: bool, how: type[BaseException] = Killed) -> None:
        """Let the call with this number (from 0) go wrong."""
        self.calls, self.fails_at, self.after, self.how = [], number, after, how

    def call(self, name: str, make: Callable[[], Answer]) -> Answer:
        number = len(self.calls)
        self.calls.append(name)
        if number == self.fails_at and not self.after:
            raise self.how(name)
        try:
            return make()
        finally:
            if number == self.fails_at:
                raise self.how(name) from None  # also in place of an error, which is an answer as well

    def watch(self, monkeypatch: pytest.MonkeyPatch, connections: ModuleType | None = None) -> None:
        """Count the calls to AWS, and those to PostgreSQL by the Connection of a module."""
        make_api_call: Any = vars(BaseClient)["_make_api_call"]
        outside = self

        def call_aws(client: BaseClient, operation: str, parameters: Any) -> Any:
            return outside.call(operation, lambda: make_api_call(client, operation, parameters))

        monkeypatch.setattr(BaseClient, "_make_api_call", call_aws)
        if connections is None:
            return
        original: Any = connections.Connection

        class Connection(original):  # type: ignore[misc]
            def __init__(self, *arguments: Any, **named: Any) -> None:
                connect = super().__init__
                try:
                    outside.call("connect", lambda: connect(*arguments, **named))
                except (Killed, Lost):
                    with suppress(Exception):  # a login that was refused has left nothing to close
                        self.close()  # what ends with a process
                    raise

            def run(self, statement: str, *arguments: Any, **named: Any) -> Any:
                run = super().run
                return outside.call(" ".join(statement.split()[:2]), lambda: run(statement, *arguments, **named))

        monkeypatch.setattr(connections, "Connection", Connection)


class Vault:
    """Secrets, and how Secrets Manager has a function rotate them."""

    def __init__(self, client: Any, function: ModuleType) -> None:
        self.client = client
        self.function = function

    def make(self, value: dict[str, Any], *, rotates: bool = True) -> str:
        """A secret with this value; its ARN."""
        arn: str = self.client.create_secret(Name=f"secret-{next(_numbers)}", SecretString=json.dumps(value))["ARN"]
        stored = self._stored(arn)
        stored.rotation_requested, stored.rotation_enabled = True, rotates
        return arn

    def value(self, arn: str, stage: str = "AWSCURRENT") -> dict[str, Any]:
        """The value in a stage."""
        found: dict[str, Any] = json.loads(
            self.client.get_secret_value(SecretId=arn, VersionStage=stage)["SecretString"]
        )
        return found

    def put(self, arn: str, **changes: Any) -> None:
        """Change some of the current value; None takes a key away."""
        value = {name: one for name, one in {**self.value(arn), **changes}.items() if one is not None}
        self.client.put_secret_value(SecretId=arn, SecretString=json.dumps(value))

    def stages(self, arn: str) -> dict[str, list[str]]:
        """The stages of each version; no call that anybody counts."""
        return {id_: list(version["version_stages"]) for id_, version in self._stored(arn).versions.items()}

    def version(self, arn: str, stage: str = "AWSCURRENT") -> str:
        """The id of the version in a stage."""
        (found,) = (version for version, stages in self.stages(arn).items() if stage in stages)
        return found

    def begin(self, arn: str) -> str:
        """What RotateSecret does first: a version without a value, under AWSPENDING. Its id."""
        token, secret = str(uuid.uuid4()), self._stored(arn)
        for version in secret.versions.values():
            if "AWSPENDING" in version["version_stages"]:
                version["version_stages"].remove("AWSPENDING")
        created = next(_numbers)
        secret.versions[token] = {"createdate": created, "version_id": token, "version_stages": ["AWSPENDING"]}
        return token

    def step(self, arn: str, token: str, step: str) -> None:
        """Call the function for one step."""
        self.function.handler({"SecretId": arn, "ClientRequestToken": token, "Step": step}, None)

    def rotate(self, arn: str, token: str | None = None) -> str:
        """All steps, of a new rotation or again of one that has failed; the version's id."""
        token = token or self.begin(arn)
        for step in STEPS:
            self.step(arn, token, step)
        assert "AWSCURRENT" in self.stages(arn)[token]
        return token

    @staticmethod
    def _stored(arn: str) -> Any:
        return secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION].secrets[arn]


@dataclass
class Database:
    """A database of its own within the PostgreSQL of the tests: its master, as on RDS, and its application's user."""

    server: Postgresql
    name: str
    master: str
    user: str

    @property
    def clone(self) -> str:
        return f"{self.user}_clone"

    def secret(self, user: str, password: str, **more: Any) -> dict[str, Any]:
        """What a secret says of a user."""
        return {
            "engine": "postgres",
            "host": self.server.host,
            "port": self.server.port,
            "dbname": self.name,
            "username": user,
            "password": password,
            **more,
        }

    def enter(self, secret: dict[str, Any]) -> psycopg.Connection[tuple[Any, ...]]:
        """Log in with what a secret says."""
        return self.server.connect(secret["username"], secret["password"], secret["dbname"])

    def opens(self, secret: dict[str, Any]) -> bool:
        """Whether the database takes what a secret says."""
        try:
            self.enter(secret).close()
        except psycopg.OperationalError:
            return False
        return True

    def run(self, statement: LiteralString, *names: str) -> list[tuple[Any, ...]]:
        """Run a statement with names in it as the superuser, and return its rows."""
        with self.server.connect(database=self.name) as connection:
            cursor = connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
            return cursor.fetchall() if cursor.description else []

    def set_password(self, user: str, password: str) -> None:
        """Give a user a password; one that is not there is made by the master, as by the rotation."""
        role = sql.Identifier(user)
        with self.server.connect(database=self.name) as connection:
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (user,)).fetchall():
                connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, password))
                return
            connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(self.master)))
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, password))

    def forget(self, *users: str) -> None:
        """Remove users and all that they have in this database."""
        with self.server.connect(database=self.name) as connection:
            for user in users:
                role = sql.Identifier(user)
                if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (user,)).fetchall():
                    connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
                    connection.execute(sql.SQL("DROP ROLE {}").format(role))


@contextmanager
def database(server: Postgresql, master_password: str, user_password: str) -> Iterator[Database]:
    """A new database, with a master and the application's user."""
    number = next(_numbers)
    made = Database(server, f"database_{number}", f"master_{number}", f"payments_{number}")
    role, name = sql.Identifier(made.master), sql.Identifier(made.name)
    with server.connect() as connection:
        # As rds_superuser is: it makes users and databases, and is no superuser.
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN CREATEROLE CREATEDB PASSWORD {}").format(role, master_password)
        )
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, role))
    made.set_password(made.user, user_password)
    try:
        yield made
    finally:
        made.forget(made.clone, made.user)
        with server.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
            connection.execute(sql.SQL("DROP ROLE {}").format(role))
