"""Conditions of a statement: their operators, over the condition keys that a request carries.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence

Context = Mapping[str, str | Sequence[str]]
"""Condition keys and their values; several of one key that is multivalued, such as ``aws:TagKeys``."""

ARN_PARTS = 6


def listed(value: str | Sequence[str]) -> list[str]:
    """One or several values as a list: AWS takes both."""
    return [value] if isinstance(value, str) else list(value)


@functools.cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def is_like(value: str, pattern: str) -> bool:
    """Whether a pattern matches: ``*`` matches any characters, ``?`` one."""
    return _pattern(pattern).fullmatch(value) is not None


def _is_arn_like(value: str, pattern: str) -> bool:
    """Part by part: a wildcard does not reach over a colon, but in the last part."""
    values, patterns = value.split(":", ARN_PARTS - 1), pattern.split(":", ARN_PARTS - 1)
    if len(patterns) != ARN_PARTS:  # "*", or a prefix of an ARN with a wildcard at its end
        return is_like(value, pattern)
    return len(values) == ARN_PARTS and all(is_like(one, other) for one, other in zip(values, patterns, strict=True))


def _is_in(value: str, block: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(block)


def _folded(value: str, allowed: str) -> bool:
    return value.lower() == allowed.lower()


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "ArnEquals": _is_arn_like,  # ArnEquals and ArnLike behave alike
    "ArnLike": _is_arn_like,
    "Bool": _folded,
    "IpAddress": _is_in,
    "NumericEquals": lambda value, allowed: float(value) == float(allowed),
    "NumericGreaterThan": lambda value, allowed: float(value) > float(allowed),
    "NumericGreaterThanEquals": lambda value, allowed: float(value) >= float(allowed),
    "NumericLessThan": lambda value, allowed: float(value) < float(allowed),
    "NumericLessThanEquals": lambda value, allowed: float(value) <= float(allowed),
    "StringEquals": str.__eq__,
    "StringEqualsIgnoreCase": _folded,
    "StringLike": is_like,
}
NEGATED = {
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
}
FOR_ALL, FOR_ANY, IF_EXISTS = "ForAllValues:", "ForAnyValue:", "IfExists"


def holds(operator: str, key: str, values: str | Sequence[str], context: Context) -> bool:
    """Whether one condition holds. A key that the request lacks fails a comparison, and meets a negated one.

    Raises:
        LookupError: for an operator that is not known here.
    """
    sent = _value_of(key, context)
    allowed = listed(values)
    if operator == "Null":
        return (sent is None) == (allowed[0].lower() == "true")
    quantifier = next((one for one in (FOR_ALL, FOR_ANY) if operator.startswith(one)), "")
    name = operator.removeprefix(quantifier)
    if name.endswith(IF_EXISTS):
        name = name.removesuffix(IF_EXISTS)
        if sent is None:
            return True
    negated, compare = _comparison(name)
    if sent is None:
        return quantifier == FOR_ALL or (negated and not quantifier)
    results = [any(compare(one, other) for other in allowed) != negated for one in sent]
    return all(results) if quantifier == FOR_ALL or (negated and not quantifier) else any(results)


def _comparison(name: str) -> tuple[bool, Callable[[str, str], bool]]:
    positive = NEGATED.get(name, name)
    if positive not in OPERATORS:
        raise LookupError(f"the condition operator {name} is not known here")
    return name in NEGATED, OPERATORS[positive]


def _value_of(key: str, context: Context) -> list[str] | None:
    """The values of a key; names of keys are the same in either case."""
    if key in context:
        return listed(context[key])
    return next((listed(value) for name, value in context.items() if name.lower() == key.lower()), None)


def with_variables(text: str, context: Context) -> str | None:
    """A text with its policy variables (``${aws:PrincipalTag/team}``) replaced; None where the request lacks one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    if "${" not in text:
        return text
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        if match[1] in ("*", "?", "$"):
            return match[1]
        found = _value_of(match[1], context)
        missing = missing or not found
        return found[0] if found else ""

    replaced = re.sub(r"\$\{([^}]+)\}", value, text)
    return None if missing else replaced
