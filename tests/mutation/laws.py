"""The closed world as a judge of changes: it reads what a change has touched, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from policy.closed_world.resources import Resource, Terraform
from policy.closed_world.worlds import closed_world, templates_reader
from tests.mutation.changes import Block, Change
from tests.mutation.verdict import Verdict
from tests.mutation.worlds import PLATFORM, World


def judge_by_laws(world: World, changes: Iterable[Change]) -> Iterator[Verdict]:
    """A verdict on each change: the first law that notices it.

    Raises:
        ValueError: the laws do not hold before any change.
    """
    problems = _problems(world)
    if first := next(problems(world.tree), None):
        raise ValueError(f"nothing is changed yet, and {first}")
    for change in changes:
        yield Verdict(change, next(problems(change.of(world.tree)), None))


def _problems(world: World) -> Callable[[Block], Iterator[str]]:
    settings, read = reading(world)
    laws = closed_world(world.name.replace("-", "_"), settings)
    return lambda tree: laws.problems(read(tree))


def reading(world: World) -> tuple[dict[str, Any], Callable[[Block], Iterator[Resource]]]:
    """The settings of a world, and a reader of it that reads once what stays the same."""
    if world.name == PLATFORM:
        from settings import load

        return load(world.environment).model_dump(), Terraform().resources
    from payment_api.settings import load as load_payment_api

    settings = load_payment_api(world.environment).model_dump()
    return settings, templates_reader(settings).resources
