"""Fixtures of the payments service's tests: one PostgreSQL server per run, and databases with the schema."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import psycopg
import pytest
from mypy_boto3_sqs import SQSClient

from emulator.address import environment as aws_environment
from emulator.process import free_port
from payments.api_keys import KeyMode, Peppers
from payments.database import Database as Reached
from payments.merchants import Merchants
from payments.migrate import migrate
from payments.repository.credentials import Merchant, create_merchant
from payments.roles import ADMINISTRATION, Process
from payments.scopes import Scope
from tests import postgresql
from tests.payments import support
from tests.payments.logins import PASSWORD, USER, Known, create_logins, logins, user_of
from tests.payments.support import PYTHON_PATH, REGION, Running
from tests.postgresql import Postgresql


@dataclass(frozen=True)
class Database:
    """A database of the server."""

    server: Postgresql
    name: str

    def connect(self) -> psycopg.Connection[Any]:
        """A superuser's connection in autocommit mode."""
        return self.server.connect(database=self.name)


@contextmanager
def database_of(server: Postgresql) -> Iterator[Database]:
    """A database of its own, dropped afterwards with all connections to it."""
    name = f"test_{secrets.token_hex(6)}"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield Database(server, name)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def server() -> Iterator[Postgresql]:
    """PostgreSQL."""
    with postgresql.running() as server:
        yield server


@pytest.fixture
def empty_database(server: Postgresql) -> Iterator[Database]:
    """An empty database of its own."""
    with database_of(server) as database:
        yield database


@pytest.fixture
def database(empty_database: Database) -> Database:
    """A database of its own, with the schema."""
    migrate(empty_database.connect)
    return empty_database


@pytest.fixture(scope="session")
def shared_database(server: Postgresql, application_user: str) -> Iterator[Database]:
    """A database with the schema and its logins, shared by tests, each with payments of its own."""
    with database_of(server) as database:
        migrate(database.connect, logins=logins(application_user))
        yield database


LoggedIn = Callable[[Process], Reached]


@pytest.fixture
def logged_in(shared_database: Database) -> LoggedIn:
    """The shared database with the login of a process, whose sessions assume its rights as the process's do."""
    server = shared_database.server

    def of(process: Process) -> Reached:
        return Reached(
            host=server.host,
            port=server.port,
            name=shared_database.name,
            login=Known(user_of(process)),
            certificates=server.ca,
            role=process.rights,
        )

    return of


