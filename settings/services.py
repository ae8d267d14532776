"""The services that the platform runs, and how a new version reaches customers (W1, W2)."""

from __future__ import annotations

import contextlib
import re
import zoneinfo
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from settings.base import Rule, SettingsModel, each_once, matching
from settings.load_balancer import HealthCheckSettings, PathPattern

ImageByDigest = Annotated[
    str,
    matching(
        r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+@sha256:[0-9a-f]{64}",
        "an image named by digest is allowed, such as registry/name@sha256:..., as a tag can be moved to another image",
    ),
]
ServiceName = Annotated[
    str, matching(r"[a-z][a-z0-9]{1,11}", "2 to 12 lower-case letters and digits are allowed, a letter first")
]
ECR_REGION = re.compile(r"(?<=\.dkr\.ecr\.)[a-z0-9-]+(?=\.amazonaws\.com/)")
PAYMENTS = "payments"  # the service whose own metrics are watched (services/payments)
CommandPart = Annotated[str, matching(r"[ -~]{1,200}", "up to 200 plain characters are allowed")]

# Variables that the platform sets itself (modules/services, modules/database/access.py): it would overwrite others.
OWN_VARIABLES = (
    r"ACQUIRER_NOTIFICATION_SECRET_ARN|API_KEY_\w*|AUDIT_MONTHS|AWS_\w*|DATABASE_\w*|ENVIRONMENT_SUFFIX|HTTPS_PORT|"
    r"QUEUE_URL\w*|TRUSTED_PROXIES"
)
VariableName = Annotated[
    str,
    matching(
        rf"(?!(?:{OWN_VARIABLES})$)[A-Z][A-Z0-9_]{{0,99}}",
        "capital letters, digits and _ are allowed, a letter first, but not what the platform sets itself: AWS_*, "
        "DATABASE_*, QUEUE_URL*, API_KEY_*, ACQUIRER_NOTIFICATION_SECRET_ARN, AUDIT_MONTHS, ENVIRONMENT_SUFFIX, "
        "HTTPS_PORT and TRUSTED_PROXIES",
    ),
]
VariableValue = Annotated[str, matching(r"[ -~]{0,500}", "up to 500 plain characters are allowed")]
ScheduleName = Annotated[
    str,
    matching(r"[a-z][a-z0-9-]{0,30}", "up to 31 lower-case letters, digits and hyphens are allowed, a letter first"),
]
# The six fields of a cron expression; of day and weekday one is "?". Names of months and weekdays are letters.
CRON_FIELD = r"[0-9A-Za-z*,/\-?LW#]+"


def image_in(region: str, image: str) -> str:
    """The image as a task of ``region`` pulls it: one of ECR from the region's own registry.

    What is pushed in the primary region is replicated to the other, by the same digest; a task may pull its own
    region's copy alone, and has it also when the primary region is lost.
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/replication.html
    """
    return ECR_REGION.sub(region, image, count=1)


def _schedule(text: str) -> str:
    if match := re.fullmatch(rf"cron\(({CRON_FIELD}(?: {CRON_FIELD}){{5}})\)", text):
        _, _, day, _, weekday, _ = match[1].split(" ")
        if (day == "?") != (weekday == "?"):
            return text
    elif match := re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", text):
        with contextlib.suppress(ValueError):
            datetime.fromisoformat(match[1])
            return text
    raise ValueError(
        "cron(minutes hours day month weekday year) is allowed, with ? for day or weekday, or at(yyyy-mm-ddThh:mm:ss)"
    )


def _time_zone(text: str) -> str:
    if text not in zoneinfo.available_timezones():
        raise ValueError("a time zone by its IANA name is allowed, such as Europe/Vienna")
    return text


# CPU units: the memory in MiB that Fargate takes with them, as first, last and step.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
FARGATE_SIZES = {
    256: (512, 2048, 512),
    512: (1024, 4096, 1024),
    1024: (2048, 8192, 1024),
    2048: (4096, 16384, 1024),
    4096: (8192, 30720, 1024),
}


class Architecture(StrEnum):
    """The processor that a task runs on. Graviton (ARM64) costs less for the same work."""

    ARM64 = "ARM64"
    X86_64 = "X86_64"


Schedule = Annotated[str, Rule(_schedule, "cron(minutes hours day month weekday year) or at(yyyy-mm-ddThh:mm:ss)")]


class ScheduledScalingSettings(SettingsModel):
    """For a while, once or again and again, a service has other bounds: during a sale, or in the night.

    https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html
    """

    schedule: Schedule
    """When it begins, in the time zone below."""
    until: Schedule
    """When it ends, and the service has its own bounds again; of several at a time the last to begin or end decides."""
    time_zone: Annotated[str, Rule(_time_zone, "a time zone by its IANA name, such as Europe/Vienna")] = "UTC"
    """Where it is that time; a zone with summer time keeps it."""
    min_tasks: Annotated[int, Field(ge=0, le=500)]
    """Minimum of tasks meanwhile."""
    max_tasks: Annotated[int, Field(ge=1, le=500)]
    """Tasks that scaling may reach meanwhile; no more than the service's own max_tasks."""

    @model_validator(mode="after")
    def _fits_together(self) -> ScheduledScalingSettings:
        if self.until == self.schedule:
            raise ValueError(f"until: {self.until!r} is not allowed; another time than schedule is")
        if self.max_tasks < self.min_tasks:
            raise ValueError(f"max_tasks: {self.max_tasks} is not allowed; min_tasks ({self.min_tasks}) or more is")
        return self


