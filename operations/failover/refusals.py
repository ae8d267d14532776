"""Conditions that refuse a failover before it starts: a line for each, with what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from operations.failover.clients import Names
from operations.failover.request import Request
from operations.failover.state import State
from operations.region import Region


def refusals(state: State, request: Request, names: Mapping[Region, Names], recovery_point: timedelta) -> Iterator[str]:
    """The reasons, the most important first. A failover that has moved the writer must be completed: then few apply.

    ``recovery_point`` is the objective: what a lost region may cost without a further consent.
    """
    cluster = names[request.to].database
    yield from _of_any(state, request, cluster)
    if state.database.is_led_by(cluster) or state.database.move:
        return
    yield from _of_the_database(state, cluster)
    if request.lost_region:
        yield from _of_lost_writes(state, request, cluster, recovery_point)
    else:
        yield from _of_a_planned_one(state, request)


def _of_any(state: State, request: Request, cluster: str) -> Iterator[str]:
    database, target = state.database, state.regions[request.to]
    if len(database.writers) > 1:
        yield f"database: {' and '.join(database.writers)} both write; one is allowed: end that first"
    if (move := database.move) and move.to != cluster:
        yield f"database: RDS moves the writer to {move.to} at the moment; wait until that is over"
    if target.has_secret is False:
        yield f"secret: {target.name} has no replica of the database's login; no task could log in there"


def _of_the_database(state: State, cluster: str) -> Iterator[str]:
    name = cluster.rpartition(":")[2]
    if not state.database.instances:
        yield (
            f"database: {name} has no instance that could write; start one first (docs/runbooks/database-recovery.md)"
        )
    if cluster in state.database.unsynchronized:
        yield (
            f"database: {name} is being synchronized after an earlier failover, which takes minutes to hours; it can "
            "take over once it is"
        )


def _of_lost_writes(state: State, request: Request, cluster: str, recovery_point: timedelta) -> Iterator[str]:
    lag, allowed = state.database.lag_milliseconds, recovery_point.total_seconds()
    if lag is None or lag <= allowed * 1000 or request.accept_data_loss:
        return
    yield (
        f"database: {cluster.rpartition(':')[2]} was {lag / 1000:.1f} s behind when last measured, and "
        f"database.recovery_point_seconds is {allowed:.0f}: so much would be lost; where it can, a failover without "
        f"--lost-region loses nothing; to lose it: {request.again('--accept-data-loss')}"
    )


def _of_a_planned_one(state: State, request: Request) -> Iterator[str]:
    target, origin = state.regions[request.to], state.regions[request.origin]
    if going := [*target.releases, *origin.releases]:
        yield f"releases: {', '.join(going)} is in progress; wait, or stop it with make release"
    if state.database.unsynchronized:
        yield f"database: {state.database.unsynchronized[0]} is not synchronized; wait until it is"
    runs = any(one.running and one.healthy is not None for one in target.services.values())
    if runs and state.traffic.reached[request.to] is False:
        yield (
            f"{request.to}: health checkers get no answer from {target.name}, so it could not serve; if {origin.name} "
            "does not either: --lost-region"
        )
