"""Rules of composite alarms, and the suppression of their actions.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from alarms.definitions import CompositeAlarm, State
from alarms.parsing import Parser

_TOKEN = re.compile(r'\s*(?:(?P<name>"(?:[^"\\]|\\.)*")|(?P<mark>[()])|(?P<word>[^\s()"]+))')
StateOf = Callable[[str], State]
_Test = Callable[[StateOf], bool]


class RuleError(ValueError):
    """It is no rule of a composite alarm."""


class Rule(Parser):
    """A rule of a composite alarm: ALARM("a") AND (OK(b) OR NOT TRUE)."""

    def __init__(self, text: str) -> None:
        """Raises RuleError where it is none."""
        super().__init__(self._read(text))
        self.children: list[str] = []
        """The names of the alarms in it."""
        self._test = self._either()
        self._end()

    def holds(self, state_of: StateOf) -> bool:
        """Whether it is true of the states of its children, by their names."""
        return self._test(state_of)

    @property
    def elements(self) -> int:
        """Children, TRUE, FALSE and parentheses that group, as AWS counts them."""
        grouping = self._tokens.count("(") + self._tokens.count(")") - 2 * len(self.children)
        return len(self.children) + grouping + self._tokens.count("TRUE") + self._tokens.count("FALSE")

    @staticmethod
    def _read(text: str) -> Iterator[str]:
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise RuleError(f"Error in AlarmRule: {text[at:]!r} is not understood")
            yield match["name"] or match["mark"] or match["word"]
            at = match.end()

    def _wrong(self, found: str) -> RuleError:
        return RuleError(f"Error in AlarmRule: {found} is not expected here")

    def _either(self) -> _Test:
        parts = [self._both()]
        while self._take("OR"):
            parts.append(self._both())
        return lambda state: any(part(state) for part in parts)

    def _both(self) -> _Test:
        parts = [self._one()]
        while self._take("AND"):
            parts.append(self._one())
        return lambda state: all(part(state) for part in parts)

    def _one(self) -> _Test:
        if self._take("NOT"):
            inner = self._one()
            return lambda state: not inner(state)
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        if self._take("TRUE"):
            return lambda _state: True
        if self._take("FALSE"):
            return lambda _state: False
        return self._child()

    def _child(self) -> _Test:
        word = self._expect(*State)
        self._expect("(")
        name = self._next().strip('"').rpartition(":alarm:")[2]
        self._expect(")")
        self.children.append(name)
        wanted = State(word)
        return lambda state: state(name) is wanted


@functools.lru_cache(maxsize=1000)
def rule(text: str) -> Rule:
    """A rule, parsed once; raises RuleError where it is none."""
    return Rule(text)


@dataclass
class Suppression:
    """What suppresses the actions of a composite alarm, as time passes.

    When the alarm changes its state, it waits for its suppressor to go into ALARM, at most for the wait period; while
    that is in ALARM its actions are suppressed, and for the extension period after that. Then it performs those of the
    state that it has, if it has not performed them yet.
    """

    pending: State | None = None
    """The state whose actions have not been performed yet."""
    _wait_ends: float = 0.0
    _extension_ends: float = 0.0
    _was_suppressed: bool = False

    def changed(self, alarm: CompositeAlarm, state: State, now: float) -> None:
        """Take notice of a change of the alarm's state."""
        self.pending = state
        self._wait_ends = now + (alarm.suppressor.wait if alarm.suppressor else 0)

    def due(self, alarm: CompositeAlarm, state_of: StateOf, now: float) -> State | None:
        """The state whose actions are to be performed now; None where none are, or they are suppressed."""
        if alarm.suppressor and self._is_suppressed(alarm, state_of, now):
            return None
        due, self.pending = self.pending, None
        return due

    def _is_suppressed(self, alarm: CompositeAlarm, state_of: StateOf, now: float) -> bool:
        suppressor = alarm.suppressor
        if suppressor is None:
            return False
        if state_of(suppressor.alarm) is State.ALARM:
            self._was_suppressed = True
            return True
        if self._was_suppressed:
            self._was_suppressed = False
            self._extension_ends = now + suppressor.extension
        return now < max(self._extension_ends, self._wait_ends)
