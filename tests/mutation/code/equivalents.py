"""Changes of code that change nothing that anybody could see, each with the reason: they are not made.

A change is named by its file, its kind, the text that it changes and what that becomes.
tests/policy/test_code_mutation.py holds that each is still one.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.mutation.code.changes import CodeChange

Named = tuple[str, str, str, str]
EQUIVALENT: Mapping[Named, str] = {
    ("services/payments/payments/publisher.py", "comparison", ">", ">="): (
        "all four compare the monotonic clock, in nanoseconds, with a time that has been computed from it: they are "
        "never the same, and if they were, what is due would be done a poll earlier"
    ),
}


def name_of(change: CodeChange) -> Named:
    """What a change is named by."""
    return change.file, change.kind, change.statement, change.text


def is_equivalent(change: CodeChange) -> bool:
    """Whether nobody could notice it."""
    return name_of(change) in EQUIVALENT
