"""Evaluates the alarms of each region every minute of :mod:`emulator.clock`, and lets happen what they say."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT_ID

from alarms.definitions import CompositeAlarm, MetricAlarm, State
from alarms.metrics import MINUTE
from alarms.watch import Change, Ring, Watch, minute
from emulator.clock import CLOCK
from emulator.regions import REGIONS
from emulator.runtime.metering import METERING
from emulator.runtime.monitoring import actions
from emulator.runtime.monitoring.definitions import actions as actions_of
from emulator.runtime.monitoring.definitions import composite_alarm, metric_alarm, state
from emulator.runtime.monitoring.sampling import Sampler
from emulator.runtime.monitoring.scaling import Scaler
from emulator.runtime.tasks.process import THREAD
from emulator.turns import turn

LEAST_SECONDS_BETWEEN_LOOKS = 0.25
"""Real ones: where a minute of the clock is shorter, not each is looked at."""
MOST_SECONDS_OF_SLEEP = 0.5
LOOKS_BEFORE_EVALUATION = 2
"""So many minutes are only measured at first: else what runs already would be missed, as nothing of it is known yet."""
_log = logging.getLogger(__name__)


class Ringer:
    """The alarms of one local AWS. A fork begins without: it asks for them by itself."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._watches: dict[str, tuple[Watch, dict[str, State]]] = {}
        self._sampler, self._scaler = Sampler(), Scaler()
        self._next = 0.0
        self.seconds = 0.0
        """Processor seconds that looks have taken."""
        self.looks = 0

    def begin(self) -> None:
        """Let what runs here be measured, and alarms ring, from now on."""
        if METERING.is_on:
            return
        METERING.is_on = True
        threading.Thread(target=self._run, name=f"alarms {THREAD}", daemon=True).start()

    def end(self) -> None:
        """Publish nothing, and evaluate nothing, from now on."""
        METERING.is_on = False

    def _run(self) -> None:
        while METERING.is_on:
            begun, used = time.monotonic(), time.thread_time()
            now = CLOCK.seconds()
            if now >= self._next:
                self._next = (now // MINUTE + 1) * MINUTE
                self._look_at_all(now)
                self.looks, self.seconds = self.looks + 1, self.seconds + time.thread_time() - used
            rest = (self._next - CLOCK.seconds()) / MINUTE * CLOCK.seconds_per_minute
            least = LEAST_SECONDS_BETWEEN_LOOKS - (time.monotonic() - begun)
            time.sleep(min(max(rest, least, 0.0), MOST_SECONDS_OF_SLEEP))

    def _look_at_all(self, now: float) -> None:
        try:
            self._sampler.sample()
            if self.looks < LOOKS_BEFORE_EVALUATION:
                return
            for region in list(cloudwatch_backends[ACCOUNT_ID]):
                if not REGIONS.is_lost(region):
                    self.look(region, now)
            self._scaler.scale(now)
        except Exception:  # noqa: BLE001 (the next minute is looked at again)
            _log.exception("the alarms could not be looked at")

    def look(self, region: str, now: float) -> None:
        """Evaluate the alarms of a region now."""
        with turn():
            stored = dict(cloudwatch_backends[ACCOUNT_ID][region].alarms)
            watch = self._watch_of(region, stored)
            metric_alarms, composites = _defined(stored.values())
            with METERING.of(region):
                changes, rings = minute(watch, metric_alarms, composites, now)
            befores = _applied(stored, changes)
        _perform(stored, befores, [*_rings(stored, changes), *[one for one in rings if one.alarm in composites]])

    def follow(self, region: str) -> None:
        """Let composite alarms follow their children at once, as when a state is set by hand."""
        now = CLOCK.seconds()
        with turn():
            stored = dict(cloudwatch_backends[ACCOUNT_ID][region].alarms)
            watch = self._watch_of(region, stored)
            _, composites = _defined(stored.values())
            befores = _applied(stored, list(watch.follow(composites, now)))
            rings = list(watch.rings(composites, now))
        if METERING.is_on:
            _perform(stored, befores, rings)

    def set_by_hand(self, alarm: Any, before: State) -> None:
        """Perform the actions of an alarm whose state was set by hand, if alarms ring."""
        if METERING.is_on and state(alarm) is not before:
            for action in actions_of(alarm).of(state(alarm)):
                actions.perform(alarm, before, action)

    def _watch_of(self, region: str, stored: dict[str, Any]) -> Watch:
        if region not in self._watches:
            states: dict[str, State] = {}
            with METERING.of(region) as metrics:
                self._watches[region] = Watch(metrics, states), states
        watch, states = self._watches[region]
        states.clear()
        states.update({name: state(alarm) for name, alarm in stored.items()})
        return watch


def _defined(stored: Iterable[Any]) -> tuple[list[MetricAlarm], list[CompositeAlarm]]:
    listed = list(stored)
    return (
        [metric_alarm(one) for one in listed if one.rule is None],
        [composite_alarm(one) for one in listed if one.rule is not None],
    )


def _applied(stored: dict[str, Any], changes: list[Change]) -> dict[str, State]:
    """Give the alarms of moto their states; gives the state that each has come from."""
    for one in changes:
        stored[one.alarm.name].update_state(one.reason, "{}", one.after.value)
    return {one.alarm.name: one.before for one in changes}


def _rings(stored: dict[str, Any], changes: list[Change]) -> list[Ring]:
    """The actions of metric alarms, as they are enabled now."""
    return [
        Ring(alarm=one.alarm, state=one.after, actions=actions_of(stored[one.alarm.name]).of(one.after))
        for one in changes
        if isinstance(one.alarm, MetricAlarm)
    ]


def _perform(stored: dict[str, Any], befores: dict[str, State], rings: list[Ring]) -> None:
    for ring in rings:
        for action in ring.actions:
            actions.perform(stored[ring.alarm.name], befores.get(ring.alarm.name, State.OK), action)


RINGER = Ringer()
"""That of this process."""
