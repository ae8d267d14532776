"""The database: engine, size, windows, readers, passwords, and standby in the recovery region (W3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from settings.base import Rule, SettingsModel, matching

# What DescribeDBEngineVersions lists for aurora-postgresql, of the majors that all classes below run, without what is
# deprecated. tests/unit/settings/test_database.py holds it against the list that AWS publishes with CloudFormation.
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraPostgreSQLReleaseNotes/aurorapostgresql-release-calendar.html
ENGINE_VERSIONS = {
    "15": ("15.10", "15.12", "15.13", "15.14", "15.15", "15.17", "15.18", "15.19"),
    "16": ("16.8", "16.9", "16.10", "16.11", "16.13", "16.14", "16.15"),
    "17": ("17.4", "17.5", "17.6", "17.7", "17.9", "17.10", "17.11"),
    "18": ("18.3", "18.4", "18.6"),
}
SERVERLESS = "db.serverless"
# GiB of memory by class. https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Concepts.DBInstanceClass.Summary.html
SIZES_GIB = {"large": 16, "xlarge": 32, "2xlarge": 64, "4xlarge": 128, "8xlarge": 256, "12xlarge": 384, "16xlarge": 512}
MEMORY_GIB = {
    **{f"db.{family}.{size}": gib for family in ("r6g", "r7g", "r8g") for size, gib in SIZES_GIB.items()},
    "db.t4g.medium": 4,
    "db.t4g.large": 8,
}
BURSTABLE = ("db.t4g.medium", "db.t4g.large")
BYTES_PER_CONNECTION = 9_531_392
MOST_CONNECTIONS = 5000
# Connections by the most capacity units (ACU), as AWS lists them; with less than one as the least there are at most
# 2000. https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html#aurora-serverless-v2.max-connections
SERVERLESS_CONNECTIONS = {1: 189, 4: 823, 8: 1669, 16: 3360, 32: 5000}
MOST_CONNECTIONS_BELOW_ONE_UNIT = 2000
# The least capacity that AWS takes for the serverless instances of a global database.
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database.configuration.requirements.html
LEAST_GLOBAL_UNITS = 8
# A cluster has one writer and up to 15 readers; of a global database's primary, one less for each secondary.
MOST_READERS = 15
MOST_READERS_WITH_SECONDARY = 14
# The least that rds.global_db_rpo takes: AllowedValues is 20-2147483647, in seconds.
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-manage-recovery.html
LEAST_ENFORCED_RECOVERY_POINT_SECONDS = 20
RECOMMENDED_SHARE = 0.8  # of the connections that a reader can take

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_PER_DAY = 24 * 60
SHORTEST_WINDOW_MINUTES = 30
# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_DatabaseInsights.Considerations.html
MIN_ADVANCED_INSIGHTS_DAYS = 465
INSIGHTS_DAYS = (7, *(months * 31 for months in range(1, 24)), 731)


class InsightsMode(StrEnum):
    """Mode of Database Insights.

    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_DatabaseInsights.html
    """

    STANDARD = "standard"
    ADVANCED = "advanced"


class RecoveryMode(StrEnum):
    """Standby of the database in the recovery region."""

    GLOBAL = "global"
    SNAPSHOTS = "snapshots"


def _daily_window(text: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", text) or (
        _length(*_daily(text), MINUTES_PER_DAY) < SHORTEST_WINDOW_MINUTES
    ):
        raise ValueError("a daily window of 30 minutes or more is allowed, in UTC, such as 03:00-04:00")
    return text


def _weekly_window(text: str) -> str:
    moment = rf"({'|'.join(WEEKDAYS)}):([01]\d|2[0-3]):[0-5]\d"
    if not re.fullmatch(f"{moment}-{moment}", text) or not (
        SHORTEST_WINDOW_MINUTES <= _length(*_weekly(text), 7 * MINUTES_PER_DAY) <= MINUTES_PER_DAY
    ):
        raise ValueError("a weekly window of 30 minutes to a day is allowed, in UTC, such as sun:05:00-sun:06:00")
    return text


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def _daily(window: str) -> tuple[int, int]:
    """Begin and end of a daily window, in minutes of the day."""
    begin, end = window.split("-")
    return _minutes(begin), _minutes(end)


def _weekly(window: str) -> tuple[int, int]:
    """Begin and end of a weekly window, in minutes of the week."""
    begin, end = (WEEKDAYS.index(part[:3]) * MINUTES_PER_DAY + _minutes(part[4:]) for part in window.split("-"))
    return begin, end


def _length(begin: int, end: int, period: int) -> int:
    return (end - begin) % period


def overlap(daily: str, weekly: str) -> bool:
    """Whether a daily window and a weekly one overlap on any day."""
    begin, end = _daily(daily)
    week_begin, week_end = _weekly(weekly)
    length, week_length = _length(begin, end, MINUTES_PER_DAY), _length(week_begin, week_end, 7 * MINUTES_PER_DAY)
    # Each begins within the other or does not: the first minute of one decides.
    return (week_begin - begin) % MINUTES_PER_DAY < length or (begin - week_begin) % MINUTES_PER_DAY < week_length


def _engine_version(text: str) -> str:
    known = [version for versions in ENGINE_VERSIONS.values() for version in versions]
    if text not in known:
        raise ValueError(f"a version that Aurora PostgreSQL has is allowed: {', '.join(known)}")
    return text


def _instance_class(text: str) -> str:
    if text not in {*MEMORY_GIB, SERVERLESS}:
        raise ValueError(
            f"a Graviton class that the engine runs on is allowed: {', '.join(MEMORY_GIB)}; or {SERVERLESS}"
        )
    return text


def _insights_days(days: int) -> int:
    if days not in INSIGHTS_DAYS:
        raise ValueError("7, a multiple of 31 up to 713, or 731 is allowed")
    return days


CapacityUnits = Annotated[float, Field(ge=0.5, le=256, multiple_of=0.5)]


class DatabaseSettings(SettingsModel):
    """Aurora PostgreSQL in the primary region, and its standby in the recovery region."""

    engine_version: Annotated[
        str,
        Rule(_engine_version, "a version that Aurora PostgreSQL has, such as 17.9; settings/database.py lists them"),
    ] = "17.9"
    """The engine's version. A minor upgrade is in place, at once or in the maintenance window.

    With recovery `global` upgrade the secondary first, as docs/runbooks/database-recovery.md says.
    """
    instance_class: Annotated[
        str,
        Rule(_instance_class, "a Graviton class: db.r8g, db.r7g or db.r6g, db.t4g; or db.serverless"),
    ] = "db.r8g.large"
    """Instance class of all instances; db.serverless scales each between the two capacities below."""
    min_serverless_units: CapacityUnits = 1.0
    """The least capacity of a serverless instance, in Aurora capacity units of 2 GiB each."""
    max_serverless_units: CapacityUnits = 16.0
    """The greatest capacity of a serverless instance; its connections are derived from it."""
    readers: Annotated[int, Field(ge=2, le=MOST_READERS)] = 2
    """Readers that always run, in addition to the writer, spread over the zones."""
    max_readers: Annotated[int, Field(ge=2, le=MOST_READERS)] = 4
    """Readers that scaling may reach; 14 with recovery `global`."""
    connections_per_reader: Annotated[int, Field(ge=1, le=MOST_CONNECTIONS)] = 200
    """Target of auto scaling: average connections to a reader; at most four fifths of the class's limit."""
    backup_retention_days: Annotated[int, Field(ge=7, le=35)] = 35
    """Days back to which the database can be restored, to the second."""
    backup_window: Annotated[str, Rule(_daily_window, "a daily window in UTC, such as 03:00-04:00")] = "03:00-04:00"
    """Daily backup window, in UTC."""
    maintenance_window: Annotated[str, Rule(_weekly_window, "a weekly window in UTC, such as sun:05:00-sun:06:00")] = (
        "sun:05:00-sun:06:00"
    )
    """Weekly maintenance window, in UTC; it must not overlap backup_window."""
    apply_immediately: bool = False
    """Whether changes apply at once. If not, plans show them until the maintenance window has applied them."""
    slow_statement_milliseconds: Annotated[int, Field(ge=10, le=3_600_000)] = 1000
    """Statements that take at least this long are logged."""
    performance_insights_days: Annotated[int, AfterValidator(_insights_days), Field(ge=7, le=731)] = 7
    """Days that Performance Insights keeps: 7, a multiple of 31, or 731; beyond 7 they cost."""
    database_insights_mode: Annotated[InsightsMode, Field(strict=False)] = InsightsMode.STANDARD
    """Mode of Database Insights; `advanced` costs, and needs performance_insights_days of 465 or more."""
    monitoring_seconds: Literal[1, 5, 10, 15, 30, 60] = 60
    """Granularity of enhanced monitoring, in seconds."""
    rotation_days: Annotated[int, Field(ge=1, le=90)] = 30
    """Days between automatic rotations of the passwords."""
    rotation_window_hours: Annotated[int, Field(ge=1, le=24)] = 3
    """Length of the rotation window in hours, from midnight UTC."""
    operator_access: bool = False
    """Whether operators may read the database by `make database`: a database role, and a role and a group for its task.

    The role logs in by IAM alone and reads only; switched off, it can no longer log in after the next migration.
    """
    master_password_version: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Increase it to generate a new master password with the next deployment, such as after a loss."""
    recovery: Annotated[RecoveryMode, Field(strict=False)] = RecoveryMode.SNAPSHOTS
    """Standby in the recovery region: `global` a secondary cluster, a second behind, `snapshots` copies to restore.

    `global` needs a class that is not burstable.
    """
    recovery_instances: Annotated[int, Field(ge=0, le=MOST_READERS)] = 0
    """Instances of the copy. Without any it costs storage only, and a failover waits for the first to start."""
    recovery_point_seconds: Annotated[int, Field(ge=1, le=86_400)] = 5
    """Recovery point objective with recovery `global`: seconds of writes that the loss of a region may cost.

    Beyond it an alarm pages, and a failover with data loss needs consent.
    """
    enforce_recovery_point: bool = False
    """Whether the writer blocks commits while the copy is further behind than recovery_point_seconds, then 20 or more.

    It limits what is lost, and makes payments stop in a healthy region while the other is lost.
    """
    recovery_snapshot: (
        Annotated[
            str,
            matching(
                r"(arn:aws:rds:[a-z0-9-]+:[0-9]{12}:cluster-snapshot:)?[A-Za-z][A-Za-z0-9:-]{0,254}",
                "the name or ARN of a cluster snapshot in the recovery region is allowed",
            ),
        ]
        | None
    ) = None
    """A cluster snapshot of the recovery region to restore there, with recovery `snapshots`.

    From then on the restored cluster is the platform's writer, in both regions: docs/runbooks/database-recovery.md.
    """

    @property
    def serverless(self) -> bool:
        """Whether capacity follows the load."""
        return self.instance_class == SERVERLESS

    @property
    def major_version(self) -> str:
        """The engine's major version, such as 17."""
        return self.engine_version.partition(".")[0]

    @property
    def memory_gib(self) -> float:
        """The memory of an instance, in GiB; of a serverless one the greatest."""
        return self.max_serverless_units * 2 if self.serverless else MEMORY_GIB[self.instance_class]

    @property
    def max_connections(self) -> int:
        """Connections that one instance takes, by AWS's own default for the class.

        LEAST(memory in GB / 9531392 bytes, 5000), worked as in AWS's example:
        https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Managing.html#AuroraPostgreSQL.Managing.MaxConnections
        """
        if not self.serverless:
            return min(int(self.memory_gib * 10**9 / BYTES_PER_CONNECTION), MOST_CONNECTIONS)
        listed = [most for units, most in SERVERLESS_CONNECTIONS.items() if units <= self.max_serverless_units]
        most = max(listed, default=0)
        return most if self.min_serverless_units >= 1 else min(most, MOST_CONNECTIONS_BELOW_ONE_UNIT)

    @model_validator(mode="after")
    def _fits_together(self) -> DatabaseSettings:
        problems = [
            *self._of_capacity(),
            *self._of_readers(),
            *self._of_recovery(),
            *self._of_recovery_point(),
            *self._of_insights(),
            *self._of_windows(),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _of_capacity(self) -> Iterator[str]:
        least = max(self.min_serverless_units, 1.0)
        if self.serverless and self.max_serverless_units < least:
            yield (
                f"max_serverless_units: {self.max_serverless_units} is not allowed; {least} or more is, as "
                f"min_serverless_units is {self.min_serverless_units}"
            )

    def _of_readers(self) -> Iterator[str]:
        most = MOST_READERS_WITH_SECONDARY if self.recovery is RecoveryMode.GLOBAL else MOST_READERS
        if not self.readers <= self.max_readers <= most:
            yield f"max_readers: {self.max_readers} is not allowed; readers ({self.readers}) to {most} is"
        if self.connections_per_reader > (allowed := int(self.max_connections * RECOMMENDED_SHARE)):
            yield (
                f"connections_per_reader: {self.connections_per_reader} is not allowed; up to {allowed} is, "
                f"{RECOMMENDED_SHARE:.0%} of what {self.instance_class} takes"
            )

    def _of_recovery(self) -> Iterator[str]:
        if self.recovery is not RecoveryMode.GLOBAL:
            if self.recovery_instances:
                yield f"recovery_instances: {self.recovery_instances} is not allowed; with recovery snapshots 0 is"
            return
        if self.recovery_snapshot:
            yield (
                f"recovery_snapshot: {self.recovery_snapshot!r} is not allowed; with recovery global there is a copy "
                "already: none is"
            )
        # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database.configuration.requirements.html
        if self.instance_class in BURSTABLE:
            yield (
                f"instance_class: {self.instance_class!r} is not allowed; a global database runs on classes with more "
                "memory: db.r6g.large or larger is, or recovery snapshots"
            )
        if self.serverless and self.min_serverless_units < LEAST_GLOBAL_UNITS:
            yield (
                f"min_serverless_units: {self.min_serverless_units} is not allowed; in a global database "
                f"{LEAST_GLOBAL_UNITS} or more is"
            )

    def _of_recovery_point(self) -> Iterator[str]:
        if not self.enforce_recovery_point:
            return
        if self.recovery is not RecoveryMode.GLOBAL:
            yield "enforce_recovery_point: True is not allowed; with recovery snapshots false is"
        elif self.recovery_point_seconds < (least := LEAST_ENFORCED_RECOVERY_POINT_SECONDS):
            yield (
                f"recovery_point_seconds: {self.recovery_point_seconds} is not allowed; with enforce_recovery_point "
                f"{least} or more is"
            )

    def _of_insights(self) -> Iterator[str]:
        advanced = self.database_insights_mode is InsightsMode.ADVANCED
        if advanced and self.performance_insights_days < MIN_ADVANCED_INSIGHTS_DAYS:
            yield (
                f"performance_insights_days: {self.performance_insights_days} is not allowed; with "
                f"database_insights_mode advanced {MIN_ADVANCED_INSIGHTS_DAYS} or more is"
            )

    def _of_windows(self) -> Iterator[str]:
        if overlap(self.backup_window, self.maintenance_window):
            yield (
                f"maintenance_window: {self.maintenance_window!r} is not allowed; one that does not overlap "
                f"backup_window ({self.backup_window}) is"
            )
