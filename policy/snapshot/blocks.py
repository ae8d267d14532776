"""An environment as blocks of facts: one for what each resource is, and one for what each policy document says."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policy.closed_world import permissions, worlds
from policy.closed_world.resources import Resource
from policy.closed_world.table import NOTHING, Type, expanded
from policy.closed_world.terms import Terms, terms_of_settings
from policy.snapshot import statements
from policy.snapshot.words import Words

DOCUMENT = "document"
EVERY = "*"
FEWEST = 3  # places of resources of a type, a place in both regions being one
NO_TABLE = Type((), noun="of_no_table")  # which the closed world refuses


@dataclass(frozen=True, order=True)
class Subject:
    """What a block is about: the noun that its file has, its type and its construct path."""

    noun: str
    type: str
    path: str


@dataclass(frozen=True, order=True)
class Fact:
    """An attribute with its value as JSON; or what a document says, which has no name."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name} = {self.value}" if self.name else self.value


Blocks = Mapping[Subject, frozenset[Fact]]


def blocks(world: str, resources: Iterable[Resource], settings: Mapping[str, Any]) -> Blocks:
    """The blocks of an environment.

    Args:
        world: `worlds.PLATFORM` or `worlds.PAYMENT_API`.
        resources: all that is synthesized.
        settings: the environment's, as a dictionary.
    """
    terms = terms_of_settings(settings)
    words: dict[str, Words] = {}
    found: dict[Subject, frozenset[Fact]] = {}
    for resource in resources:
        here = resource.path.partition("/")[0]
        if here not in words:
            words[here] = Words(here, terms)
        said = words[here].said
        for subject, facts in _of(world, resource, terms):
            path = resource.path
            named = Subject(subject.noun, subject.type, said(subject.path, path))
            found[named] = frozenset(Fact(said(fact.name, path), said(fact.value, path)) for fact in facts)
    for type_ in {subject.type for subject in found}:
        if of_all := _of_all(world, type_):
            written = Words("", terms).said
            every = Subject(worlds.types_of(world)[type_].noun, type_, EVERY)
            found[every] = frozenset(Fact(name, written(_json(value), "")) for name, value in of_all.items())
    return found


@functools.cache
def _of_all(world: str, type_: str) -> Mapping[str, Any]:
    """What the tables say of all resources of a type, which is said once; of few, it is said of each."""
    table = worlds.types_of(world).get(type_, NO_TABLE)
    places = {path.partition("/")[2] for line in table.paths for path in expanded(line.partition(" if ")[0])}
    if len(places) < FEWEST:
        return {}
    rules = {name: rule.of_all for name, rule in table.attributes.items() if name not in table.shared}
    return {name: value for name, value in rules.items() if value is not NOTHING}


def _of(world: str, resource: Resource, terms: Terms) -> Iterator[tuple[Subject, list[Fact]]]:
    table = worlds.types_of(world).get(resource.type, NO_TABLE)
    place = terms.of(resource.path)
    # Nor is it said of each what the tables say of all types alike, such as the provider of a region.
    shared = {name: table.attributes[name].of_all for name in table.shared}
    written = {**shared, **_of_all(world, resource.type)}
    alike = {str(place.fill(name)): place.fill(value) for name, value in written.items()}
    attributes = [
        Fact(name, _json(value))
        for name, value in resource.attributes.items()
        if name not in alike or alike[name] != value
    ]
    attributes += [Fact("", f"no {name}") for name in alike if name not in resource.attributes]
    if attributes or not resource.statements:
        yield Subject(table.noun, resource.type, resource.path), attributes
    nouns = worlds.nouns_of_permissions(world)
    for document, grants in permissions.documents(resource).items():
        noun = f"{worlds.PERMISSIONS}/{nouns.get(document, NO_TABLE.noun)}"
        yield Subject(noun, DOCUMENT, document), [Fact("", line) for line in statements.lines(grants)]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
