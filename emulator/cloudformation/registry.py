"""Registration of a CloudFormation type or an API with ministack.

An addition stores requests, through ministack's own services wherever they have the resource, and returns what was
stored. It is refused where ministack has gained one of its own: the addition is then obsolete.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]
Created = tuple[str, dict[str, Any]]
"""The physical id, and the attributes that Fn::GetAtt answers."""
Create = Callable[[str, Properties, str], Created]
"""Logical id, properties, stack name."""
Update = Callable[[str, Properties, Properties, str], Created]
"""Physical id, old properties, new properties, stack name."""
Delete = Callable[[str, Properties], None]
"""Physical id, properties."""

HANDLERS: dict[str, dict[str, Any]] = provisioners._RESOURCE_HANDLERS  # ministack's one table of types


class AlreadyThereError(Exception):
    """Ministack has the type, or sets the property, itself: the addition must be reviewed."""


def add_type(name: str, *, create: Create, delete: Delete, update: Update | None = None) -> None:
    """Add a CloudFormation type. Without ``update`` a change makes a new resource and removes the old one.

    Raises:
        AlreadyThereError: ministack has the type.
    """
    if name in HANDLERS:
        raise AlreadyThereError(name)

    def replace(physical_id: str, old: Properties, new: Properties, stack: str) -> Created:
        made = create(name.rpartition("::")[2], new, stack)
        if made[0] != physical_id:
            delete(physical_id, old)
        return made

    HANDLERS[name] = {"create": create, "update": update or replace, "delete": delete}


def complete_type(name: str, finish: Callable[[str, Properties], Mapping[str, Any] | None]) -> None:
    """Call ``finish`` after each creation and update of a type, to set attributes that ministack's handler drops.

    ``finish`` takes the physical id and the properties; what it returns are further attributes for Fn::GetAtt.

    Raises:
        KeyError: ministack does not know the type (any more).
    """
    own = HANDLERS[name]

    def create(logical_id: str, properties: Properties, stack: str) -> Created:
        physical_id, attributes = own["create"](logical_id, properties, stack)
        return physical_id, {**attributes, **(finish(physical_id, properties) or {})}

    def update(physical_id: str, old: Properties, new: Properties, stack: str) -> Created:
        changed, attributes = own["update"](physical_id, old, new, stack)
        return changed, {**(attributes or {}), **(finish(changed, new) or {})}

    HANDLERS[name] = {**own, "create": create, **({"update": update} if "update" in own else {})}


class RefusedError(ValueError):
    """The service refused the request; CloudFormation reports it for the resource."""


def ask(operation: Callable[[Any], Any], request: Any) -> Any:
    """Call an operation of ministack's services within this process, as a handler may not call by HTTP.

    Returns:
        The answer: parsed where it is JSON, as text otherwise.

    Raises:
        RefusedError: it answered with an error.
    """
    answer = operation(request)
    if inspect.iscoroutine(answer):
        answer.close()
        raise TypeError(f"{operation} is asynchronous")
    status, _, body = answer
    text = body.decode() if isinstance(body, bytes) else body
    if status >= 400:  # noqa: PLR2004  # HTTP
        raise RefusedError(text)
    try:
        return json.loads(text)
    except ValueError:
        return text


def is_true(value: Any) -> bool:
    """CloudFormation's booleans come as booleans and as strings."""
    return str(value).lower() == "true"
