"""The service's settings, read from environment variables."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from payments.database import Database, IamLogin, Login, SecretLogin


class Misconfigured(Exception):
    """Settings are missing or wrong; the message has a line for each, and no value of one."""


class DatabaseLogin(StrEnum):
    """How the service logs in to the database."""

    IAM = "iam"
    SECRET = "secret"  # noqa: S105 - where from, not what


class DatabaseSettings(BaseSettings):
    """Where the database is. Variables begin with DATABASE_, such as DATABASE_HOST."""

    model_config = SettingsConfigDict(env_prefix="database_", frozen=True, hide_input_in_errors=True)

    host: Annotated[str, Field(min_length=1)]
    """The writer's endpoint."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 5432
    name: Annotated[str, Field(min_length=1)] = "payments"
    login: DatabaseLogin = DatabaseLogin.IAM
    user: str | None = None
    """Who logs in by IAM."""
    secret_arn: str | None = None
    """The secret, for a login by secret: its JSON holds username and password."""
    ca_file: Path = Path("/etc/ssl/certs/rds-global-bundle.pem")
    """The authorities that may vouch for the server, as PEM."""
    connections: Annotated[int, Field(ge=2, le=200)] = 10
    """Connections that one process holds, the publisher's included."""

    @model_validator(mode="after")
    def _has_what_its_login_needs(self) -> DatabaseSettings:
        needed = {DatabaseLogin.IAM: "user", DatabaseLogin.SECRET: "secret_arn"}[self.login]
        if not getattr(self, needed):
            raise ValueError(f"DATABASE_{needed.upper()} is needed for a login by {self.login}")
        return self

    def database(self, region: str, *, application: str = "payments") -> Database:
        """The database that the settings name."""
        return Database(
            host=self.host,
            port=self.port,
            name=self.name,
            login=self._login(region),
            certificates=self.ca_file,
            application=application,
        )

    def _login(self, region: str) -> Login:
        if self.login is DatabaseLogin.IAM:
            return IamLogin(host=self.host, port=self.port, user=self.user or "", region=region)
        return SecretLogin(self.secret_arn or "", region=region)


class ServiceSettings(BaseSettings):
    """Everything else. Variables are named after the fields, in capitals."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    aws_region: Annotated[str, Field(min_length=1)]
    environment_suffix: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
    """Names the environment in metrics."""
    queue_url: Annotated[str, Field(min_length=1)]
    """The queue of SQS that takes what is to be processed."""
    https_port: Annotated[int, Field(ge=1, le=65_535)] = 8443
    http_port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """If given, the service listens here without TLS, and not on https_port: for measurements on one machine."""
    listen: str = "0.0.0.0"  # noqa: S104 - a container's own network
    waiting_requests: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Requests that may wait for a connection to the database; what comes on top is answered 503."""
    waiting_seconds: Annotated[float, Field(gt=0, le=30)] = 2.0
    """How long one may wait, before it is answered 503."""
    request_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    """How long a client may take to send a request's body."""
    drain_seconds: Annotated[float, Field(ge=0, le=60)] = 5.0
    """How long new requests are still taken after SIGTERM: until the load balancer knows that the task leaves."""
    stop_seconds: Annotated[float, Field(ge=1, le=110)] = 30.0
    """How long requests under way, and then the outbox, have after that. ECS ends the task after 120 s altogether."""
    publishes: bool = True
    """Whether this process sends the outbox to the queue."""
    idempotency_days: Annotated[int, Field(ge=1, le=30)] = 3
    """How long a key is known."""

    @property
    def keep_keys(self) -> timedelta:
        """How long an idempotency key is known."""
        return timedelta(days=self.idempotency_days)


class MigrationSettings(BaseSettings):
    """What migrating needs beside the database."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    aws_region: Annotated[str, Field(min_length=1)]
    application_role: str | None = None
    """The database role that the service, or each of its alternating users, has."""


S = TypeVar("S", bound=BaseSettings)


def read(kind: type[S]) -> S:
    """The settings that the environment variables say.

    Raises:
        Misconfigured: a line for each that is missing or wrong.
    """
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        raise Misconfigured("\n".join(_line(prefix, problem) for problem in error.errors())) from None


def _line(prefix: str, problem: ErrorDetails) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return message
    name = f"{prefix}{problem['loc'][0]}".upper()
    return f"{name}: {'is missing' if problem['type'] == 'missing' else message}"
