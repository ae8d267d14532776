"""The steps of a failover, in their order. Each can see from AWS whether it is done, and can be begun again.

Why this order: tasks are there before requests are, and the writer is there before requests move, since tasks of both
regions write through one name that follows it. While the writer moves, nothing can be written, in either region.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError
from typing_extensions import override

from operations.failover.aws import Aws
from operations.failover.request import Request
from operations.failover.state import DatabaseState, RegionState, ServiceState, State, TrafficState
from operations.outcome import Failed, Refused
from operations.region import Region
from settings import Settings
from settings.edge import OriginRouting

STATE_FAULT = "InvalidGlobalClusterStateFault"


@dataclass(frozen=True)
class Seen:
    """Status of a step: whether it is complete, and a line that describes it."""

    done: bool
    text: str


class Step(ABC):
    """One step."""

    title: str
    minutes: float
    """Timeout until the step is reported as stuck, in seconds; nothing is rolled back then."""

    @abstractmethod
    def seen_in(self, state: State) -> Seen:
        """Status by a previous snapshot."""

    @abstractmethod
    def look(self) -> Seen:
        """Current status, read again."""

    @abstractmethod
    def begin(self) -> None:
        """Start the step. AWS continues it."""


class Capacity(Step):
    """As many tasks in the target region as serve now, at least as many as settings say.

    Before anything is moved there, Route 53's health checks must succeed, through the load balancer as customers do.
    """

    minutes = 15.0

    def __init__(self, aws: Aws, request: Request, settings: Settings, first: State) -> None:
        self._aws, self._place = aws, request.to
        left = first.regions[request.origin].services
        self.wanted = {
            name: self._wanted(settings.services[name].min_tasks, left.get(name), here)
            for name, here in first.regions[request.to].services.items()
        }
        tasks = ", ".join(f"{name} {number}" for name, number in self.wanted.items())
        self.title = f"run the tasks that all requests need in {first.regions[request.to].name}: {tasks}"

    @staticmethod
    def _wanted(least: int, left: ServiceState | None, here: ServiceState) -> int:
        return min(max(least, here.least, left.desired if left else 0), here.most)

    @override
    def seen_in(self, state: State) -> Seen:
        return self._of(state.regions[self._place].services.values(), state.traffic.reached[self._place])

    @override
    def look(self) -> Seen:
        return self._of(self._aws.services(self._place).values(), self._aws.reached()[self._place])

    def _of(self, services: Iterable[ServiceState], reached: bool | None) -> Seen:
        found = {one.name: one for one in services}
        missing = [
            f"{name} {one.running} of {tasks}" + ("" if one.healthy is None else f", {one.healthy} healthy")
            for name, tasks in self.wanted.items()
            for one in [found[name]]
            if not one.has(tasks) or (one.least < tasks and not one.scale_in_suspended)
        ]
        if not missing and reached is False:
            return Seen(False, "all tasks are there, but health checkers get no answer from them")
        return Seen(not missing, "; ".join(missing) or "all tasks are there")

    @override
    def begin(self) -> None:
        for name, service in self._aws.services(self._place).items():
            self._aws.run_at_least(self._place, service, self.wanted[name])


class Fence(Step):
    """No task in the region that is lost, as far as it still hears us.

    RDS keeps the old writer from writing as well as it can, which it cannot promise where it does not reach it.
    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-disaster-recovery.html
    """

    minutes = 1.0

    def __init__(self, aws: Aws, request: Request, first: State) -> None:
        self._aws, self._place = aws, request.origin
        self._asked = False
        self.title = f"stop the tasks in {first.regions[request.origin].name}, as far as it hears that"

    @override
    def seen_in(self, state: State) -> Seen:
        return self._of(state.regions[self._place])

    def _of(self, region: RegionState) -> Seen:
        if not region.answers:
            return Seen(self._asked, "it does not answer")
        running = [f"{one.name} {one.desired}" for one in region.services.values() if one.desired]
        return Seen(not running, f"it answers, and runs {', '.join(running)}" if running else "no task is to run there")

    @override
    def look(self) -> Seen:
        try:
            services = self._aws.services(self._place)
        except (ClientError, BotoCoreError):
            return Seen(self._asked, "it does not answer")
        running = [f"{one.name} {one.desired}" for one in services.values() if one.desired]
        return Seen(not running, f"it runs {', '.join(running)}" if running else "no task is to run there")

    @override
    def begin(self) -> None:
        self._asked = True
        with contextlib.suppress(ClientError, BotoCoreError):
            for service in self._aws.services(self._place).values():
                self._aws.stop(self._place, service)


class Database(Step):
    """The writer in the region that takes over, and nowhere else."""

    minutes = 30.0

    def __init__(self, aws: Aws, request: Request, first: State) -> None:
        self._aws = aws
        self._cluster = aws.names[request.to].database
        self._loses = request.lost_region
        name = first.regions[request.to].name
        how = "with the loss of what has not arrived there" if request.lost_region else "losing nothing"
        self.title = f"move the database's writer to {name}, {how}"

    @override
    def seen_in(self, state: State) -> Seen:
        return self._of(state.database)

    @override
    def look(self) -> Seen:
        return self._of(self._aws.database())

    def _of(self, database: DatabaseState) -> Seen:
        if len(database.writers) > 1:
            raise Failed(f"database: there is more than one writer: {', '.join(database.writers)}")
        if move := database.move:
            return Seen(False, f"{move.status}, to {_short(move.to)}")
        writer = _short(database.writers[0]) if database.writers else "none"
        return Seen(database.is_led_by(self._cluster), f"the writer is {writer}")

    @override
    def begin(self) -> None:
        now = self._aws.database()
        if now.is_led_by(self._cluster):
            return
        if now.move is None:
            try:
                self._aws.move_writer()
            except ClientError as error:
                # It may be our own call, whose response was lost: the operation in progress is checked below.
                if error.response["Error"].get("Code") != STATE_FAULT:
                    raise
                now = self._aws.database()
                if now.move is None and not now.is_led_by(self._cluster):
                    raise
        if now.move and now.move.to != self._cluster:
            raise Failed(f"database: RDS moves the writer to {now.move.to} at the moment; wait until that is over")


class Epoch(Step):
    """An epoch of the database since the move, so that what is older is looked up before it is requested.

    Only where data may be lost. To begin it twice begins one, so after an error it is tried again until the time is
    over: the writer has only just moved, and a function that was idle for weeks waits for its network interfaces.
    """

    minutes = 10.0

    def __init__(self, aws: Aws, request: Request) -> None:
        self._epochs = aws.epochs()
        self._cluster = aws.names[request.to].database
        self._asked = False
        self.title = "begin an epoch, so that what may have been requested and lost is looked up first"

    @override
    def seen_in(self, state: State) -> Seen:
        return self.look() if state.database.is_led_by(self._cluster) else Seen(False, "the writer has not moved")

    @override
    def look(self) -> Seen:
        try:
            if self._asked:
                self._epochs.begin()
            begun = self._asked or self._epochs.has_begun()
        except (Failed, Refused) as error:
            return Seen(False, str(error))
        return Seen(begun, f"its cause is {self._epochs.cause}" if begun else "none of this failover has begun")

    @override
    def begin(self) -> None:
        self._asked = True


class Traffic(Step):
    """Traffic in the target region: the recovery region's rule answers that it has taken over, or not."""

    minutes = 15.0

    def __init__(self, aws: Aws, request: Request, settings: Settings, first: State) -> None:
        self._aws, self._request = aws, request
        self._takes_over = request.to is Region.RECOVERY
        self._latency = settings.edge.origin_routing is OriginRouting.LATENCY
        name = first.regions[request.to].name
        back = "let requests go to both regions again" if self._latency else f"move requests to {name}"
        self.title = f"move all requests to {name}" if self._takes_over else back

    @override
    def seen_in(self, state: State) -> Seen:
        return self._of(state.traffic)

    @override
    def look(self) -> Seen:
        return self._of(self._aws.traffic())

    def _of(self, traffic: TrafficState) -> Seen:
        # A recovery region that cannot be reached is lost, and cannot take over.
        said = traffic.taken_over in {self._takes_over, None}
        # With latency routing, DNS answers both regions unless one has taken over, depending on the resolver.
        arrived = traffic.answered is self._request.to or (self._latency and not self._takes_over)
        switch = {True: "has taken over", False: "stands by", None: "cannot be asked"}[traffic.taken_over]
        answered = f"DNS answers {traffic.answered}" if traffic.answered else "what DNS answers is not known"
        return Seen(said and arrived, f"the recovery region {switch}; {answered}")

    @override
    def begin(self) -> None:
        try:
            if self._aws.taken_over() not in {self._takes_over, None}:
                self._aws.take_over(self._takes_over)
        except (ClientError, BotoCoreError):
            if not (self._request.lost_region and self._request.origin is Region.RECOVERY):
                raise


