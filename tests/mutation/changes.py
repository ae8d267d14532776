"""Every single change of what is synthesized that a careless edit or an attacker might make."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.mutation import additions, verdict
from tests.mutation.kinds import SECURITY, kind_of
from tests.mutation.statements import IAM, TERRAFORM, changes_of_statement
from tests.mutation.tree import REMOVED, Path, at, leaves, with_value
from tests.mutation.values import others

Block = dict[str, Any]
Kinded = TypeVar("Kinded", bound=verdict.Change)
# Words and pictures for readers (tests/unit/dashboards says what those show), and the order in which things are made,
# which policy/order.py speaks of. A changed word weakens nothing.
WORDS = {
    "description",
    "Description",
    "alarm_description",
    "AlarmDescription",
    "GroupDescription",
    "comment",
    "Comment",
    "Metadata",
    "//",
    "tags",
    "Tags",
    "dashboard_body",
    "DashboardBody",
    "depends_on",
    "DependsOn",
}

SETTINGS_OF_THE_WHOLE = {"provider", "terraform", "output", "Outputs", "Mappings", "Conditions", "Parameters"}


@dataclass(frozen=True)
class Change:
    """One change: its kind, the place, and the value that is there then (``REMOVED``: none)."""

    kind: str
    place: Path
    value: Any

    @property
    def security(self) -> bool:
        return self.kind in SECURITY

    def of(self, tree: Block) -> Block:
        """The tree with the change made."""
        changed: Block = with_value(tree, self.place, self.value)
        return changed

    def __str__(self) -> str:
        value = "removed" if self.value is REMOVED else f"= {str(self.value)[:80]}"
        return f"{self.kind}: {'.'.join(map(str, self.place))} {value}"


@dataclass(frozen=True)
class Dialect:
    """How a configuration is written: Terraform's JSON or a template of CloudFormation."""

    metas: Mapping[str, Any]
    attributes: Mapping[str, Mapping[str, Any]]
    resources: tuple[tuple[str, dict[str, Any]], ...]

    def blocks(self, tree: Block) -> Iterator[tuple[str, Path]]:
        """Type and place of every resource (and data source)."""
        raise NotImplementedError

    def attributes_of(self, place: Path) -> Path:
        """Where the attributes of a resource are."""
        raise NotImplementedError

    def added(self, type_: str, block: Block) -> tuple[Path, Any]:
        """Where another resource is put, and what it is."""
        raise NotImplementedError


class _Terraform(Dialect):
    def blocks(self, tree: Block) -> Iterator[tuple[str, Path]]:
        for section in ("resource", "data", "ephemeral"):
            for type_, blocks in tree.get(section, {}).items():
                yield from ((type_, (section, type_, id_)) for id_ in blocks)
        for section in ("provider", "terraform", "output"):
            yield from ((section, (section, name)) for name in tree[section])

    def attributes_of(self, place: Path) -> Path:
        return place

    def added(self, type_: str, block: Block) -> tuple[Path, Any]:
        metadata = {"metadata": {"path": "payment-platform/primary/added", "uniqueId": "primary_added"}}
        return ("resource", type_, "primary_added"), {**block, "provider": "aws", "//": metadata}


class _Template(Dialect):
    def blocks(self, tree: Block) -> Iterator[tuple[str, Path]]:
        for region, template in tree.items():
            for id_, block in template["Resources"].items():
                yield block["Type"], (region, "Resources", id_)
            for section in ("Outputs", "Mappings", "Conditions", "Parameters"):
                yield from ((section, (region, section, name)) for name in template.get(section, {}))

    def attributes_of(self, place: Path) -> Path:
        return (*place, "Properties")

    def added(self, type_: str, block: Block) -> tuple[Path, Any]:
        return ("ap-southeast-1", "Resources", "added"), {"Type": type_, "Properties": block}


TERRAFORM_JSON = _Terraform(additions.META, additions.TERRAFORM, additions.TERRAFORM_RESOURCES)
TEMPLATES = _Template({}, additions.TEMPLATE, additions.TEMPLATE_RESOURCES)


def changes_of(tree: Block, dialect: Dialect) -> Iterator[Change]:
    """All changes, always in the same order."""
    for type_, place in dialect.blocks(tree):
        yield from _of_block(tree, type_, place)
        if type_ not in SETTINGS_OF_THE_WHOLE:
            yield Change("resource removed", place, REMOVED)
            yield from _added_attributes(tree, dialect, type_, place)
    for type_, block in dialect.resources:
        added, value = dialect.added(type_, block)
        try:
            at(tree, added[:-1])
        except KeyError:
            added, value = added[:-1], {added[-1]: value}
        yield Change("resource added", added, value)


def _added_attributes(tree: Block, dialect: Dialect, type_: str, place: Path) -> Iterator[Change]:
    block = at(tree, place)
    yield from (Change("attribute added", (*place, name), value) for name, value in dialect.metas.items())
    inner = dialect.attributes_of(place)
    if inner[len(place) :] and inner[-1] not in block:
        return
    attributes = at(tree, inner)
    for name, value in dialect.attributes.get(type_, {}).items():
        if name not in attributes:
            yield Change("attribute added", (*inner, name), value)


def _of_block(tree: Block, type_: str, place: Path) -> Iterator[Change]:
    seen = set()
    for path, value in leaves(at(tree, place)):
        if WORDS.intersection(path):
            continue
        if document := _statements(path):
            if document not in seen:
                seen.add(document)
                yield from _of_statements(tree, (*place, *document))
            continue
        if path == ("Type",) or value is None:  # null is what is not there already
            continue
        kind = kind_of(type_, ".".join(map(str, path)))
        for other in others(value):
            yield Change(kind, (*place, *path), other)
        yield Change(kind, (*place, *path), REMOVED)


def _statements(path: Path) -> Path | None:
    """Where a list of statements is that a value is in."""
    for index, step in enumerate(path):
        if step in {"statement", "Statement"} and index + 1 < len(path) and isinstance(path[index + 1], int):
            return path[: index + 1]
    return None


def _of_statements(tree: Block, place: Path) -> Iterator[Change]:
    statements = at(tree, place)
    spelling = TERRAFORM if place[-1] == "statement" else IAM
    for index, statement in enumerate(statements):
        if spelling.effect not in statement and spelling.actions not in statement:
            return  # a statement of another kind, as of the firewall
        denies = statement.get(spelling.effect) == "Deny"
        yield Change("deny dropped" if denies else "statement lost", (*place, index), REMOVED)
        for kind, path, value in changes_of_statement(statement, spelling):
            yield Change(kind, (*place, index, *path), value)
    everything = {spelling.actions: ["*"], spelling.resources: ["*"], spelling.effect: "Allow", "sid": "Added"}
    if any(spelling.principals in statement for statement in statements):
        everything[spelling.principals] = spelling.anybody
    yield Change("statement added", (*place, len(statements)), everything)


def sample(changes: Sequence[Kinded], *, share: float, seed: int, kind: str | None = None) -> list[Kinded]:
    """A share of the changes of each kind, at least one of each, drawn by a seed."""
    by_kind: dict[str, list[Kinded]] = defaultdict(list)
    for change in changes:
        if kind is None or change.kind == kind:
            by_kind[change.kind].append(change)
    drawn = random.Random(seed)
    return [
        change for _, ones in sorted(by_kind.items()) for change in drawn.sample(ones, max(1, round(len(ones) * share)))
    ]
