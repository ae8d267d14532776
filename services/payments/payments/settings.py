"""The service's settings, read from environment variables."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from payments.api_keys import KeyMode
from payments.certificates import ClientCertificates
from payments.database import Database, IamLogin, Login, SecretLogin
from payments.lifetimes import Lifetimes
from payments.roles import Process


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
    publisher_user: str | None = None
    """The publisher's own database user, where it runs in the process of the API."""
    publisher_secret_arn: str | None = None
    """The publisher's own secret, likewise."""
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

    def of_publisher(self) -> DatabaseSettings:
        """The same database with the publisher's login.

        Raises:
            Misconfigured: it is not given.
        """
        given = {DatabaseLogin.IAM: self.publisher_user, DatabaseLogin.SECRET: self.publisher_secret_arn}[self.login]
        if not given:
            name = {DatabaseLogin.IAM: "USER", DatabaseLogin.SECRET: "SECRET_ARN"}[self.login]
            raise Misconfigured(f"DATABASE_PUBLISHER_{name} is needed to send the outbox by a login by {self.login}")
        return self.model_copy(update={"user": self.publisher_user, "secret_arn": self.publisher_secret_arn})

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
    merchant_refusal_seconds: Annotated[float, Field(ge=0, le=10)] = 1.0
    """How late a merchant's 429 is sent, so that a client which asks again at once does so no faster."""
    trusted_proxies: Annotated[int, Field(ge=0, le=5)] = 1
    """Proxies in front of the service that append to X-Forwarded-For: the load balancer, and CloudFront if there is."""
    unknown_credentials_per_second: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Unknown credentials that a process looks up for one client address; any more get a 429."""
    unknown_credentials_burst: Annotated[int, Field(ge=1, le=10_000)] = 20
    """How many of them at once after a pause."""
    acquirer_notification_secret_arn: str | None = None
    """The secret with the keys by which notifications of the acquirer are verified; without it none is taken."""
    acquirer_api: Literal["platform", "adyen"] = "platform"
    """Whose form notifications have, as in :class:`payments.acquirer.settings.AcquirerSettings`."""
    acquirer_merchant_account: str = ""
    """Of Adyen: the account whose notifications are taken."""
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
    audit_months: Annotated[int, Field(ge=12, le=120)] = 12
    """How long audit events are kept, all of them at hand. PCI DSS 10.5.1: twelve months at least."""

    @property
    def lifetimes(self) -> Lifetimes:
        """How long rows are kept."""
        return Lifetimes(timedelta(days=self.idempotency_days), self.audit_months)


class IssuerSettings(BaseSettings):
    """The OAuth 2.0 issuer whose access tokens are credentials, if there is one. Variables begin with OAUTH_."""

    model_config = SettingsConfigDict(env_prefix="oauth_", frozen=True, hide_input_in_errors=True)

    issuer: Annotated[str | None, Field(min_length=1)] = None
    """What its tokens name as ``iss``."""
    jwks_url: Annotated[str | None, Field(pattern=r"^https://")] = None
    """Where it publishes its keys."""
    audience: Annotated[str | None, Field(min_length=1)] = None
    """What tokens for this environment name as ``aud``: another environment's are not valid here."""
    algorithms: Annotated[tuple[Literal["RS256", "PS256", "ES256", "EdDSA"], ...], Field(min_length=1)] = (
        "RS256",
        "ES256",
    )
    """The algorithms that its tokens may be signed by, as a JSON list."""
    refresh_seconds: Annotated[float, Field(ge=10, le=86_400)] = 300.0
    """How long its keys are used before they are read again."""
    stale_seconds: Annotated[float, Field(ge=10, le=7 * 86_400)] = 86_400.0
    """How long they are used where they cannot be read again."""

    @model_validator(mode="after")
    def _require_all_or_none(self) -> IssuerSettings:
        given = [one is not None for one in (self.issuer, self.jwks_url, self.audience)]
        if any(given) and not all(given):
            raise ValueError("OAUTH_ISSUER, OAUTH_JWKS_URL and OAUTH_AUDIENCE are needed together")
        return self


class RegionSettings(BaseSettings):
    """The AWS region."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    aws_region: Annotated[str, Field(min_length=1)]


class MigrationSettings(RegionSettings):
    """What a migration needs in addition to the database."""

    database_logins: dict[str, Process] = {}
    """Database users by name, and the process of each (:class:`payments.roles.Process`), as a JSON object."""
    operator_role: str | None = None
    """The database role of operators, which reads only."""


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
