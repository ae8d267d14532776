"""Whether a policy document allows or denies a request: the part of IAM's evaluation that the platform's policies use.

One document is looked at by itself, as AWS does for each: what it denies is denied, what it allows is allowed if
another document does not deny it. An operator or element that is not known here is an error, never a guess.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any


class Decision(StrEnum):
    """What one document says of a request."""

    ALLOW = "allow"
    DENY = "deny"
    SILENT = "silent"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as IAM sees it: ``principal`` is an ARN or a service, ``context`` the condition keys it carries."""

    action: str
    resource: str
    principal: str
    context: Mapping[str, str] = field(default_factory=dict)


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "ArnEquals": fnmatchcase,  # ArnEquals and ArnLike behave alike
    "ArnLike": fnmatchcase,
    "Bool": lambda value, allowed: value.lower() == allowed.lower(),
    "NumericLessThan": lambda value, allowed: float(value) < float(allowed),
    "StringEquals": str.__eq__,
    "StringLike": fnmatchcase,
}
IF_EXISTS = "IfExists"
NEGATED = {"StringNotEquals": "StringEquals", "StringNotLike": "StringLike"}


def evaluate(document: Mapping[str, Any], request: Request) -> Decision:
    """What a document says of a request.

    Raises:
        LookupError: for an element or a condition operator that is not known here.
    """
    effects = {statement["Effect"] for statement in document["Statement"] if _applies(statement, request)}
    if "Deny" in effects:
        return Decision.DENY
    return Decision.ALLOW if "Allow" in effects else Decision.SILENT


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    unknown = set(statement) - {"Sid", "Effect", "Action", "Resource", "NotResource", "Principal", "Condition"}
    if unknown:
        raise LookupError(f"elements that are not known here: {sorted(unknown)}")
    return (
        any(fnmatchcase(request.action.lower(), action.lower()) for action in statement["Action"])
        and any(fnmatchcase(request.resource, resource) for resource in statement.get("Resource", ["*"]))
        and not any(fnmatchcase(request.resource, resource) for resource in statement.get("NotResource", []))
        and _is_named(statement.get("Principal"), request.principal)
        and all(
            _holds(operator, key, values, request.context)
            for operator, test in statement.get("Condition", {}).items()
            for key, values in test.items()
        )
    )


def _is_named(principals: Mapping[str, list[str]] | None, principal: str) -> bool:
    """An account's root stands for everybody in the account."""
    if principals is None:
        return True
    account = principal.split(":")[4] if principal.startswith("arn:") else ""
    names = [name for group in principals.values() for name in group]
    return "*" in names or principal in names or f"arn:aws:iam::{account}:root" in names


def _holds(operator: str, key: str, values: str | list[str], context: Mapping[str, str]) -> bool:
    """One condition. A key that the request does not carry fails a comparison, and meets a negated one."""
    allowed = values if isinstance(values, list) else [values]
    if operator.endswith(IF_EXISTS):
        return key not in context or _holds(operator.removesuffix(IF_EXISTS), key, values, context)
    if operator == "Null":
        return (key not in context) == (allowed == ["true"])
    if operator in NEGATED:
        return key not in context or not any(OPERATORS[NEGATED[operator]](context[key], one) for one in allowed)
    if operator not in OPERATORS:
        raise LookupError(f"the condition operator {operator} is not known here")
    return key in context and any(OPERATORS[operator](context[key], one) for one in allowed)
