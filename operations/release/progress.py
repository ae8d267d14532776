"""Progress of a release: the status of its deployment at one moment, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from operations.watching import RUNNING_DEPLOYMENT

SUCCEEDED, FAILED, STOPPED = "Succeeded", "Failed", "Stopped"
HOOK = "AfterAllowTestTraffic"
SHIFT, AFTER_SHIFT = "AllowTraffic", "AfterAllowTraffic"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Parameters of every release of a service, from the deployment group and its configuration."""

    shift: timedelta
    """From the first request that green gets to the moment when it gets all."""
    bake: timedelta
    """For how long blue stays after that."""
    alarms: tuple[str, ...]
    rolls_back: bool


@dataclass(frozen=True, kw_only=True)
class Event:
    """A lifecycle event of a deployment."""

    name: str
    status: str
    message: str = ""
    began: datetime | None = None
    ended: datetime | None = None


@dataclass(frozen=True)
class Alarm:
    """An alarm that rolls a release back."""

    name: str
    state: str
    reason: str = ""

    @property
    def is_on(self) -> bool:
        """Whether it would stop a release."""
        return self.state == "ALARM"


@dataclass(frozen=True, kw_only=True)
class Look:
    """A deployment at one moment."""

    deployment_id: str
    status: str
    began: datetime
    ended: datetime | None = None
    green_percent: float | None = None
    events: tuple[Event, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    service_events: tuple[str, ...] = ()
    error_code: str = ""
    error_message: str = ""
    rollback_id: str = ""
    rollback_status: str = ""
    rollback_message: str = field(default="")

    @property
    def has_ended(self) -> bool:
        """Whether the deployment itself has ended; its rollback may be in progress."""
        return self.status not in RUNNING_DEPLOYMENT

    @property
    def is_over(self) -> bool:
        """Whether deployment and rollback have ended."""
        return self.has_ended and self.rollback_status not in RUNNING_DEPLOYMENT

    @property
    def stage(self) -> str:
        """Current phase, in a word or two."""
        if self.rollback_id and not self.is_over:
            return "rolling back"
        if self.has_ended:
            return self.status
        under_way = [event.name for event in self.events if event.status == "InProgress"]
        if under_way:
            return under_way[-1]
        return "baking" if self._event(AFTER_SHIFT, SHIFT) else self.status

    @property
    def share(self) -> str:
        """The share of green in words."""
        return "green has no traffic yet" if self.green_percent is None else f"green {self.green_percent:.0f} %"

    def elapsed(self, now: datetime) -> timedelta:
        """Time since the deployment's creation, until now or its end."""
        return max((self.ended or now) - self.began, timedelta())

    def remaining(self, plan: Plan, now: datetime) -> timedelta:
        """Minimum remaining time of traffic shift and bake; before the shift, task start and tests add to it."""
        if self.has_ended:
            return timedelta()
        done = self._event(AFTER_SHIFT, SHIFT)
        if done and done.ended:
            return max(plan.bake - (now - done.ended), timedelta())
        shifting = next((event for event in self.events if event.name == SHIFT), None)
        if shifting and shifting.began:
            return max(plan.shift - (now - shifting.began), timedelta()) + plan.bake
        return plan.shift + plan.bake

    def cause(self, alarms_seen: dict[str, Alarm]) -> str:
        """Why the deployment did not succeed: the alarm or lifecycle event, or CodeDeploy's message.

        Args:
            alarms_seen: names of alarms that fired during the deployment; they may be OK again.
        """
        failed = [event for event in self.events if event.status == "Failed"]
        if self.error_code == "ALARM_ACTIVE":
            on = {**alarms_seen, **{alarm.name: alarm for alarm in self.alarms if alarm.is_on}}
            named = [f"alarm {alarm.name}" + (f" ({alarm.reason})" if alarm.reason else "") for alarm in on.values()]
            return ", ".join(named) or self.error_message
        if failed and self.error_code != "MANUAL_STOP":
            hook = "the smoke test, " if failed[0].name == HOOK else ""
            return _joined(f"{hook}{failed[0].name}, failed", failed[0].message or self.error_message)
        if self.error_code == "MANUAL_STOP" or self.status == STOPPED:
            return _joined("it was stopped", self.error_message)
        return _joined(self.error_code or self.status, self.error_message)

    def _event(self, *names: str) -> Event | None:
        """The first of these events that succeeded, in the order of the names."""
        well = {event.name: event for event in self.events if event.status in {"Succeeded", "Skipped"}}
        if SHIFT not in well:
            return None
        return next((well[name] for name in names if name in well and well[name].ended), well[SHIFT])


def _joined(what: str, message: str) -> str:
    return f"{what}: {message}" if message else what
