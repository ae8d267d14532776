"""Scheduler of tasks: starts as many as services want, replaces those that end, and stops surplus ones.

A service has as many processes as its desired count, up to the maximum of the local AWS (``most``). The addresses of
tasks above the maximum are served by the other tasks of the same task set. Images without a description have no
process.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.ecs.models import ecs_backends

from emulator.authorization import gate
from emulator.authorization.callers import Network
from emulator.passages import passing
from emulator.runtime import network_paths, task_sets
from emulator.runtime.authority import authority
from emulator.runtime.databases.clusters import SERVERS
from emulator.runtime.names import NAMES
from emulator.runtime.tasks.box import Way
from emulator.runtime.tasks.definitions import Surroundings
from emulator.runtime.tasks.image import Image, repository_of
from emulator.runtime.tasks.process import THREAD
from emulator.runtime.tasks.task import Plan, State, Task
from emulator.turns import turn

SECONDS_BETWEEN_LOOKS = 0.5
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
SECONDS_THAT_COUNT_AS_RUNNING = 60.0
DATABASE_PORT = 5432

_log = logging.getLogger(__name__)


@dataclass
class _Place:
    """An address of a task set and its task; ``failures`` counts consecutive starts that ended early."""

    task: Task
    began: float = field(default_factory=time.monotonic)
    failures: int = 0
    not_before: float = 0.0


class Keeper:
    """The tasks of one local AWS."""

    def __init__(self) -> None:
        self._most = 0
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """Start without tasks: a fork has none and starts none."""
        self._most = 0
        self._images: dict[str, Image] = {}
        self._places: dict[tuple[str, str], _Place] = {}
        self._sets: dict[tuple[str, str], str] = {}
        """The task set of each address, including those without a process of their own."""
        self._lock = threading.Lock()
        self._changed = threading.Event()

    def begin(self, most: int) -> None:
        """Run tasks from now on, at most ``most`` of a task set; 0 runs none."""
        gate.find_ways_with(network_paths.refusal_of)
        keeps, self._most = bool(self._most), most
        if not most:
            self.end_all()
        elif not keeps:
            threading.Thread(target=self._keep, name=f"keeper {THREAD}", daemon=True).start()

    def describe(self, repository: str, image: Image) -> None:
        """Register the contents of all images of a repository, which is named without tag and digest."""
        with self._lock:
            self._images[repository] = image
        self._changed.set()

    def url_of(self, region: str, address: str) -> str | None:
        """The URL of the task at an address, or of another one of its task set; None where none runs."""
        with self._lock:
            own = self._places.get((region, address))
            if own and (url := own.task.url):
                return url
            set_ = self._sets.get((region, address))
            others = [place.task for place in self._places.values() if place.task.plan.task_set == set_]
        return next((task.url for task in others if task.url), None) if set_ else None

    def has_process(self, region: str, address: str) -> bool:
        """Whether a process is, or is about to be, at an address, or at another one of its task set."""
        with self._lock:
            set_ = self._sets.get((region, address))
            return any(place.task.plan.task_set == set_ for place in self._places.values()) if set_ else False

    def has_seen(self, region: str, addresses: list[str]) -> bool:
        """Whether the addresses of a task set were looked at since they exist, or none are looked at."""
        with self._lock:
            return not self._most or all((region, one) in self._sets for one in addresses)

    def running(self, region: str, addresses: list[str]) -> int:
        """How many of the addresses of a task set are served; all of them where the set has no process."""
        return sum(not self.has_process(region, one) or self.url_of(region, one) is not None for one in addresses)

    def tasks(self) -> list[Task]:
        """The tasks that run or are about to start."""
        with self._lock:
            return [place.task for place in self._places.values()]

    def end_all(self) -> None:
        """Kill every task."""
        self._most = 0
        for task in self.tasks():
            task.kill()

    def _keep(self) -> None:
        while self._most:
            try:
                self._look()
            except Exception:  # noqa: BLE001 (after any error the other tasks are still managed)
                _log.exception("tasks could not be looked at")
            self._changed.wait(SECONDS_BETWEEN_LOOKS)
            self._changed.clear()

    def _look(self) -> None:
        with turn():
            sets: dict[tuple[str, str], str] = {}
            wanted = {(plan.region, plan.address): plan for plan in self._wanted(sets)}
        self._sets = sets
        for key, place in list(self._places.items()):
            plan = wanted.get(key)
            if plan is None or plan.definition != place.task.plan.definition:
                with self._lock:
                    del self._places[key]
                place.task.stop("Scaling activity initiated by deployment")
        for key, plan in wanted.items():
            self._see_to(key, plan)

    def _see_to(self, key: tuple[str, str], plan: Plan) -> None:
        place = self._places.get(key)
        if place is None:
            self._start(key, _Place(Task(plan=plan)))
        elif place.task.state is State.STOPPED:
            ran = time.monotonic() - place.began > SECONDS_THAT_COUNT_AS_RUNNING
            failures = 0 if ran else place.failures + 1
            pause = min(FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 10), LONGEST_PAUSE_SECONDS) if failures else 0.0
            if not place.not_before:
                place.not_before = time.monotonic() + pause
            if time.monotonic() >= place.not_before:
                self._start(key, _Place(Task(plan=plan), failures=failures))

    def _start(self, key: tuple[str, str], place: _Place) -> None:
        with self._lock:
            self._places[key] = place
        name = f"starting {place.task.plan.service} {THREAD}"
        threading.Thread(target=self._begin, args=(place.task,), name=name, daemon=True).start()

    def _begin(self, task: Task) -> None:
        if task.plan.network:
            SERVERS.start()  # it may connect to a database
        task.start(_surroundings(task.plan), self._ended)

    def _ended(self, _task: Task) -> None:
        self._changed.set()

    # --- the desired tasks; the caller holds the state lock ---

    def _wanted(self, sets: dict[tuple[str, str], str]) -> Iterator[Plan]:
        """A plan for each process; the task set of each address is added to ``sets``."""
        for region, backend in list(ecs_backends[DEFAULT_ACCOUNT_ID].items()):
            for service in backend.services.values():
                if service.status != "ACTIVE":
                    continue
                for tasks in task_sets.task_sets(service):
                    sets.update(((region, address), tasks.id) for address in tasks.addresses)
                    yield from self._of_task_set(region, backend, service, tasks)

    def _of_task_set(self, region: str, backend: Any, service: Any, tasks: Any) -> Iterator[Plan]:
        addresses = tasks.addresses[: self._most]
        if not addresses:
            return
        definition = backend.describe_task_definition(tasks.task_definition)
        containers = [one for one in definition.container_definitions if one.get("essential", True)]
        image = self._image(str(containers[0]["image"])) if len(containers) == 1 else None
        if image is None:
            return
        network = _network(region, tasks)
        for address in addresses:
            yield Plan(
                service=service.name,
                region=region,
                account=DEFAULT_ACCOUNT_ID,
                cluster=service.cluster_name,
                task_set=tasks.id,
                definition=definition.arn,
                container=containers[0],
                task_role=str(definition.task_role_arn or ""),
                execution_role=str(definition.execution_role_arn or ""),
                network=network,
                image=image,
                address=address,
            )

    def _image(self, name: str) -> Image | None:
        with self._lock:
            return self._images.get(repository_of(name))


def _network(region: str, tasks: Any) -> Network | None:
    configuration = (tasks.network_configuration or {}).get("awsvpcConfiguration") or {}
    subnets = configuration.get("subnets")
    if not subnets:
        return None
    vpc_id = ec2_backends[DEFAULT_ACCOUNT_ID][region].get_subnet(subnets[0]).vpc_id
    groups = tuple(configuration.get("securityGroups") or ())
    return Network(
        region=region,
        vpc_id=vpc_id,
        subnets=tuple(subnets),
        groups=groups,
        has_public_address=configuration.get("assignPublicIp") == "ENABLED",
    )


def _surroundings(plan: Plan) -> Surroundings:
    hosts = NAMES.table()
    return Surroundings(
        port=int(os.environ["MOTO_PORT"]),
        hosts=hosts,
        ways=tuple(
            Way(address=address, port=DATABASE_PORT, host=address, host_port=DATABASE_PORT)
            for name, address in hosts.items()
            if _may_connect(plan, name)
        ),
        trusted=authority().pem.decode(),
    )


def _may_connect(plan: Plan, name: str) -> bool:
    """Whether the network, as it is when the task starts, has a way for it to a database; a refusal is recorded."""
    with turn():
        verdict = network_paths.to_database(plan.account, plan.region, plan.address, name, DATABASE_PORT)
    if verdict is None or verdict.is_allowed:
        return True
    with passing("connection", plan.service, f"tcp {DATABASE_PORT} to {name}") as passage:
        passage.way, passage.outcome = str(verdict), "refused"
    _log.warning("%s cannot connect to %s: %s", plan.service, name, verdict)
    return False


KEEPER = Keeper()
"""The keeper of this process."""
