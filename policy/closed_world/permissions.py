"""What policies mean: who may do what on what under which conditions, each a grant of its own.

How statements are cut, named and ordered is nothing to AWS, and nothing here. A table of permissions has a
``[["path of the document"]]`` for each statement: ``allow`` or ``deny`` actions, ``on`` resources, ``to`` principals,
``when`` all conditions hold, each "key operator value | value".
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from policy.closed_world.resources import Block, Resource
from policy.closed_world.table import expanded
from policy.closed_world.terms import Terms

Statements = Mapping[str, list[Block]]


@dataclass(frozen=True, order=True)
class Grant:
    """One action on one resource for one principal."""

    effect: str
    action: str
    resource: str
    principal: str
    conditions: tuple[str, ...]

    def __str__(self) -> str:
        whom = f" to {self.principal}" if self.principal else ""
        when = f" when {' and '.join(self.conditions)}" if self.conditions else ""
        return f"{self.effect} {self.action} on {self.resource or 'itself'}{whom}{when}"


def read(folder: Path) -> dict[str, list[Block]]:
    """The statements of all tables of a folder, by the pattern of the documents that they are in."""
    found: dict[str, list[Block]] = {}
    for _, document, statements in _read(folder):
        found.setdefault(document, []).extend(statements)
    return found


def nouns(folder: Path) -> dict[str, str]:
    """What the file of each document's statements is called, by the document."""
    return {document: noun for noun, pattern, _ in _read(folder) for document in expanded(pattern.partition(" if ")[0])}


def _read(folder: Path) -> Iterator[tuple[str, str, list[Block]]]:
    for file in sorted(folder.glob("*.toml")):
        for pattern, statements in tomllib.loads(file.read_text(encoding="utf-8")).items():
            yield file.stem, pattern, statements


def expected(table: Statements, terms: Terms) -> dict[str, set[Grant]]:
    """The grants of every document of an environment, by the document."""
    found: dict[str, set[Grant]] = {}
    for pattern, statements in table.items():
        wanted, _, condition = pattern.partition(" if ")
        if condition and not terms.holds(condition):
            continue
        for document in expanded(wanted):
            place = terms.of(document.partition(" ")[0])
            grants = found.setdefault(document, set())
            grants.update(grant for statement in statements for grant in _of_table(statement, place))
    return found


def problems(resource: Resource, wanted: Mapping[str, set[Grant]]) -> Iterator[str]:
    """What the documents of a resource grant or deny beyond what is wanted, and what they do no more, a line each."""
    for document, there in documents(resource).items():
        yield from (f"{document}: no table has: {grant}" for grant in sorted(there - wanted.get(document, set())))
        yield from (f"{document}: it lacks: {grant}" for grant in sorted(wanted.get(document, set()) - there))


def documents_of(resource: Resource) -> list[str]:
    """What the documents of a resource are called: its path, and the attribute if it is no document itself."""
    names = (attribute.removesuffix("statement").removesuffix(".Statement") for attribute in resource.statements)
    return [f"{resource.path} {name}".strip() for name in names]


def documents(resource: Resource) -> dict[str, set[Grant]]:
    """The grants of each document of a resource."""
    return {
        document: {grant for statement in statements for grant in grants_of(statement)}
        for document, statements in zip(documents_of(resource), resource.statements.values(), strict=True)
    }


def grants_of(statement: Block) -> Iterator[Grant]:
    """The grants of a statement in Terraform's spelling or IAM's own."""
    if "actions" in statement or "not_actions" in statement:
        yield from _of_terraform(statement)
    else:
        yield from _of_iam(statement)


def _of_terraform(block: Block) -> Iterator[Grant]:
    conditions = [_condition(one["variable"], one["test"], one["values"]) for one in block.get("condition", [])]
    yield from _grants(
        block.get("effect", "Allow"),
        [*block.get("actions", []), *_not(block.get("not_actions", []))],
        [*block.get("resources", []), *_not(block.get("not_resources", []))],
        [
            *(f"{one['type']} {name}" for one in block.get("principals", []) for name in one["identifiers"]),
            *(f"not {one['type']} {name}" for one in block.get("not_principals", []) for name in one["identifiers"]),
        ],
        conditions,
    )


def _of_iam(statement: Block) -> Iterator[Grant]:
    conditions = [
        _condition(variable, test, _listed(values))
        for test, variables in statement.get("Condition", {}).items()
        for variable, values in variables.items()
    ]
    yield from _grants(
        statement["Effect"],
        [*_listed(statement.get("Action", [])), *_not(_listed(statement.get("NotAction", [])))],
        [*_listed(statement.get("Resource", [])), *_not(_listed(statement.get("NotResource", [])))],
        [*_principals(statement.get("Principal")), *_not(_principals(statement.get("NotPrincipal")))],
        conditions,
    )


def _of_table(statement: Block, terms: Terms) -> Iterator[Grant]:
    filled = {key: terms.fill(value) for key, value in statement.items()}
    for effect in ("allow", "deny"):
        if effect in filled:
            yield from _grants(
                effect.capitalize(),
                filled[effect],
                filled.get("on", []),
                filled.get("to", []),
                filled.get("when", []),
            )


def _grants(
    effect: str, actions: list[str], resources: list[str], principals: list[str], conditions: list[str]
) -> Iterator[Grant]:
    for action, resource, principal in product(actions, resources or [""], principals or [""]):
        yield Grant(effect, str(action), str(resource), principal, tuple(sorted(conditions)))


def _condition(variable: str, test: str, values: list[Any]) -> str:
    return f"{variable} {test} {' | '.join(sorted(map(str, values)))}"


def _principals(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return [str(value)] if value else []
    return [f"{kind} {name}" for kind, names in value.items() for name in _listed(names)]


def _not(names: list[str]) -> list[str]:
    return [f"not {name}" for name in names]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