class Proof(Step):
    """The region serves, seen through the real path: Route 53's checkers, the load balancer, a task; and the writer."""

    minutes = 10.0

    def __init__(self, aws: Aws, request: Request, first: State) -> None:
        self._aws, self._place = aws, request.to
        self._cluster = aws.names[request.to].database
        self.title = f"see that {first.regions[request.to].name} serves, and that it has the one writer"

    @override
    def seen_in(self, state: State) -> Seen:
        return self._of(state.traffic, state.database)

    @override
    def look(self) -> Seen:
        return self._of(self._aws.traffic(), self._aws.database())

    def _of(self, traffic: TrafficState, database: DatabaseState) -> Seen:
        reached = traffic.reached[self._place]
        # Without Route 53's API this is not known, and no reason to stay where the platform does not work.
        checkers = {True: "get an answer", False: "get no answer", None: "cannot be asked"}[reached]
        one = database.is_led_by(self._cluster)
        text = f"health checkers {checkers}; {'one writer, here' if one else 'the writer is not here'}"
        return Seen(reached is not False and one, text)

    @override
    def begin(self) -> None:
        """Nothing: this step only verifies."""


class StandBy(Step):
    """The recovery region with its standby tasks, and auto scaling resumed in both."""

    minutes = 5.0

    def __init__(self, aws: Aws, settings: Settings, first: State) -> None:
        self._aws = aws
        self._least = {name: one.min_tasks for name, one in settings.recovery_services.items()}
        self.title = f"leave scaling to itself, and {first.regions[Region.RECOVERY].name} with what stands by"

    @override
    def seen_in(self, state: State) -> Seen:
        return self._of({place: list(region.services.values()) for place, region in state.regions.items()})

    @override
    def look(self) -> Seen:
        return self._of({place: list(self._aws.services(place).values()) for place in Region})

    def _of(self, services: dict[Region, list[ServiceState]]) -> Seen:
        held = [f"{place} {one.name}" for place, some in services.items() for one in some if one.scale_in_suspended]
        text = f"scaling is held back: {', '.join(held)}" if held else "scaling decides"
        return Seen(not held, text)

    @override
    def begin(self) -> None:
        for place in (Region.PRIMARY, Region.RECOVERY):
            for name, service in self._aws.services(place).items():
                tasks = max(self._least[name], service.least) if place is Region.RECOVERY else None
                if service.scale_in_suspended:
                    self._aws.leave_to_scaling(place, service, tasks)


def steps_of(aws: Aws, request: Request, settings: Settings, first: State) -> list[Step]:
    """The steps that this failover takes."""
    steps: list[Step] = [Capacity(aws, request, settings, first)]
    if request.lost_region:
        steps.append(Fence(aws, request, first))
    steps.append(Database(aws, request, first))
    if request.lost_region and not request.without_epoch and settings.processing:
        steps.append(Epoch(aws, request))
    steps += [
        Traffic(aws, request, settings, first),
        Proof(aws, request, first),
    ]
    if request.to is Region.PRIMARY and not request.lost_region:
        steps.append(StandBy(aws, settings, first))
    return steps


def _short(arn: str) -> str:
    """Region and name of a cluster."""
    parts = arn.split(":")
    return f"{parts[-1]} in {parts[3]}"
