"""Metric filters of log groups: patterns that match JSON.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html

A condition on a member that is not there does not match, but ``NOT EXISTS``. Patterns of plain text are refused.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from alarms.parsing import Parser

_TOKEN = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>\{|\}|\(|\)|&&|\|\||!=|<=|>=|=|<|>)|(?P<word>[^\s(){}=<>!&|"]+))'
)
_ABSENT = object()
Matches = Callable[[Any], bool]


_CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}


class PatternError(ValueError):
    """It is no pattern that matches JSON."""


def matches(pattern: str, line: str) -> bool:
    """Whether a log line matches a pattern; one that is no JSON does not.

    Raises:
        PatternError: it is no pattern that matches JSON.
    """
    try:
        content = json.loads(line)
    except ValueError:
        return False
    return parse(pattern)(content)


@functools.cache
def parse(pattern: str) -> Matches:
    """A pattern, parsed once; raises PatternError where it is none."""
    return _Parser(pattern).parsed()


class _Parser(Parser):
    def __init__(self, text: str) -> None:
        super().__init__(self._read(text))
        self._text = text

    def _read(self, text: str) -> Iterator[str]:
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise PatternError(f"{text[at:]!r} is not understood in {text!r}")
            yield match[0].strip()
            at = match.end()

    def parsed(self) -> Matches:
        self._expect("{")
        found = self._either()
        self._expect("}")
        self._end()
        return found

    def _wrong(self, found: str) -> PatternError:
        return PatternError(f"{found} is not expected in {self._text!r}")

    def _either(self) -> Matches:
        parts = [self._both()]
        while self._take("||"):
            parts.append(self._both())
        return lambda content: any(part(content) for part in parts)

    def _both(self) -> Matches:
        parts = [self._one()]
        while self._take("&&"):
            parts.append(self._one())
        return lambda content: all(part(content) for part in parts)

    def _one(self) -> Matches:
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        selector = self._next()
        if not selector.startswith("$."):
            raise PatternError(f"{selector} is no selector in {self._text!r}")
        path = selector.removeprefix("$.").split(".")
        test = self._test()
        return lambda content: test(_member(content, path))

    def _test(self) -> Matches:
        if self._take("NOT"):
            self._expect("EXISTS")
            return lambda value: value is _ABSENT
        if self._take("EXISTS"):
            return lambda value: value is not _ABSENT
        if self._take("IS"):
            wanted = _CONSTANTS[self._expect(*_CONSTANTS)]
            return lambda value: value is wanted
        return _comparison(self._next(), self._next())


def _member(content: Any, path: list[str]) -> Any:
    for name in path:
        if not isinstance(content, dict) or name not in content:
            return _ABSENT
        content = content[name]
    return content


def _comparison(sign: str, wanted: str) -> Matches:
    if sign in ("=", "!="):
        text = json.loads(wanted) if wanted.startswith('"') else wanted
        expression = re.compile(".*".join(re.escape(part) for part in str(text).split("*")), re.DOTALL)
        equal = sign == "="
        return lambda value: value is not _ABSENT and (expression.fullmatch(_text(value)) is not None) is equal
    numbers: dict[str, Callable[[float, float], bool]] = {
        "<": lambda value, bound: value < bound,
        ">": lambda value, bound: value > bound,
        "<=": lambda value, bound: value <= bound,
        ">=": lambda value, bound: value >= bound,
    }
    if sign not in numbers:
        raise PatternError(f"{sign} is no comparison")
    try:
        compare, bound = numbers[sign], float(wanted)
    except ValueError:
        raise PatternError(f"{wanted} is no number to compare with") from None
    return lambda value: isinstance(value, int | float) and compare(value, bound)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
