"""An environment as blocks of facts: one for what each resource is, and one for what each policy document says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policy.closed_world import permissions, worlds
from policy.closed_world.resources import Resource
from policy.closed_world.table import Type
from policy.closed_world.terms import Terms, terms_of_settings
from policy.snapshot import statements
from policy.snapshot.words import Words

DOCUMENT = "document"
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
    return found


def _of(world: str, resource: Resource, terms: Terms) -> Iterator[tuple[Subject, list[Fact]]]:
    table = worlds.types_of(world).get(resource.type, NO_TABLE)
    place = terms.of(resource.path)
    # What the tables say of all types alike, such as the provider of a region, is not said again of each.
    alike = {name: table.attributes[name].value(resource.path, place) for name in table.shared}
    attributes = [
        Fact(name, json.dumps(value, ensure_ascii=False))
        for name, value in resource.attributes.items()
        if alike.get(name) != value
    ]
    attributes += [Fact("", f"no {name}") for name in alike if name not in resource.attributes]
    if attributes or not resource.statements:
        yield Subject(table.noun, resource.type, resource.path), attributes
    nouns = worlds.nouns_of_permissions(world)
    for document, grants in permissions.documents(resource).items():
        noun = f"{worlds.PERMISSIONS}/{nouns.get(document, NO_TABLE.noun)}"
        yield Subject(noun, DOCUMENT, document), [Fact("", line) for line in statements.lines(grants)]
