"""Health of the targets of an application load balancer, by the health check of their target group.

A check is sent each time that the health is asked for, to the process of the task at the target's address. A target
without one, as where no tasks run, has no health to be seen.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from emulator.runtime.forwarding import status_of
from emulator.runtime.tasks.keeper import KEEPER
from emulator.runtime.tasks.task import PATIENCE


@dataclass(frozen=True, kw_only=True)
class Health:
    """The health of a target: TargetHealth in Elastic Load Balancing's API reference."""

    state: str
    reason: str | None = None
    description: str | None = None


HEALTHY = Health(state="healthy")


def health_at(region: str, group: Any, address: str) -> Health | None:
    """The health of the target at ``address`` in a target group (one of moto's); None where no process is at it."""
    if not KEEPER.has_process(region, address):
        return None
    url = KEEPER.url_of(region, address)
    if url is None:
        return Health(
            state="initial", reason="Elb.RegistrationInProgress", description="Target registration is in progress"
        )
    seconds = float(group.health_check_timeout_seconds) * PATIENCE
    try:
        protocol = str(group.health_check_protocol).lower()
        status = status_of(
            urlsplit(url)._replace(scheme=protocol).geturl(), str(group.health_check_path or "/"), seconds
        )
    except TimeoutError:
        return Health(state="unhealthy", reason="Target.Timeout", description="Request timed out")
    if status is None:
        return Health(state="unhealthy", reason="Target.FailedHealthChecks", description="Health checks failed")
    if status not in set(_codes(str((group.matcher or {}).get("HttpCode") or "200"))):
        said = f"Health checks failed with these codes: [{status}]"
        return Health(state="unhealthy", reason="Target.ResponseCodeMismatch", description=said)
    return HEALTHY


def are_healthy(region: str, group: Any, addresses: list[str]) -> bool:
    """Whether every task of a task set that has a process passes the health check of its target group."""
    if not KEEPER.has_seen(region, addresses):
        return False
    return all(health_at(region, group, address) in (None, HEALTHY) for address in addresses)


def _codes(matcher: str) -> Iterator[int]:
    """The codes of a matcher: ``200``, ``200,202`` or ``200-299``."""
    for part in matcher.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
