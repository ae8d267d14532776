"""The tables: TOML files that say which resources of a type there are, and the value of each of their attributes.

``where`` is a list of construct paths: ``serving/`` is either region that serves customers, ``{a,b,c}`` one of each,
and `` if a.b`` at the end says in which environments. Every other key is an attribute, with its value for all resources
of the type; or a table of values by path, the first that fits holds (``*`` is any text), and where none fits the
attribute may not be there. ``{digest}`` is the
digest of some content. What is in no table may not be there at all. ``[every TYPES]``
has attributes of all types that fit, unless they say otherwise themselves.
"""

from __future__ import annotations

import functools
import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase, translate
from pathlib import Path
from typing import Any

from policy.closed_world.terms import Terms

CHOICE = re.compile(r"\{([^{}]*,[^{}]*)\}")
DIGEST = "{digest}"
WHERE = "where"
EVERY = "every "
NOTHING = object()
# What construct paths begin with: regions, stacks, and what stands in neither.
PLACES = {"serving", "primary", "recovery", "global", "api", "replica", "provider", "terraform", "output"}


@dataclass(frozen=True)
class Rule:
    """The value of an attribute, by patterns of construct paths."""

    values: Mapping[str, Any]

    @property
    def of_all(self) -> Any:
        """The value that all resources of the type have, as it is written; ``NOTHING`` where it depends on the path."""
        return self.values["*"] if self.values.keys() == {"*"} else NOTHING

    def value(self, path: str, terms: Terms) -> Any:
        """What the attribute of a resource has to be; ``NOTHING`` where it may not be there."""
        for pattern, value in self.values.items():
            wanted, _, condition = pattern.partition(" if ")
            if _fits(path, wanted) and (not condition or terms.holds(condition)):
                return terms.fill(value)
        return NOTHING


@dataclass(frozen=True)
class Type:
    """All that there may be of a type; the noun that its file is called, and what it shares with other types."""

    paths: tuple[str, ...]
    attributes: Mapping[str, Rule] = field(default_factory=dict)
    noun: str = ""
    shared: frozenset[str] = frozenset()

    def expected(self, terms: Terms) -> frozenset[str]:
        """The construct paths of its resources in an environment."""
        found: set[str] = set()
        for line in self.paths:
            pattern, _, condition = line.partition(" if ")
            if not condition or terms.holds(condition):
                found.update(expanded(pattern))
        return frozenset(found)


def read(folder: Path) -> dict[str, Type]:
    """All tables of a folder, by type.

    Raises:
        ValueError: two files speak of the same type.
    """
    types: dict[str, Type] = {}
    for file in sorted(folder.glob("*.toml")):
        for type_, table in tomllib.loads(file.read_text(encoding="utf-8")).items():
            if type_ in types:
                raise ValueError(f"{file}: {type_} is in another table too")
            paths = tuple(table.pop(WHERE, ()))
            types[type_] = Type(paths, dict(_rules(table, "")), file.stem)
    return {type_: _with_common(type_, one, types) for type_, one in types.items() if not type_.startswith(EVERY)}


def _with_common(type_: str, table: Type, types: Mapping[str, Type]) -> Type:
    common: dict[str, Rule] = {}
    for name, one in types.items():
        if name.startswith(EVERY) and fnmatchcase(type_, name.removeprefix(EVERY)):
            common.update(one.attributes)
    shared = frozenset(common.keys() - table.attributes.keys())
    return Type(table.paths, {**common, **table.attributes}, table.noun, shared)


def _rules(table: Mapping[str, Any], name: str) -> Iterator[tuple[str, Rule]]:
    for key, value in table.items():
        inner = f"{name}.{key}" if name else key
        if not isinstance(value, dict) or not value:
            yield inner, Rule({"*": value})
        elif any(map(_is_pattern, value)):
            yield inner, Rule(value)
        else:
            yield from _rules(value, inner)


def _is_pattern(key: str) -> bool:
    place, slash, _ = key.partition("/")
    return "*" in key or (bool(slash) and place in PLACES)


def expanded(pattern: str) -> Iterator[str]:
    """A pattern for each of its choices."""
    pattern = re.sub(r"^serving/", "{primary,recovery}/", pattern)
    parts = CHOICE.split(pattern)
    parts_or_choices = [part.split(",") if index % 2 else [part] for index, part in enumerate(parts)]
    yield from map("".join, itertools.product(*parts_or_choices))


def _fits(path: str, pattern: str) -> bool:
    return pattern == "*" or _compiled(pattern).fullmatch(path) is not None


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("|".join(translate(one) for one in expanded(pattern)))
