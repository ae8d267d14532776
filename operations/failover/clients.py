"""Names and clients of the two regions that a failover is between.

Nothing is expected of a region that is lost: its calls have seconds to answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from operations.failover.request import Request
from operations.outcome import Refused
from operations.region import Region
from settings import Settings
from settings.database import RecoveryMode
from settings.naming import DATABASE, RECOVERY_DATABASE
from settings.platform import GLOBAL_REGION

STANDARD = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 4})
QUICK = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})
"""Timeouts for a lost region, and for calls that are optional."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names of the resources in one of the regions."""

    region: str
    cluster: str
    database: str
    load_balancer: str
    bucket: str
    origin: str

    @staticmethod
    def of(settings: Settings, place: Region) -> Names:
        """Derived from the stack's names."""
        names = settings.names
        region = (settings.primary if place is Region.PRIMARY else settings.recovery).name
        purpose = DATABASE if place is Region.PRIMARY else RECOVERY_DATABASE
        return Names(
            region=region,
            cluster=names.of("cluster"),
            database=f"arn:aws:rds:{region}:{settings.account_id}:cluster:{names.of(purpose)}",
            load_balancer=names.of("lb"),
            bucket=names.bucket("backups", region),
            origin=f"origin-{settings.environment_suffix}-{region}.{settings.domain.name}",
        )


class Clients:
    """Clients of the platform's regions, with names and timeouts."""

    def __init__(self, settings: Settings, request: Request, session: boto3.Session) -> None:
        if settings.database.recovery is not RecoveryMode.GLOBAL:
            raise Refused(
                f"database.recovery: {str(settings.database.recovery)!r} is not allowed for failover; with global "
                "there is a copy that can take over, with snapshots restore one first, as "
                "docs/runbooks/database-recovery.md says"
            )
        self._settings = settings
        self._request = request
        self.names = {place: Names.of(settings, place) for place in Region}
        self._configs = {place: QUICK if self.may_be_silent(place) else STANDARD for place in Region}
        # Any: the types of these clients are not among the locked packages.
        self._make: Any = session.client
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, place: Region) -> Any:
        """A client of a service in one of the two regions."""
        key = (service, place)
        if key not in self._clients:
            self._clients[key] = self._make(service, region_name=self.names[place].region, config=self._configs[place])
        return self._clients[key]

    @property
    def buckets(self) -> dict[Region, tuple[Any, str]]:
        """Where the lock and the record of a failover are: a bucket in each region that must answer."""
        return {
            place: (self.client("s3", place), self.names[place].bucket)
            for place in Region
            if not self.may_be_silent(place)
        }

    def may_be_silent(self, place: Region) -> bool:
        """Whether a region was declared lost, so that its calls may fail."""
        return self._request.lost_region and place is self._request.origin

    def of_global(self, service: str) -> Any:
        """A client of a service that is not regional."""
        key = (service, GLOBAL_REGION)
        if key not in self._clients:
            self._clients[key] = self._make(service, region_name=GLOBAL_REGION, config=QUICK)
        return self._clients[key]
