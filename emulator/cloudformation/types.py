"""Registration of the types whose resources other services make, in place of ministack's own."""

from __future__ import annotations

from collections.abc import Callable

from ministack.services.cloudformation import stacks

from emulator.cloudformation.calls import Created, Properties
from emulator.cloudformation.registry import HANDLERS

Create = Callable[[str, Properties, str], Created]
"""Logical id, properties, stack name."""
Update = Callable[[str, Properties, Properties, str], Created]
"""Physical id, old properties, new properties, stack name."""
Delete = Callable[[str, Properties], None]
"""Physical id, properties."""

TYPES: set[str] = set()


def made_by(name: str, *, create: Create, delete: Delete, update: Update | None = None) -> None:
    """Make resources of a type by these calls. Without ``update`` any change makes a new one in place of the old."""

    def replace(physical_id: str, old: Properties, new: Properties, stack: str) -> Created:
        made = create(name.rpartition("::")[2], new, stack)
        if made[0] != physical_id:
            delete(physical_id, old)
        return made

    HANDLERS[name] = {"create": create, "update": update or replace, "delete": delete}
    TYPES.add(name)


def wait_in_threads() -> None:
    """Let each of these types wait for its service in a thread: the server goes on answering meanwhile."""
    own = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda name: name in TYPES or own(name)
