"""The service's settings, read from environment variables."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from payments.api_keys import KeyMode
from payments.certificates import ClientCertificates
from payments.database import Database, IamLogin, Login, SecretLogin


class Misconfigured(Exception):
    """Settings are missing or invalid. The message has a line for each, without its value."""


class DatabaseLogin(StrEnum):
    """How a process authenticates to the database."""

    IAM = "iam"
    SECRET = "secret"  # noqa: S105 - where from, not what


class DatabaseSettings(BaseSettings):
    """The database. Variables begin with DATABASE_, such as DATABASE_HOST."""

    model_config = SettingsConfigDict(env_prefix="database_", frozen=True, hide_input_in_errors=True)

    host: Annotated[str, Field(min_length=1)]
    """The endpoint of the writer."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 5432
    name: Annotated[str, Field(min_length=1)] = "payments"
    login: DatabaseLogin = DatabaseLogin.IAM
    user: str | None = None
    """The database user, for a login by IAM."""
    secret_arn: str | None = None
    """The secret with username and password as JSON, for a login by secret."""
    ca_file: Path = Path("/etc/ssl/certs/rds-global-bundle.pem")
    """The CA certificates that the server's certificate is verified with, as PEM."""
    connections: Annotated[int, Field(ge=2, le=200)] = 10
    """The most connections of a process, the publisher's included."""

    @model_validator(mode="after")
    def _require_what_the_login_needs(self) -> DatabaseSettings:
        needed = {DatabaseLogin.IAM: "user", DatabaseLogin.SECRET: "secret_arn"}[self.login]
        if not getattr(self, needed):
            raise ValueError(f"DATABASE_{needed.upper()} is needed for a login by {self.login}")
        return self

    def database(self, region: str, *, application: str = "payments", role: str | None = None) -> Database:
        """The database of these settings.

        ``application`` names the process in its views and logs; ``role`` is what its sessions take on.
        """
        return Database(
            host=self.host,
            port=self.port,
            name=self.name,
            login=self._login(region),
            certificates=self.ca_file,
            application=application,
            role=role,
        )

    def _login(self, region: str) -> Login:
        if self.login is DatabaseLogin.IAM:
            return IamLogin(host=self.host, port=self.port, user=self.user or "", region=region)
        return SecretLogin(self.secret_arn or "", region=region)


class ServiceSettings(BaseSettings):
    """The API and the publisher. Variables are named after the fields, in capitals."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    aws_region: Annotated[str, Field(min_length=1)]
    environment_suffix: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
    """The environment's suffix, for metrics."""
    queue_url: Annotated[str, Field(min_length=1)]
    """The SQS queue of operations to be processed."""
    api_key_peppers_secret_arn: Annotated[str, Field(min_length=1)]
    """The secret with the peppers that API keys are hashed under (:mod:`payments.api_keys`)."""
    api_key_mode: KeyMode = KeyMode.TEST
    """Whether API keys are of a live or of a test environment: no other ones are valid."""
    client_certificates: ClientCertificates = ClientCertificates.IGNORED
    """Whether a request needs a client certificate of its merchant, which the door in front of the API has verified."""
    credential_seconds: Annotated[float, Field(ge=0, le=60)] = 30.0
    """How long a credential that was looked up is kept: after so long a revocation is in effect."""
    merchant_requests_per_second: Annotated[float, Field(gt=0, le=10_000)] = 250.0
    """Requests a second that a process handles of one merchant; any more get a 429."""
    merchant_burst: Annotated[int, Field(ge=1, le=10_000)] = 500
    """How many of them may come at once after a pause."""
    merchant_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The share of the connections, and of the places to wait for one, that one merchant may have; 1 is no limit."""
    https_port: Annotated[int, Field(ge=1, le=65_535)] = 8443
    http_port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """If given, the service listens on it without TLS, instead of https_port: for measurements on one machine."""
    listen: str = "0.0.0.0"  # noqa: S104 - a container's own network
    waiting_requests: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Requests that may wait for a database connection; any more get a 503."""
    waiting_seconds: Annotated[float, Field(gt=0, le=30)] = 2.0
    """How long a request may wait for a database connection before it gets a 503."""
    request_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    """How long a client may take to send a request body."""
    drain_seconds: Annotated[float, Field(ge=0, le=60)] = 5.0
    """How long requests are still accepted after SIGTERM: until the load balancer has deregistered the task."""
    stop_seconds: Annotated[float, Field(ge=1, le=110)] = 30.0
    """How long running requests, and then the outbox, have after that. ECS kills the task 120 s after SIGTERM."""
    publishes: bool = True
    """Whether this process sends the outbox to the queue."""
    idempotency_days: Annotated[int, Field(ge=1, le=30)] = 3
    """Lifetime of an idempotency key."""

    @property
    def key_lifetime(self) -> timedelta:
        """Lifetime of an idempotency key."""
        return timedelta(days=self.idempotency_days)


class RegionSettings(BaseSettings):
    """The AWS region."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    aws_region: Annotated[str, Field(min_length=1)]


class MigrationSettings(RegionSettings):
    """What a migration needs in addition to the database."""

    application_role: str | None = None
    """The database role that is granted the application's rights; users of the service are members of it."""


S = TypeVar("S", bound=BaseSettings)


def read(kind: type[S]) -> S:
    """Read settings from the environment variables.

    Raises:
        Misconfigured: a line for each variable that is missing or invalid.
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
