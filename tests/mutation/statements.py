"""Changes of one statement of a policy: a condition lost or loosened, a wider action, resource or principal, and so on.

A statement has one of two spellings: Terraform's block, and IAM's own JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.mutation.tree import REMOVED, Path

Found = tuple[str, Path, Any]  # kind, place within the statement, the new value


@dataclass(frozen=True)
class Spelling:
    """The names of a statement's parts."""

    effect: str
    actions: str
    resources: str
    principals: str
    conditions: str
    anybody: Any
    """Principals that are everybody."""


TERRAFORM = Spelling(
    "effect", "actions", "resources", "principals", "condition", [{"type": "AWS", "identifiers": ["*"]}]
)
IAM = Spelling("Effect", "Action", "Resource", "Principal", "Condition", {"AWS": "*"})
SPELLINGS = {"terraform": TERRAFORM, "iam": IAM}


def changes_of_statement(statement: dict[str, Any], spelling: Spelling) -> Iterator[Found]:
    """Each single change of a statement, but its loss."""
    if statement.get(spelling.effect) == "Deny":
        yield "deny dropped", (spelling.effect,), "Allow"
    else:
        yield from _wider(statement, spelling)
    yield from _conditions(statement, spelling)


def _wider(statement: dict[str, Any], spelling: Spelling) -> Iterator[Found]:
    actions = _as_list(statement.get(spelling.actions, []))
    if actions and actions != ["*"]:
        service = str(actions[0]).split(":")[0]
        if f"{service}:*" not in actions:
            yield "action widened", (spelling.actions,), [*actions, f"{service}:*"]
        yield "action widened", (spelling.actions,), ["*"]
    resources = _as_list(statement.get(spelling.resources, []))
    if resources and resources != ["*"]:
        yield "resource widened", (spelling.resources,), ["*"]
        yield "resource widened", (spelling.resources,), [*resources, "arn:aws:s3:::another/*"]
    if statement.get(spelling.principals, spelling.anybody) != spelling.anybody:
        yield "principal widened", (spelling.principals,), spelling.anybody


def _conditions(statement: dict[str, Any], spelling: Spelling) -> Iterator[Found]:
    conditions = statement.get(spelling.conditions)
    if not conditions:
        return
    yield "condition lost", (spelling.conditions,), REMOVED
    if isinstance(conditions, list):
        for index, one in enumerate(conditions):
            if len(conditions) > 1:
                yield "condition lost", (spelling.conditions, index), REMOVED
            yield "condition loosened", (spelling.conditions, index, "values"), ["*"]
            yield "condition loosened", (spelling.conditions, index, "test"), f"{one['test']}IfExists"
        return
    for test, variables in conditions.items():
        for variable in variables:
            if len(conditions) + len(variables) > 2:
                yield "condition lost", (spelling.conditions, test, variable), REMOVED
            yield "condition loosened", (spelling.conditions, test, variable), ["*"]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
