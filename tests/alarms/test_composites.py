"""Composite alarms: their rules, and when their actions are suppressed (W8.5)."""

from __future__ import annotations

import pytest

from alarms.composites import RuleError, rule
from alarms.definitions import Actions, CompositeAlarm, State, Suppressor
from alarms.metrics import Metrics
from alarms.watch import Watch, minute

pytestmark = pytest.mark.requirement("W8.5")

PAGE = "arn:aws:sns:us-east-2:123456789012:pages"
STATES = {"a": State.ALARM, "b": State.OK, "c": State.INSUFFICIENT_DATA}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('ALARM("a")', True),
        ("ALARM(a) AND NOT ALARM(b)", True),
        ("ALARM(arn:aws:cloudwatch:us-east-2:123456789012:alarm:b)", False),
        ('OK("a") OR INSUFFICIENT_DATA("c") AND OK("b")', True),
        ("(OK(a) OR INSUFFICIENT_DATA(c)) AND ALARM(b)", False),
        ("TRUE AND NOT FALSE", True),
    ],
)
def test_a_rule_holds_of_the_states_of_its_children(text: str, holds: bool) -> None:
    assert rule(text).holds(STATES.__getitem__) is holds


@pytest.mark.parametrize("text", ["", "ALARM", "ALARM(a", "ALARM(a) ALARM(b)", "BREACH(a)", "AND", "ALARM(a) OR"])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(RuleError, match="Error in AlarmRule"):
        rule(text)


COMPOSITE = CompositeAlarm(
    name="page",
    rule="ALARM(symptom)",
    suppressor=Suppressor(alarm="cause", wait=120, extension=180),
    actions=Actions(alarm=(PAGE,), ok=(PAGE,)),
)


class Course:
    """A course of minutes: the states of symptom and cause, and the minutes with a page."""

    def __init__(self) -> None:
        self.states = {"symptom": State.OK, "cause": State.OK, "page": State.OK}
        self._watch = Watch(Metrics(), self.states)
        self._minute = 0

    def go(self, minutes: int, **states: State) -> list[tuple[int, State]]:
        """Let minutes pass after a change of states; the number of each in which something rings, and for what."""
        self.states |= states
        found = []
        for number in range(minutes):
            _, rings = minute(self._watch, [], [COMPOSITE], self._minute * 60)
            found += [(number, ring.state) for ring in rings]
            self._minute += 1
        return found


def test_without_its_cause_a_page_is_sent_after_the_wait_period() -> None:
    course = Course()
    assert course.go(5) == []
    assert course.go(9, symptom=State.ALARM) == [(2, State.ALARM)]
    assert course.go(9, symptom=State.OK) == [(2, State.OK)]


def test_a_cause_within_the_wait_period_suppresses_the_page() -> None:
    course = Course()
    assert course.go(1, symptom=State.ALARM) == []
    assert course.go(9, cause=State.ALARM) == []
    assert course.go(2, cause=State.OK) == []
    assert course.go(9, symptom=State.OK) == [(2, State.OK)]  # what is performed is of the state that it has then


def test_a_symptom_that_outlasts_its_cause_pages_after_the_extension_period() -> None:
    course = Course()
    assert course.go(3, cause=State.ALARM) == []
    assert course.go(9, symptom=State.ALARM) == []
    assert course.go(9, cause=State.OK) == [(3, State.ALARM)]


def test_composites_follow_composites_and_disabled_actions_are_none() -> None:
    inner = CompositeAlarm(name="inner", rule="ALARM(symptom)")
    outer = CompositeAlarm(name="outer", rule="ALARM(inner)", actions=Actions(alarm=(PAGE,), enabled=False))
    states = {"symptom": State.ALARM, "inner": State.OK, "outer": State.OK}
    changes, rings = minute(Watch(Metrics(), states), [], [outer, inner], 0)
    assert [(one.alarm.name, one.after) for one in changes] == [("inner", State.ALARM), ("outer", State.ALARM)]
    assert rings == []
