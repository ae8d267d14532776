"""What is synthesized as a tree of values, text of JSON within it included, and copies of it with one value changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.synthesized import decoded

Step = str | int
Path = tuple[Step, ...]
# Steps that are no key: into a text of JSON, and into what Terraform's function encodes.
JSON, ENCODED = "json text of", "jsonencode of"
REMOVED = object()
REFERENCE = re.compile(r'"\$\{((?:data\.|ephemeral\.)?aws_[\w.-]+)\}"')


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that holds no other by a name, and where it is: a list of texts or numbers is one value."""
    inner = inside(value)
    if inner is not None:
        step, value = inner
        path = (*path, step)
    if isinstance(value, dict) and value:
        for key, one in value.items():
            if key != "//":
                yield from leaves(one, (*path, key))
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        for index, one in enumerate(value):
            yield from leaves(one, (*path, index))
    else:
        yield path, value


def inside(value: Any) -> tuple[str, Any] | None:
    """What a text of JSON means, with the step that leads into it; nothing for any other value."""
    if not isinstance(value, str):
        return None
    if value.startswith("${jsonencode("):
        try:
            return ENCODED, decoded(value)
        except (AssertionError, ValueError):
            return None
    if value[:1] in {"{", "["}:
        try:
            return JSON, json.loads(value)
        except ValueError:
            return None
    return None


def at(tree: Any, path: Path) -> Any:
    """The value at a place."""
    for step in path:
        if step in {JSON, ENCODED}:
            found = inside(tree)
            assert found, f"no JSON at {path}"
            tree = found[1]
        else:
            tree = tree[step]
    return tree


def with_value(tree: Any, path: Path, value: Any) -> Any:
    """A copy in which one place has another value, or is missing; what does not lead there is shared with the tree."""
    if not path:
        return value
    step, *rest = path
    if step in {JSON, ENCODED}:
        inner = with_value(at(tree, (step,)), tuple(rest), value)
        return REMOVED if inner is REMOVED else _as_text(step, inner)
    copy: Any = dict(tree) if isinstance(tree, dict) else list(tree)
    if rest:
        value = with_value(tree[step], tuple(rest), value)
    if value is REMOVED:
        del copy[step]
    elif isinstance(copy, list) and step == len(copy):
        copy.append(value)
    else:
        copy[step] = value
    return copy


def _as_text(step: Step, value: Any) -> str:
    text = json.dumps(value)
    return text if step == JSON else "${jsonencode(" + REFERENCE.sub(r"\1", text) + ")}"
