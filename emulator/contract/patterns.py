"""The regular expressions of AWS's models, which are Java's, as Python can run them."""

from __future__ import annotations

import functools
import warnings

import regex  # type: ignore[import-untyped]

# Syntax that `regex` (which has \p{L}, \p{Graph} ... like Java) reads differently from Java.
_JAVA_TO_PYTHON = (
    # A pair of surrogates is how Java writes one character beyond the basic multilingual plane.
    (r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"),
    (r"\p{all}", r"\s\S"),
    (r"\p{LD}", r"\p{L}\p{Nd}"),
    (r"\x{0022}", r"\x22"),
    (r"\x{60}", r"\x60"),
    # Java's nested quantifier: "{11}{0,1011}" repeats the group.
    (r"[0-9a-zA-Z]{11}{0,1011}", r"(?:[0-9a-zA-Z]{11}){0,1011}"),
)

SECONDS_TO_MATCH = 1.0
"""A pattern that needs longer (catastrophic backtracking) counts as matched: the value was not refuted."""


@functools.cache
def compile_pattern(pattern: str) -> regex.Pattern[str]:
    """``pattern`` of a botocore model, compiled.

    Raises:
        ValueError: it is no regular expression that can be run here.
    """
    for java, python in _JAVA_TO_PYTHON:
        pattern = pattern.replace(java, python)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about set operations that a later version of `regex` may read differently
        try:
            return regex.compile(pattern)
        except regex.error as error:
            raise ValueError(f"{pattern!r} cannot be run: {error}") from None


def matches(pattern: str, value: str) -> bool:
    """Whether ``value`` satisfies ``pattern``.

    AWS matches the whole value, with or without anchors in the pattern. Where the author wrote one anchor only, the
    other end is open.
    """
    compiled = compile_pattern(pattern)
    anchored_once = pattern.startswith("^") != pattern.endswith("$")
    search = compiled.search if anchored_once else compiled.fullmatch
    try:
        return search(value, timeout=SECONDS_TO_MATCH) is not None
    except TimeoutError:
        return True