@pytest.fixture
def connection(shared_database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the shared database."""
    with shared_database.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def aws() -> Iterator[dict[str, str]]:
    """The environment variables of a local AWS, as far as the service calls AWS."""
    with local_aws() as variables:
        yield variables


@contextmanager
def local_aws() -> Iterator[dict[str, str]]:
    """A local AWS with SQS and Secrets Manager; the environment variables that point a process at it."""
    port = free_port()
    # A process of its own, as its threads would compete with those of the tests for this interpreter.
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        support.wait_for_port(port)
        yield aws_environment(f"http://127.0.0.1:{port}", REGION)
    finally:
        server.kill()
        server.wait()


@pytest.fixture(autouse=True)
def local_aws_in_the_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment variables of the local AWS for tests that use it, and for no others."""
    if "aws" in request.fixturenames:
        for name, value in request.getfixturevalue("aws").items():
            monkeypatch.setenv(name, value)


def client(service: str, aws: dict[str, str]) -> Any:
    """A client of the local AWS."""
    make: Any = boto3.client
    return make(
        service,
        region_name=REGION,
        endpoint_url=aws["AWS_ENDPOINT_URL"],
        aws_access_key_id=aws["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
    )


@pytest.fixture
def sqs(aws: dict[str, str]) -> SQSClient:
    """SQS."""
    made: SQSClient = client("sqs", aws)
    return made


@pytest.fixture
def queue_url(sqs: SQSClient) -> str:
    """A queue of its own."""
    return sqs.create_queue(QueueName=f"payments-{secrets.token_hex(6)}")["QueueUrl"]


@dataclass(frozen=True)
class Platform:
    """What the service runs on: a database with the schema and users of its own, a queue, secrets and a merchant."""

    database: Database
    queue_url: str
    secrets: Mapping[Process, str]
    """The secret with the login of each process."""
    environment: dict[str, str]
    """Of a process of the API."""
    merchant: Merchant
    peppers: Peppers

    def environment_of(self, process: Process) -> dict[str, str]:
        """As ``environment``, of another kind of process."""
        return {**self.environment, "DATABASE_SECRET_ARN": self.secrets[process]}

    @contextmanager
    def merchants(self) -> Iterator[Merchants]:
        """What makes merchants and keys, as `python -m payments merchants` does."""
        with self.database.connect() as connection:
            connection.execute(f"SET ROLE {ADMINISTRATION}")
            yield Merchants(connection, self.peppers, KeyMode.TEST)


@pytest.fixture(scope="session")
def application_user(server: Postgresql) -> str:
    """The API's database user, which owns nothing; beside it those of the other processes."""
    with server.connect() as connection:
        create_logins(connection)
    return USER


def platform_of(database: Database, aws: dict[str, str], first: str = USER) -> Platform:
    """A platform with a database, and a queue, secrets and a merchant of its own."""
    name = f"payments-{secrets.token_hex(6)}"
    queue_url = client("sqs", aws).create_queue(QueueName=name)["QueueUrl"]
    secrets_of = {process: _secret(aws, f"{name}-{process}", user_of(process, first)) for process in Process}
    pepper_values = json.dumps({"current": "first", "peppers": {"first": secrets.token_hex(32)}})
    peppers = client("secretsmanager", aws).create_secret(Name=f"{name}-peppers", SecretString=pepper_values)["ARN"]
    environment = {
        **aws,
        "API_KEY_PEPPERS_SECRET_ARN": peppers,
        "ENVIRONMENT_SUFFIX": "test",
        "QUEUE_URL": queue_url,
        "DATABASE_HOST": database.server.host,
        "DATABASE_PORT": str(database.server.port),
        "DATABASE_NAME": database.name,
        "DATABASE_LOGIN": "secret",
        "DATABASE_SECRET_ARN": secrets_of[Process.API],
        "DATABASE_PUBLISHER_SECRET_ARN": secrets_of[Process.PUBLISHING],
        "DATABASE_CA_FILE": str(database.server.ca),
        "DATABASE_CONNECTIONS": "6",
        "DRAIN_SECONDS": "0.3",
        "STOP_SECONDS": "10",
    }
    merchant = Merchant(uuid4(), f"merchant-{secrets.token_hex(4)}")
    found = Peppers(peppers, region=REGION, client=client("secretsmanager", aws))
    platform = Platform(database, queue_url, secrets_of, environment, merchant, found)
    with platform.merchants() as merchants:
        create_merchant(merchants.connection, merchant)
        _, key = merchants.create_key(merchant.id, list(Scope))
    environment[support.KEY_VARIABLE] = key.text
    return platform


def _secret(aws: dict[str, str], name: str, user: str) -> str:
    value = json.dumps({"username": user, "password": PASSWORD})
    return str(client("secretsmanager", aws).create_secret(Name=name, SecretString=value)["ARN"])


@pytest.fixture
def service_platform(database: Database, application_user: str, aws: dict[str, str]) -> Platform:
    """A platform of the test's own."""
    migrate(database.connect, logins=logins(application_user))
    return platform_of(database, aws, application_user)


@pytest.fixture(scope="session")
def shared_platform(server: Postgresql, application_user: str, aws: dict[str, str]) -> Iterator[Platform]:
    """The platform of the shared service."""
    with database_of(server) as database:
        migrate(database.connect, logins=logins(application_user))
        yield platform_of(database, aws, application_user)


@pytest.fixture(scope="session")
def service(shared_platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running service, shared by tests, each with payments of its own."""
    with support.running(tmp_path_factory.mktemp("service"), shared_platform.environment) as running:
        yield running


@pytest.fixture
def service_database(shared_platform: Platform) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to the database of the shared service."""
    with shared_platform.database.connect() as connection:
        yield connection


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts services that are stopped with the test: ``start(platform, REQUEST_SECONDS="1")``."""
    with ExitStack() as stack:

        def start(platform: Platform, *, tls: bool = False, python_path: str = PYTHON_PATH, **settings: str) -> Running:
            environment = {**platform.environment, **settings}
            return stack.enter_context(support.running(tmp_path, environment, tls=tls, python_path=python_path))

        yield start
