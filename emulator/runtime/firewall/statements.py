"""Statements of rules: whether a request matches one.

https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statements-list.html
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Protocol

from emulator.runtime.firewall.components import Inspected, any_text, texts


class Counts(Protocol):
    """Counts the requests of rate-based rules."""

    def exceeds(self, key: str, *, limit: int, seconds: int) -> bool:
        """Count a request under a key; whether there are more than ``limit`` in the last ``seconds``."""
        ...


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What statements refer to: address lists by ARN, counts of requests, and the name of the rule they are in."""

    addresses: Mapping[str, list[str]]
    counts: Counts
    rule: str = ""


def matches(statement: Mapping[str, Any], inspected: Inspected, around: Surroundings) -> bool:
    """Whether a request matches a statement.

    Raises:
        NotImplementedError: a statement, or an option of one, is not emulated.
    """
    ((name, options),) = ((name, value) for name, value in statement.items() if value is not None)
    if name not in _STATEMENTS:
        raise NotImplementedError(f"the statement {name} of a web ACL")
    return _STATEMENTS[name](options, inspected, around)


def _and(options: Mapping[str, Any], inspected: Inspected, around: Surroundings) -> bool:
    return all(matches(one, inspected, around) for one in options["Statements"])


def _or(options: Mapping[str, Any], inspected: Inspected, around: Surroundings) -> bool:
    return any(matches(one, inspected, around) for one in options["Statements"])


def _not(options: Mapping[str, Any], inspected: Inspected, around: Surroundings) -> bool:
    return not matches(options["Statement"], inspected, around)


def _contains_word(text: bytes, wanted: bytes) -> bool:
    return re.search(rb"(?<![A-Za-z0-9_])" + re.escape(wanted) + rb"(?![A-Za-z0-9_])", text) is not None


_POSITIONS: dict[str, Callable[[bytes, bytes], bool]] = {
    "EXACTLY": eq,
    "STARTS_WITH": bytes.startswith,
    "ENDS_WITH": bytes.endswith,
    "CONTAINS": lambda text, wanted: wanted in text,
    "CONTAINS_WORD": _contains_word,
}


def _bytes(options: Mapping[str, Any], inspected: Inspected, _: Surroundings) -> bool:
    wanted = base64.b64decode(options["SearchString"])
    holds = _POSITIONS[options["PositionalConstraint"]]
    return any_text(options, inspected, lambda text: holds(text, wanted))


def _expression(options: Mapping[str, Any], inspected: Inspected, _: Surroundings) -> bool:
    wanted = re.compile(options["RegexString"].encode())
    return any_text(options, inspected, lambda text: wanted.search(text) is not None)


_COMPARISONS: dict[str, Callable[[int, int], bool]] = {"EQ": eq, "NE": ne, "LE": le, "LT": lt, "GE": ge, "GT": gt}


def _size(options: Mapping[str, Any], inspected: Inspected, _: Surroundings) -> bool:
    compare, size = _COMPARISONS[options["ComparisonOperator"]], int(options["Size"])
    return any_text(options, inspected, lambda text: compare(len(text), size))


def _address(options: Mapping[str, Any], inspected: Inspected, around: Surroundings) -> bool:
    if options.get("IPSetForwardedIPConfig"):
        raise NotImplementedError("an address that a header forwards, in a web ACL")
    address = ipaddress.ip_address(inspected.address)
    return any(address in ipaddress.ip_network(one, strict=False) for one in around.addresses[options["ARN"]])


def _label(options: Mapping[str, Any], inspected: Inspected, _: Surroundings) -> bool:
    """A label by its end, whole; or one whose namespace ends so.

    https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-label-match.html
    """
    key = options["Key"]
    if options["Scope"] == "LABEL":
        return any(f":{one}".endswith(f":{key}") for one in inspected.labels)
    return any(f":{one}".rpartition(":")[0].endswith(f":{key.rstrip(':')}") for one in inspected.labels)


def _rate(options: Mapping[str, Any], inspected: Inspected, around: Surroundings) -> bool:
    """Counted at once and exactly; AWS WAF estimates, and takes up to half a minute to notice.

    https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based-high-level-settings.html
    """
    key = _aggregate_key(options, inspected)
    if key is None:
        return False
    narrowed = options.get("ScopeDownStatement")
    if narrowed and not matches(narrowed, inspected, around):
        return False
    seconds = int(options.get("EvaluationWindowSec") or DEFAULT_WINDOW_SECONDS)
    return around.counts.exceeds(f"{around.rule} {key}", limit=int(options["Limit"]), seconds=seconds)


def _aggregate_key(options: Mapping[str, Any], inspected: Inspected) -> str | None:
    """What a request is counted under; None if it lacks a part of that, as it is not counted then.

    https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based-aggregation-options.html
    """
    if options["AggregateKeyType"] == "IP":
        return inspected.address
    if options["AggregateKeyType"] != "CUSTOM_KEYS":
        raise NotImplementedError(f"a rate by {options['AggregateKeyType']} in a web ACL")
    values: list[str] = []
    for ((name, of_it),) in (one.items() for one in options["CustomKeys"]):
        if name != "Header":
            raise NotImplementedError(f"a rate by the custom key {name} in a web ACL")
        header = {"FieldToMatch": {"SingleHeader": of_it}, "TextTransformations": of_it["TextTransformations"]}
        found = texts(header, inspected)
        if not found:
            return None
        values += [text.decode("latin-1") for text in found]
    return json.dumps(values)


DEFAULT_WINDOW_SECONDS = 300

_STATEMENTS: dict[str, Callable[[Mapping[str, Any], Inspected, Surroundings], bool]] = {
    "AndStatement": _and,
    "OrStatement": _or,
    "NotStatement": _not,
    "ByteMatchStatement": _bytes,
    "RegexMatchStatement": _expression,
    "SizeConstraintStatement": _size,
    "IPSetReferenceStatement": _address,
    "LabelMatchStatement": _label,
    "RateBasedStatement": _rate,
}