class ServiceSettings(SettingsModel):
    """A service. A critical one is released blue/green behind the load balancer; any other is a worker on a queue."""

    image: ImageByDigest
    """The image of a new environment; later ones come by `make release`."""
    critical: bool
    """Whether customers wait for it: blue/green behind the load balancer. If not, it is a worker, on Spot."""
    path_patterns: Annotated[tuple[PathPattern, ...], Field(strict=False, max_length=4)] = ()
    """The paths that the load balancer sends to it; only for a critical service."""
    priority: Annotated[int, Field(ge=2, le=49_000)] = 1000
    """Priority of its listener rules, unique among services; 1 is reserved."""
    port: Annotated[int, Field(ge=1024, le=65_535)] = 8443
    """The port on which a task serves HTTPS; above 1023, as tasks do not run as root."""
    cpu_units: Literal[256, 512, 1024, 2048, 4096] = 256
    """CPU units of a task; 1024 is one vCPU."""
    memory_mib: Annotated[int, Field(ge=512, le=30_720)] = 512
    """Memory of a task; Fargate defines which values go with cpu_units."""
    architecture: Annotated[Architecture, Field(strict=False)] = Architecture.ARM64
    """CPU architecture of the image."""
    variables: Annotated[dict[VariableName, VariableValue], Field(max_length=50)] = Field(default_factory=dict)
    """Environment variables of the container, in addition to the platform's own; no secrets, as they are readable."""
    sends_to: Annotated[tuple[ServiceName, ...], AfterValidator(each_once), Field(strict=False, max_length=10)] = ()
    """The workers whose queues it may send to; the URL of a worker's queue is in its variable QUEUE_URL_WORKER."""
    reaches_internet: bool = False
    """Whether its tasks may open connections to the internet, by NAT and on 443 only, such as to an acquirer."""
    user: Annotated[int, Field(ge=1, le=65_535)] = 1000
    """User id of the container; never root."""
    min_tasks: Annotated[int, Field(ge=0, le=500)] = 2
    """Minimum of tasks. With scheduled_scaling a change takes effect at the next `until`."""
    max_tasks: Annotated[int, Field(ge=1, le=500)] = 6
    """Maximum of tasks. With scheduled_scaling a change takes effect at the next `until`."""
    connections_per_task: Annotated[int, Field(ge=0, le=1000)] = 0
    """Connections to the database that one task may hold: the size of its pool."""
    connections_in_use_percent: Annotated[int, Field(ge=10, le=90)] = 70
    """The share of all running tasks' connections in use that scaling of a critical service aims at."""
    requests_per_target: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """Target of scaling: requests per minute and task."""
    messages_per_task: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Target of a worker's scaling: visible messages per running task."""
    on_demand_base: Annotated[int, Field(ge=0, le=100)] = 0
    """Tasks of a worker that never run on Spot."""
    spot_weight: Annotated[int, Field(ge=0, le=100)] = 100
    """Of a hundred tasks beyond the base, how many run on Spot; the others run on demand."""
    health_check: HealthCheckSettings = HealthCheckSettings()
    """Health check of the target groups."""
    container_check: Annotated[tuple[CommandPart, ...], Field(strict=False, max_length=20)] = ()
    """Health check command of the container, as a list; it is healthy while the exit code is 0. None checks nothing.

    For services/payments it is `["python", "-m", "payments", "healthy"]`. An unhealthy task is replaced.
    """
    scheduled_scaling: dict[ScheduleName, ScheduledScalingSettings] = Field(default_factory=dict)
    """Scheduled scaling: other bounds at other times."""

    @property
    def most_tasks(self) -> int:
        """The most tasks that run at once: while a critical service is released, both colours do."""
        return self.max_tasks * (2 if self.critical else 1)

    def standing_by(self, percent: int) -> ServiceSettings:
        """The service with so many percent of its least tasks, rounded up; it may grow as far as ever."""
        scheduled = {
            name: one.model_copy(update={"min_tasks": _share(one.min_tasks, percent)})
            for name, one in self.scheduled_scaling.items()
        }
        least = _share(self.min_tasks, percent)
        return self.model_copy(update={"min_tasks": least, "scheduled_scaling": scheduled})

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
        if self.critical and not self.path_patterns:
            problems.append("path_patterns: () is not allowed; a critical service needs a path that leads to it")
        if not self.critical and self.path_patterns:
            problems.append(
                f"path_patterns: {self.path_patterns} is not allowed; a worker is not behind the load balancer"
            )
        for name, scheduled in self.scheduled_scaling.items():
            if scheduled.max_tasks > self.max_tasks:
                problems.append(
                    f"scheduled_scaling.{name}.max_tasks: {scheduled.max_tasks} is not allowed; up to "
                    f"max_tasks ({self.max_tasks}) is, with which the database's connections are counted"
                )
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _share(tasks: int, percent: int) -> int:
    return -(-tasks * percent // 100)


class ReleaseSettings(SettingsModel):
    """Canary, bake time and rollback of releases of critical services (W2.3)."""

    canary_percent: Annotated[int, Field(ge=1, le=99)] = 10
    """Share of requests that the canary gets, in percent."""
    canary_minutes: Annotated[int, Field(ge=4, le=2880)] = 5
    """Minutes that it keeps this share before it gets all; in less than 4 no alarm could roll it back."""
    bake_minutes: Annotated[int, Field(ge=0, le=2880)] = 10
    """Minutes that the old version's tasks are kept for a rollback."""
    max_5xx_percent: Annotated[int, Field(ge=1, le=100)] = 5
    """The share of answers with a status of 500 or more, from which a release is rolled back."""
    max_p99_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0
    """The response time that 99 of 100 requests keep; a release that is slower is rolled back."""
    smoke_test_attempts: Annotated[int, Field(ge=1, le=20)] = 5
    """Attempts of the smoke test on the new version, before it gets customer traffic."""
