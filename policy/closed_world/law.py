"""Holds what is synthesized against the tables: all of it is said there, and all that is said is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from policy.closed_world import permissions
from policy.closed_world.permissions import Grant
from policy.closed_world.resources import Resource
from policy.closed_world.table import DIGEST, NOTHING, Type
from policy.closed_world.terms import Terms

NO_TABLE = Type(())
SOME_DIGEST = "[0-9A-Za-z+/=]{16,}"


@dataclass(frozen=True)
class ClosedWorld:
    """The tables of one environment. A resource that was right once is not looked at again."""

    types: Mapping[str, Type]
    documents: Mapping[str, set[Grant]]
    terms: Terms
    _right: dict[int, Resource] = field(default_factory=dict)

    def problems(self, resources: Iterable[Resource]) -> Iterator[str]:
        """What differs from the tables, a line each: what is too much, missing or another."""
        by_type: dict[str, list[Resource]] = {}
        for resource in resources:
            by_type.setdefault(resource.type, []).append(resource)
        yield from (f"{type_}: no table says what it is" for type_ in sorted(by_type.keys() - self.types.keys()))
        for type_ in sorted(by_type.keys() | self.types.keys()):
            found, table = by_type.get(type_, []), self.types.get(type_, NO_TABLE)
            yield from _paths(type_, found, table.expected(self.terms))
            for resource in found:
                yield from self._of(resource, table)
        there = {document for ones in by_type.values() for one in ones for document in permissions.documents_of(one)}
        yield from (f"{document}: it is not there" for document in sorted(self.documents.keys() - there))

    def _of(self, resource: Resource, table: Type) -> Iterator[str]:
        if id(resource) in self._right:
            return
        found = [*attributes(resource, table, self.terms), *permissions.problems(resource, self.documents)]
        if not found:
            self._right[id(resource)] = resource  # itself too, so that its id stays its own
        yield from found


def _paths(type_: str, found: list[Resource], expected: frozenset[str]) -> Iterator[str]:
    paths = [resource.path for resource in found]
    yield from (f"{type_} {path}: no table names it" for path in sorted(set(paths) - expected))
    yield from (f"{type_} {path}: it is not there" for path in sorted(expected - set(paths)))
    if len(set(paths)) < len(paths):
        yield f"{type_}: two resources have one construct path"


def attributes(resource: Resource, table: Type, terms: Terms) -> Iterator[str]:
    """What differs in one resource."""
    place = terms.of(resource.path)
    known = {str(place.fill(name)): rule for name, rule in table.attributes.items()}
    for name, rule in known.items():
        wanted = rule.value(resource.path, place)
        there = resource.attributes.get(name, NOTHING)
        if not _same(there, wanted):
            yield f"{resource}: {name} is {_said(there)}, not {_said(wanted)}"
    for name in resource.attributes.keys() - known.keys():
        yield f"{resource}: {name} is {_said(resource.attributes[name])}, of which no table knows"


def _same(there: Any, wanted: Any) -> bool:
    if isinstance(there, str) and isinstance(wanted, str) and DIGEST in wanted and there != wanted:
        return re.fullmatch(SOME_DIGEST.join(map(re.escape, wanted.split(DIGEST))), there) is not None
    if isinstance(there, str) and type(wanted) is int:
        wanted = str(wanted)  # some texts are a setting's number
    return type(there) is type(wanted) and bool(there == wanted)


def _said(value: object) -> str:
    return "not there" if value is NOTHING else repr(value)
