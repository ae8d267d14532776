"""What AWS's services measure once a minute: queues, services, target groups, health checks, executions, databases.

Health is seen by a request, and the number of connections by a query: these are sent every few real seconds at most,
whatever the clock, and what was seen is published until then.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT_ID
from moto.core.utils import unix_time_millis
from moto.ecs.models import ecs_backends
from moto.elbv2.models import elbv2_backends
from moto.route53.models import route53_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.models import stepfunctions_backends

from alarms.documented import DOCUMENTED
from alarms.metrics import Data
from alarms.sources import of_cluster, of_execution, of_health_check, of_queue, of_service, of_target_group
from emulator.regions import REGIONS
from emulator.runtime import dns, task_sets
from emulator.runtime.databases.clusters import SERVERS
from emulator.runtime.metering import METERING
from emulator.runtime.target_health import HEALTHY, health_at
from emulator.runtime.tasks.keeper import KEEPER
from emulator.turns import turn

SECONDS_BETWEEN_REQUESTS = 5.0
"""Real ones, between two looks at the same health or database."""
ENABLED = {"enabled", "enhanced"}
"""Values of the cluster setting containerInsights with which its services are measured."""
HEALTH_CHECKS = DOCUMENTED["AWS/Route53"].home
CLIENTS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
_log = logging.getLogger(__name__)


class Sampler:
    """Samples a local AWS; remembers what it has seen lately, and which executions it has counted."""

    def __init__(self) -> None:
        self._seen: dict[object, tuple[float, object]] = {}
        self._counted: set[str] = set()

    def sample(self) -> None:
        """Publish what there is to be measured in each region now."""
        with turn():
            found = [(region, list(self._of_state(region))) for region in self._regions()]
            groups = list(_groups())
        for region, of_state in found:
            METERING.publish(region, of_state)
        for one in groups:
            METERING.publish(one.region, self._of_group(one))
        METERING.publish(HEALTH_CHECKS, list(self._of_health_checks()))
        for region, data in self._of_databases():
            METERING.publish(region, data)

    @staticmethod
    def _regions() -> list[str]:
        used = {region for backends in (sqs_backends, ecs_backends) for region in backends[ACCOUNT_ID]}
        return sorted(region for region in used if not REGIONS.is_lost(region))

    def _of_state(self, region: str) -> Data:
        for queue in sqs_backends[ACCOUNT_ID][region].queues.values():
            yield from _of_queue(queue)
        backend = ecs_backends[ACCOUNT_ID][region]
        for service in backend.services.values():
            if service.status == "ACTIVE" and _is_measured(backend, service):
                yield from _of_service(service)
        for machine in stepfunctions_backends[ACCOUNT_ID][region].state_machines:
            for execution in machine.executions:
                yield from self._of_execution(machine, execution)

    def _of_execution(self, machine: Any, execution: Any) -> Data:
        if execution.status != "RUNNING" and execution.execution_arn not in self._counted:
            self._counted.add(execution.execution_arn)
            yield from of_execution(machine.arn, str(execution.status))

    def _of_group(self, group: _Group) -> Data:
        """Each target is as healthy as the process that stands for it; one without a process counts as healthy.

        A target whose process does not listen yet is neither healthy nor unhealthy.
        """
        states = [self._state_of(group, address) for address in group.addresses]
        return of_target_group(
            group.load_balancer, group.name, healthy=states.count("healthy"), unhealthy=states.count("unhealthy")
        )

    def _state_of(self, group: _Group, address: str) -> str:
        key = (group.arn, KEEPER.url_of(group.region, address) or address)
        return str(self._lately(key, lambda: (health_at(group.region, group.stored, address) or HEALTHY).state))

    def _of_health_checks(self) -> Data:
        for identifier in list(route53_backends[ACCOUNT_ID]["aws"].health_checks):
            healthy = self._lately(identifier, lambda one=identifier: _checked(one))  # type: ignore[misc]
            yield from of_health_check(identifier, healthy=bool(healthy))

    def _of_databases(self) -> Iterator[tuple[str, Data]]:
        for place, writer, server in SERVERS.sessions():
            _, _, _, region, _, _, cluster = place.cluster.split(":")
            count = self._lately(place, lambda one=server: _connections(one))  # type: ignore[misc]
            if isinstance(count, int) and not REGIONS.is_lost(region):
                yield region, of_cluster(cluster, writer=writer, connections=count)

    def _lately(self, key: object, look: Callable[[], object]) -> object:
        """What a look gives, or gave a few seconds ago."""
        now = time.monotonic()
        at, value = self._seen.get(key, (-SECONDS_BETWEEN_REQUESTS, None))
        if now - at >= SECONDS_BETWEEN_REQUESTS:
            value = look()
            self._seen[key] = (now, value)
        return value


class _Group:
    """A target group behind a load balancer, with the addresses of its targets."""

    def __init__(self, region: str, stored: Any) -> None:
        self.region, self.stored, self.arn = region, stored, str(stored.arn)
        self.name = self.arn.rpartition(":")[2]
        self.load_balancer = str(stored.load_balancer_arns[0]).partition(":loadbalancer/")[2]
        self.addresses = [str(target["Id"]) for target in stored.targets.values()]


def _groups() -> Iterator[_Group]:
    for region, backend in list(elbv2_backends[ACCOUNT_ID].items()):
        for stored in backend.target_groups.values():
            if stored.load_balancer_arns and not REGIONS.is_lost(region):
                yield _Group(region, stored)


def _connections(server: Any) -> int | None:
    """The client connections of a server but the local AWS's own; None where it does not answer now."""
    try:
        with server.session() as session:
            counted = session.execute(CLIENTS).fetchone()
    except Exception as failure:  # noqa: BLE001 (it may just have ended)
        _log.debug("a database is not seen: %s", failure)
        return None
    return int(counted[0])


def _checked(identifier: str) -> bool:
    with turn():
        try:
            return dns.is_healthy(ACCOUNT_ID, identifier)
        except NotImplementedError as gap:
            _log.debug("a health check is not seen: %s", gap)
            return True


def _of_queue(queue: Any) -> Data:
    messages = list(queue._messages)  # noqa: SLF001 (the hidden ones, too)
    hidden = sum(not one.visible for one in messages)
    now = unix_time_millis()
    oldest = max((now - float(one.sent_timestamp) for one in messages), default=0.0) / 1000
    return of_queue(queue.name, visible=len(messages) - hidden, hidden=hidden, oldest_seconds=max(oldest, 0.0))


def _is_measured(backend: Any, service: Any) -> bool:
    cluster = backend._get_cluster(service.cluster_name)  # noqa: SLF001 (moto offers no other way to it)
    settings = {one["name"]: one["value"] for one in cluster.settings or ()}
    return settings.get("containerInsights") in ENABLED


def _of_service(service: Any) -> Data:
    """All task sets count: during a release as many tasks run as both have."""
    sets = task_sets.task_sets(service)
    away = sum(len(one.addresses) - KEEPER.running(service.region_name, one.addresses) for one in sets)
    running = sum(one.computed_desired_count for one in sets) - away
    return of_service(service.cluster_name, service.name, desired=service.desired_count, running=running)
