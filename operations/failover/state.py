"""Snapshot of both regions' status at one moment, as AWS reports it. Nothing else is stored.

Each step of a failover derives from it whether it is complete. So after an interrupted run, at any point, the next run
does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from operations.region import Region


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    """A service of one region."""

    name: str
    desired: int
    running: int
    least: int
    """Current minimum of auto scaling; a schedule may have set it."""
    most: int
    scale_in_suspended: bool
    healthy: int | None = None
    """Tasks that take requests, as the load balancer sees it; none of a worker."""

    def has(self, tasks: int) -> bool:
        """Whether this many tasks run, and are healthy if required."""
        ready = self.running if self.healthy is None else min(self.running, self.healthy)
        return self.desired >= tasks and ready >= tasks


@dataclass(frozen=True, kw_only=True)
class RegionState:
    """A region; empty where it does not answer."""

    place: Region
    name: str
    answers: bool
    services: Mapping[str, ServiceState]
    alarms: tuple[str, ...] = ()
    has_secret: bool | None = None
    releases: tuple[str, ...] = ()
    """Deployments of CodeDeploy that go on."""
    silence: str = ""
    """Why nothing is known of it."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """A switchover or failover of the database that RDS is at work on."""

    status: str
    to: str
    loses_data: bool


@dataclass(frozen=True, kw_only=True)
class DatabaseState:
    """The global database. Clusters are named by their ARNs."""

    writers: tuple[str, ...]
    members: tuple[str, ...]
    unsynchronized: tuple[str, ...]
    move: Move | None
    instances: int | None
    """Of the cluster that the writer is to go to."""
    lag_milliseconds: float | None
    """How far that cluster was behind, when it was last measured."""

    def is_led_by(self, cluster: str) -> bool:
        """Whether this cluster is the one writer, and nothing is about to change that."""
        return self.writers == (cluster,) and self.move is None


@dataclass(frozen=True, kw_only=True)
class TrafficState:
    """Where requests go."""

    taken_over: bool | None
    """Response of the recovery region's takeover rule; None if it cannot be reached."""
    reached: Mapping[Region, bool | None]
    """Whether Route 53's health checkers get an answer from a task of the region; None is not known."""
    answered: Region | None
    """The region whose load balancer is in DNS answers; None if unknown."""


@dataclass(frozen=True, kw_only=True)
class State:
    """All of it."""

    at: datetime
    regions: Mapping[Region, RegionState]
    database: DatabaseState
    traffic: TrafficState
