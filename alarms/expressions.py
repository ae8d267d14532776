"""Metric math: expressions over series, as CloudWatch documents them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html

Functions that are not listed there, or not played here, are refused. ANOMALY_DETECTION_BAND is none of them: AWS does
not publish its model, so that the caller has to know the band.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from alarms.metrics import Series
from alarms.parsing import Parser

Value = float | Series | list[Series]
"""A scalar, a series, or several series (``[m1, m2]``, ``METRICS()``)."""

_TOKEN = re.compile(
    r'\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<word>[A-Za-z]\w*)|(?P<text>"[^"]*")'
    r"|(?P<mark>&&|\|\||[<>=!]=|[-+*/^<>!()\[\],]))"
)


class ExpressionError(ValueError):
    """It is no expression of metric math."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What an expression is evaluated on: the values of ids, and all times at which a period begins, in order."""

    values: Mapping[str, Callable[[], Value]]
    metrics: frozenset[str]
    """The ids that are metrics and no expressions."""
    times: Sequence[int]
    period: int

    def value_of(self, name: str) -> Value:
        """The value of an id."""
        if name not in self.values:
            raise ExpressionError(f"there is no id {name}")
        return self.values[name]()

    def series(self) -> list[Series]:
        """The series of all metrics, as METRICS() has them."""
        return [_as_series(self.values[name]()) for name in sorted(self.metrics)]


Node = Callable[[Scope], Value]


def evaluate(expression: str, scope: Scope) -> Value:
    """The value of an expression.

    Raises:
        ExpressionError: it is none.
        NotImplementedError: it calls a function that is not played.
    """
    return parse(expression)(scope)


@functools.cache
def parse(expression: str) -> Node:
    """An expression, parsed once; raises ExpressionError where it is none."""
    return _Parser(expression).parsed()


def calls(expression: str) -> set[str]:
    """The functions that an expression calls."""
    tokens = list(_tokens(expression))
    return {word for word, after in itertools.pairwise(tokens) if after == "(" and word[0].isalpha()}


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"{text[at:]!r} is not understood in {text!r}")
        yield match[0].strip()
        at = match.end()


def _is_true(value: float) -> bool:
    return value != 0


_BINARY: dict[str, Callable[[float, float], float | None]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    # A point that would be divided by zero is dropped.
    "/": lambda left, right: left / right if right else None,
    "^": operator.pow,
    "<": lambda left, right: float(left < right),
    ">": lambda left, right: float(left > right),
    "<=": lambda left, right: float(left <= right),
    ">=": lambda left, right: float(left >= right),
    "==": lambda left, right: float(left == right),
    "!=": lambda left, right: float(left != right),
    "&&": lambda left, right: float(_is_true(left) and _is_true(right)),
    "||": lambda left, right: float(_is_true(left) or _is_true(right)),
}
_WORDS = {"AND": "&&", "OR": "||"}
_LEVELS = (("||",), ("&&",), ("==", "!=", "<", ">", "<=", ">="), ("+", "-"), ("*", "/"), ("^",))
"""The operators, those that bind least first."""


class _Parser(Parser):
    def __init__(self, text: str) -> None:
        super().__init__(_WORDS.get(token, token) for token in _tokens(text))
        self._text = text

    def parsed(self) -> Node:
        node = self._level(0)
        self._end()
        return node

    def _wrong(self, found: str) -> ExpressionError:
        return ExpressionError(f"{found} is not expected in {self._text!r}")

    def _level(self, number: int) -> Node:
        if number == len(_LEVELS):
            return self._unary()
        node = self._level(number + 1)
        while found := self._take(*_LEVELS[number]):
            node = _combined(found, node, self._level(number + 1))
        return node

    def _unary(self) -> Node:
        if self._take("-"):
            return _combined("-", lambda _: 0.0, self._unary())
        if self._take("!"):
            return _combined("==", self._unary(), lambda _: 0.0)
        return self._primary()

    def _primary(self) -> Node:
        if self._take("("):
            inner = self._level(0)
            self._expect(")")
            return inner
        if self._take("["):
            return _listed(self._rest("]"))
        token = self._next()
        if token[0].isdigit():
            return lambda _: float(token)
        if not token[0].isalpha():
            raise self._wrong(token)
        return self._call(token) if self._take("(") else lambda scope: scope.value_of(token)

    def _rest(self, end: str) -> list[Node]:
        nodes: list[Node] = []
        if self._take(end):
            return nodes
        while True:
            nodes.append(self._level(0))
            if self._take(end):
                return nodes
            self._expect(",")

    def _call(self, name: str) -> Node:
        if name == "FILL":
            return self._fill()
        arguments = self._rest(")")
        if name not in _FUNCTIONS:
            raise NotImplementedError(f"{name} of metric math")
        return lambda scope: _FUNCTIONS[name](scope, [node(scope) for node in arguments])

    def _fill(self) -> Node:
        filled = self._level(0)
        self._expect(",")
        if self._take("REPEAT"):
            self._expect(")")
            return lambda scope: _each(filled(scope), lambda series: _repeated(series, scope.times))
        if self._take("LINEAR"):
            raise NotImplementedError("FILL(..., LINEAR) of metric math")
        filler = self._level(0)
        self._expect(")")
        return lambda scope: _each(filled(scope), lambda series: _filled(series, filler(scope), scope.times))


