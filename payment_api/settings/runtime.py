"""The database, the containerized API and the functions behind the queue: their sizes (P3, P4.1)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from settings.base import SettingsModel, matching
from settings.common import LEAST_AUDIT_MONTHS, AuditMonths
from settings.processing import AcquirerCapabilities, AcquirerUrl, FunctionSettings
from settings.services import FARGATE_SIZES

# Memory in GiB of the classes that are offered here. Aurora's own default of max_connections is what LEAST(bytes of
# memory for the database / 9531392, 5000) gives; do not set more.
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Managing.html
CLASS_MEMORY_GIB = {"t4g.medium": 4, "t4g.large": 8, "r7g.large": 16, "r7g.xlarge": 32, "r7g.2xlarge": 64}
BYTES_PER_CONNECTION = 9_531_392
MOST_CONNECTIONS = 5000

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
EcrImage = Annotated[
    str,
    matching(
        r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/[a-z0-9]+(?:[._/-][a-z0-9]+)*@sha256:[0-9a-f]{64}",
        "an image of ECR named by digest is allowed, such as "
        "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/payments@sha256:..., as a tag can be moved",
    ),
]
PostgresName = Annotated[
    str, matching(r"[a-z][a-z0-9_]{0,62}", "lower-case letters, digits and _ are allowed, a letter first")
]


class DatabaseSettings(SettingsModel):
    """Aurora PostgreSQL: a writer and two readers (P4.1)."""

    engine_version: Literal["16.8", "16.9", "16.10", "17.4", "17.5", "17.6"] = "16.8"
    """The version of Aurora PostgreSQL."""
    instance_class: Literal["t4g.medium", "t4g.large", "r7g.large", "r7g.xlarge", "r7g.2xlarge"] = "r7g.xlarge"
    """The size of each of the three instances, on Graviton."""
    max_connections: Annotated[int, Field(ge=50, le=MOST_CONNECTIONS)] = 2000
    """Connections that each instance takes; not more than Aurora's own default for the memory of instance_class."""
    backup_days: Annotated[int, Field(ge=7, le=35)] = 35
    """Days that the database can be restored to any point in."""
    name: PostgresName = "payments"
    """The database."""
    service_user: PostgresName = "payments_service"
    """The user that the containerized API logs in as, by IAM."""
    processing_user: PostgresName = "payments_processing"
    """The user that the functions log in as, by IAM."""
    publishing_user: PostgresName = "payments_publishing"
    """The user that sends the outbox, in the tasks of the containerized API, by IAM."""
    administration_user: PostgresName = "payments_administration"
    """The user that the function for merchants and credentials logs in as, by IAM."""

    @property
    def logins(self) -> dict[str, str]:
        """The users, and the process of the payments service that each is for (payments.roles.Process)."""
        return {
            self.service_user: "api",
            self.processing_user: "processing",
            self.publishing_user: "publishing",
            self.administration_user: "administration",
        }

    @model_validator(mode="after")
    def _differ(self) -> DatabaseSettings:
        if len(self.logins) < len(("service", "processing", "publishing", "administration")):
            raise ValueError("service_user, processing_user, publishing_user and administration_user must differ")
        return self

    @model_validator(mode="after")
    def _fits_memory(self) -> DatabaseSettings:
        most = min(CLASS_MEMORY_GIB[self.instance_class] * 2**30 // BYTES_PER_CONNECTION, MOST_CONNECTIONS)
        if self.max_connections > most:
            raise ValueError(
                f"max_connections: {self.max_connections} is not allowed; up to {most} is, on {self.instance_class}"
            )
        return self


class ServiceSettings(SettingsModel):
    """The containerized API on Fargate, arm64 (P3.1)."""

    image: EcrImage
    """The image, in ECR, by digest."""
    api_key_mode: Literal["live", "test"] = "test"
    """Of which kind merchants' API keys are: their prefix says it, and the API takes no others."""
    audit_months: AuditMonths = LEAST_AUDIT_MONTHS
    """Months that the database keeps audit events, all at hand; a lower value drops what is older within the hour."""
    cpu_units: Literal[512, 1024, 2048, 4096] = 1024
    """The processor share of a task; 1024 is a whole one."""
    memory_mib: Annotated[int, Field(ge=1024, le=30_720)] = 2048
    """The memory of a task; Fargate allows certain values for each cpu_units."""
    min_tasks: Annotated[int, Field(ge=1, le=200)] = 6
    """Tasks that run when nothing happens: two in each zone."""
    max_tasks: Annotated[int, Field(ge=1, le=200)] = 48
    """Tasks that scaling may reach."""
    connections_per_task: Annotated[int, Field(ge=1, le=100)] = 12
    """Connections to the database that one task may hold: the size of its pool."""
    requests_in_flight_per_task: Annotated[int, Field(ge=1, le=1000)] = 384
    """Concurrent requests of a task; more are refused with 503."""
    canary_percent: Annotated[int, Field(ge=1, le=50)] = 10
    """The share of the requests that a new version gets first."""
    canary_minutes: Annotated[int, Field(ge=6, le=1440)] = 10
    """Minutes until it gets the others: longer than the alarms that roll it back look at, which are 5."""
    bake_minutes: Annotated[int, Field(ge=6, le=1440)] = 10
    """Minutes that the version before keeps running after that, to be returned to at once."""

    @model_validator(mode="after")
    def _fits_together(self) -> ServiceSettings:
        first, last, step = FARGATE_SIZES[self.cpu_units]
        problems = []
        if self.memory_mib not in range(first, last + 1, step):
            problems.append(
                f"memory_mib: {self.memory_mib} is not allowed; with cpu_units {self.cpu_units} Fargate takes "
                f"{first} to {last} in steps of {step}"
            )
        if self.max_tasks < self.min_tasks:
            problems.append(f"max_tasks: {self.max_tasks} is not allowed; min_tasks ({self.min_tasks}) or more is")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class ProcessingSettings(FunctionSettings):
    """The functions that process payments from the queue (P3.2)."""

    concurrency: Annotated[int, Field(ge=2, le=1000)] = 60
    """Functions that process at once: reserved, so that nothing else in the account takes them."""
    seconds_per_batch: Annotated[float, Field(gt=0, le=30)] = 0.5
    """Assumed duration of a full batch, including the acquirer, for the arithmetic of docs/payment-api-sizing.md."""


class AcquirerSettings(AcquirerCapabilities):
    """The acquirer, which settles payments."""

    url: AcquirerUrl
    """Where it is called, by HTTPS; its addresses are in network.acquirer_networks."""
