"""Evaluation of one policy document: whether it allows or denies a request, and by which statement.

One document is evaluated alone, as AWS does for each: its denial is final, its permission holds if no other document
denies (:mod:`iam.authorization` decides by all of them). An unknown operator or element is an error, never a guess.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from iam.conditions import Context, holds, is_like, listed, with_variables

ELEMENTS = {
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "Condition",
}


class Decision(StrEnum):
    """One document's decision on a request."""

    ALLOW = "allow"
    DENY = "deny"
    SILENT = "silent"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as IAM sees it.

    ``principal`` is the ARN of a user, a role or a role's session, or the name of a service; ``role`` is the ARN of the
    role whose session it is. ``context`` are the condition keys it carries.
    """

    action: str
    resource: str
    principal: str
    role: str = ""
    context: Context = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The account of the caller; empty for a service."""
        return self.principal.split(":")[4] if self.principal.startswith("arn:") else ""

    @property
    def names(self) -> set[str]:
        """The names by which a policy can mean the caller alone."""
        return {self.principal, *([self.role] if self.role else [])}


def evaluate(document: Mapping[str, Any], request: Request) -> Decision:
    """A document's decision on a request.

    Raises:
        LookupError: for an element or a condition operator that is not known here.
    """
    effects = {statement["Effect"] for statement in applying(document, request)}
    if "Deny" in effects:
        return Decision.DENY
    return Decision.ALLOW if "Allow" in effects else Decision.SILENT


def applying(document: Mapping[str, Any], request: Request) -> Iterator[Mapping[str, Any]]:
    """The statements of a document that apply to a request, whatever their effect.

    Raises:
        LookupError: for an element or a condition operator that is not known here.
    """
    for _, statement in numbered(document, request):
        yield statement


def numbered(document: Mapping[str, Any], request: Request) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """:func:`applying`, each statement with its place in the document, from 0."""
    for place, statement in enumerate(statements_of(document)):
        if _applies(statement, request):
            yield place, statement


def statements_of(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The statements of a document, of which there may be a single one."""
    found = document["Statement"]
    return [found] if isinstance(found, Mapping) else list(found)


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    unknown = set(statement) - ELEMENTS
    if unknown:
        raise LookupError(f"elements that are not known here: {sorted(unknown)}")
    for one in ("Action", "Resource"):
        if {one, f"Not{one}"} <= set(statement):
            raise LookupError(f"a statement has {one} or Not{one}, never both")
    return (
        _is_action(statement, request.action)
        and _is_resource(statement, request)
        and _is_named(statement.get("Principal"), request)
        and all(
            holds(operator, key, _values(values, request.context), request.context)
            for operator, test in statement.get("Condition", {}).items()
            for key, values in test.items()
        )
    )


def _values(values: Any, context: Context) -> list[str]:
    """The values of a condition; one with a variable that the request lacks equals nothing."""
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in _all(values)]
    return [one for text in texts if (one := with_variables(text, context)) is not None]


def _all(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _is_action(statement: Mapping[str, Any], action: str) -> bool:
    def is_one_of(name: str) -> bool:
        return any(is_like(action.lower(), one.lower()) for one in listed(statement[name]))

    return is_one_of("Action") if "Action" in statement else not is_one_of("NotAction")


def _is_resource(statement: Mapping[str, Any], request: Request) -> bool:
    def is_one_of(name: str) -> bool:
        patterns = (with_variables(one, request.context) for one in listed(statement[name]))
        return any(is_like(request.resource, one) for one in patterns if one is not None)

    if "NotResource" in statement:
        return not is_one_of("NotResource")
    return is_one_of("Resource") if "Resource" in statement else True


def _is_named(principals: str | Mapping[str, Any] | None, request: Request) -> bool:
    """The root principal of an account matches every principal of the account."""
    if principals is None:
        return True
    names = principal_names(principals)
    accounts = {request.account, f"arn:aws:iam::{request.account}:root"} if request.account else set()
    return "*" in names or bool(names & (request.names | accounts))


def principal_names(principals: str | Mapping[str, Any]) -> set[str]:
    """All names in a Principal element: ARNs, accounts, services, "*"."""
    groups = [principals] if isinstance(principals, str) else principals.values()
    return {name for group in groups for name in listed(group)}
