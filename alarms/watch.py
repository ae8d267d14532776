"""All alarms of a region: looked at as time passes, with what happens when their states change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass

from alarms.composites import Suppression, rule
from alarms.definitions import CompositeAlarm, MetricAlarm, State
from alarms.evaluation import Band, UnknownBandError, evaluate, step
from alarms.metrics import Metrics


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of an alarm's state, with the reason."""

    alarm: MetricAlarm | CompositeAlarm
    before: State
    after: State
    reason: str


@dataclass(frozen=True, kw_only=True)
class Ring:
    """The ARNs of what is to happen now because of an alarm's state."""

    alarm: MetricAlarm | CompositeAlarm
    state: State
    actions: tuple[str, ...]


class Watch:
    """The alarms of a region. ``states`` has the state of each by its name, and is changed."""

    def __init__(self, metrics: Metrics, states: MutableMapping[str, State], band: Band | None = None) -> None:
        self._metrics, self._states, self._band = metrics, states, band
        self._looked: dict[str, int] = {}
        self._suppressions: dict[str, Suppression] = {}
        self.unknown: set[str] = set()
        """The names of alarms that are not evaluated, as they are compared with a band that nobody knows."""

    def look(self, alarms: Iterable[MetricAlarm], now: float) -> Iterator[Change]:
        """Evaluate the metric alarms whose time has come; gives each change."""
        for alarm in alarms:
            time = int(now // step(alarm))
            if self._looked.get(alarm.name) == time:
                continue
            self._looked[alarm.name] = time
            current = self._state_of(alarm.name)
            try:
                verdict = evaluate(alarm, self._metrics, now, current, self._band)
            except UnknownBandError:
                self.unknown.add(alarm.name)
                continue
            if verdict.state is not current:
                self._states[alarm.name] = verdict.state
                yield Change(alarm=alarm, before=current, after=verdict.state, reason=verdict.reason)

    def follow(self, composites: Iterable[CompositeAlarm], now: float) -> Iterator[Change]:
        """Set the states of composite alarms by their rules, children before parents; gives each change."""
        listed = list(composites)
        for _ in listed:  # as deep as they can lie; where they go in circles it ends as well
            for composite in listed:
                state = State.ALARM if rule(composite.rule).holds(self._state_of) else State.OK
                current = self._state_of(composite.name)
                if state is current:
                    continue
                self._states[composite.name] = state
                self.suppression(composite).changed(composite, state, now)
                reason = f"The rule {composite.rule} is {str(state is State.ALARM).lower()}"
                yield Change(alarm=composite, before=current, after=state, reason=reason)

    def rings(self, composites: Iterable[CompositeAlarm], now: float) -> Iterator[Ring]:
        """The actions of composite alarms that are due, and not suppressed."""
        for composite in composites:
            due = self.suppression(composite).due(composite, self._state_of, now)
            if due is not None and (actions := composite.actions.of(due)):
                yield Ring(alarm=composite, state=due, actions=actions)

    def suppression(self, composite: CompositeAlarm) -> Suppression:
        """What is known of a composite's suppression."""
        return self._suppressions.setdefault(composite.name, Suppression())

    def _state_of(self, name: str) -> State:
        return self._states.get(name, State.INSUFFICIENT_DATA)


def minute(
    watch: Watch, alarms: Iterable[MetricAlarm], composites: Iterable[CompositeAlarm], now: float
) -> tuple[list[Change], list[Ring]]:
    """A minute of CloudWatch: the changes of all alarms, and what is to happen."""
    listed = list(composites)
    changes = list(watch.look(alarms, now))
    rings = [
        Ring(alarm=one.alarm, state=one.after, actions=one.alarm.actions.of(one.after))
        for one in changes
        if one.alarm.actions.of(one.after)
    ]
    changes += watch.follow(listed, now)
    return changes, [*rings, *watch.rings(listed, now)]
