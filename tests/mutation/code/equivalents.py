"""Changes of code that change nothing that anybody could see, each with the reason: they are not made.

A change is named by its file, its kind and the text that it changes. tests/policy/test_code_mutation.py holds that each
is still one.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.mutation.code.changes import CodeChange

EQUIVALENT: Mapping[tuple[str, str, str], str] = {}


def is_equivalent(change: CodeChange) -> bool:
    """Whether nobody could notice it."""
    return (change.file, change.kind, change.statement) in EQUIVALENT
