"""Whether a change is seen in docs/snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policy.snapshot.blocks import blocks
from tests.mutation.changes import Change
from tests.mutation.laws import reading
from tests.mutation.worlds import World


def unseen(world: World, changes: Iterable[Change]) -> Iterator[Change]:
    """The changes after which the snapshot is what it was."""
    settings, read = reading(world)
    before = {id(one): one for one in read(world.tree)}
    for change in changes:
        after = {id(one): one for one in read(change.of(world.tree))}
        gone, come = (
            [those[one] for one in those.keys() - others] for those, others in ((before, after), (after, before))
        )
        name = world.name.replace("-", "_")
        if blocks(name, gone, settings) == blocks(name, come, settings):
            yield change
