"""What a policy document grants and denies: a line for what has the same effect, resources, principals and conditions.

How its statements are cut and ordered is nothing to AWS, and nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from policy.closed_world.permissions import Grant


def lines(grants: Iterable[Grant]) -> list[str]:
    """The lines of a document."""
    principals: dict[tuple[str, tuple[str, ...], str, str], set[str]] = {}
    for one in grants:
        principals.setdefault((one.effect, one.conditions, one.action, one.resource), set()).add(one.principal)
    resources: dict[tuple[str, tuple[str, ...], str, str], set[str]] = {}
    for (effect, conditions, action, resource), whom in principals.items():
        resources.setdefault((effect, conditions, action, _listed(whom)), set()).add(resource)
    actions: dict[tuple[str, tuple[str, ...], str, str], set[str]] = {}
    for (effect, conditions, action, to), those in resources.items():
        actions.setdefault((effect, conditions, _listed(those), to), set()).add(action)
    return sorted(_line(*key, _actions(those)) for key, those in actions.items())


def _line(effect: str, conditions: tuple[str, ...], resources: str, principals: str, actions: str) -> str:
    on = f" on {resources}" if resources else ""
    to = f" to {principals}" if principals else ""
    when = f" when {' and '.join(conditions)}" if conditions else ""
    return f"{effect.lower()} {actions}{on}{to}{when}"


def _actions(names: set[str]) -> str:
    """The actions, those of one service as one."""
    services = groupby(sorted(name.partition(":") for name in names), key=lambda parts: parts[:2])
    by_service = ((f"{service}{colon}", [own for _, _, own in those]) for (service, colon), those in services)
    return ", ".join(
        f"{prefix}{own[0]}" if len(own) == 1 else f"{prefix}{{{', '.join(own)}}}" for prefix, own in by_service
    )


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