# --- operators ---


def _combined(sign: str, left: Node, right: Node) -> Node:
    return lambda scope: _operate(_BINARY[sign], left(scope), right(scope))


def _operate(function: Callable[[float, float], float | None], left: Value, right: Value) -> Value:
    """A missing value of a series counts as 0 where the other one has a value."""
    if isinstance(left, list):
        return [_as_series(_operate(function, one, right)) for one in left]
    if isinstance(right, list):
        return [_as_series(_operate(function, left, one)) for one in right]
    if not isinstance(left, dict) and not isinstance(right, dict):
        result = function(left, right)
        return math.nan if result is None else result
    times = sorted({*(left if isinstance(left, dict) else ()), *(right if isinstance(right, dict) else ())})
    results = ((at, function(_at(left, at), _at(right, at))) for at in times)
    return {at: result for at, result in results if result is not None}


def _at(value: float | Series, at: int) -> float:
    return value.get(at, 0.0) if isinstance(value, dict) else value


def _as_series(value: Value) -> Series:
    if not isinstance(value, dict):
        raise ExpressionError("a series is needed")
    return value


# --- functions ---


def _listed(nodes: Sequence[Node]) -> Node:
    return lambda scope: [_as_series(node(scope)) for node in nodes]


def _each(value: Value, change: Callable[[Series], Series]) -> Value:
    return [change(one) for one in value] if isinstance(value, list) else change(_as_series(value))


def _filled(series: Series, filler: Value, times: Sequence[int]) -> Series:
    if isinstance(filler, list):
        raise ExpressionError("FILL takes one filler")
    return {at: series[at] if at in series else _at(filler, at) for at in times}


def _repeated(series: Series, times: Sequence[int]) -> Series:
    found: Series = {}
    last: float | None = None
    for at in times:
        last = series.get(at, last)
        if last is not None:
            found[at] = last
    return found


def _if(_scope: Scope, arguments: Sequence[Value]) -> Value:
    """``IF(condition, where true, where false)``.

    Where the condition is true and the value is missing it is 0; where it is false the point is dropped.
    """
    condition, where_true, *rest = arguments
    where_false = rest[0] if rest else {}
    if isinstance(condition, list) or isinstance(where_true, list) or isinstance(where_false, list):
        raise ExpressionError("IF takes no list")
    if not isinstance(condition, dict):
        return where_true if _is_true(condition) else where_false
    found: Series = {}
    for at, value in condition.items():
        if _is_true(value):
            found[at] = _at(where_true, at)
        elif not isinstance(where_false, dict) or at in where_false:
            found[at] = _at(where_false, at)
    return found


def _over(
    reduce: Callable[[Sequence[float]], float], *, missing: float | None = None
) -> Callable[[Scope, Sequence[Value]], Value]:
    """Of one series a scalar, of several a series, with ``missing`` in the place of a missing value."""

    def call(_scope: Scope, arguments: Sequence[Value]) -> Value:
        (argument,) = arguments
        if isinstance(argument, list):
            times = sorted({at for one in argument for at in one})
            found = {at: [one.get(at, missing) for one in argument] for at in times}
            return {at: reduce([value for value in values if value is not None]) for at, values in found.items()}
        values = list(_as_series(argument).values())
        return reduce(values) if values else math.nan

    return call


def _mapped(change: Callable[[float], float]) -> Callable[[Scope, Sequence[Value]], Value]:
    def call(_scope: Scope, arguments: Sequence[Value]) -> Value:
        (argument,) = arguments
        if isinstance(argument, float):
            return float(change(argument))
        return _each(argument, lambda series: {at: float(change(value)) for at, value in series.items()})

    return call


_FUNCTIONS: dict[str, Callable[[Scope, Sequence[Value]], Value]] = {
    "ABS": _mapped(abs),
    "AVG": _over(lambda values: sum(values) / len(values), missing=0.0),
    "CEIL": _mapped(math.ceil),
    "FLOOR": _mapped(math.floor),
    "IF": _if,
    "MAX": _over(max),
    "METRICS": lambda scope, _arguments: scope.series(),
    "MIN": _over(min),
    "PERIOD": lambda scope, _arguments: float(scope.period),
    "SUM": _over(sum),
}
