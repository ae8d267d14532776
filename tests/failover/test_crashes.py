"""A failover that is ended, or loses an answer, at any of its calls: never two writers, and the next run does the rest.

`make test-failover` tries each call. `make test` tries those that change something: an end after a call is an end
before the next one, and an answer that is lost matters where the call has had an effect.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from operations.outcome import Failed, Refused
from tests.failover.outside import Killed, Outside, changes
from tests.failover.support import PRIMARY, RECOVERY, Region, World, until

pytestmark = [pytest.mark.requirement("W7.2")]

EACH_CALL = bool(os.environ.get("EACH_CALL"))
BEGINNINGS = {"PutObject", "UpdateService", "RegisterScalableTarget", "DeleteObject"}
KINDS = {"UpdateService": "tasks", "RegisterScalableTarget": "tasks"}
MOVES = {"SwitchoverGlobalCluster", "FailoverGlobalCluster"}


def crashes(calls: list[str]) -> Iterator[tuple[int, bool, type[BaseException]]]:
    """Number of the call, whether it has had its effect, and how it goes wrong."""
    changing = list(changes(calls))
    tried = list(range(len(calls))) if EACH_CALL else [*_ends_of_rows(calls, changing)]
    for number in tried:
        yield number, False, Killed
        if number in changing:
            yield number, True, ConnectionClosedError


def _ends_of_rows(calls: list[str], changing: list[int]) -> Iterator[int]:
    """Of changes of one kind in a row, one in the middle and the last: it is the state between them that differs."""
    for _, row in itertools.groupby(changing, key=lambda number: KINDS.get(calls[number], calls[number])):
        numbers = list(row)
        yield from sorted({numbers[len(numbers) // 2], numbers[-1]})


@pytest.mark.parametrize(
    ("to", "asked"), [(RECOVERY, {}), (PRIMARY, {}), (RECOVERY, {"lost_region": True})], ids=["there", "back", "lost"]
)
def test_after_a_crash_at_any_call_there_is_one_writer_and_the_next_run_does_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch, to: Region, asked: dict[str, Any]
) -> None:
    outside = Outside().watch(monkeypatch)
    other = PRIMARY if to is RECOVERY else RECOVERY
    world.reset(other)
    assert outside.during(lambda: world.run(to, **asked)).code == 0
    calls = outside.calls
    assert set(calls) >= BEGINNINGS | {"ModifyRule"}
    assert MOVES & set(calls)
    tried = list(dict.fromkeys(crashes(calls)))
    for number, after, how in tried:
        world.reset(other)
        where = f"{how.__name__} {'after' if after else 'before'} {number} {calls[number]}"
        crash(outside, world, to, number, after=after, how=how, **asked)
        assert len(world.writers()) <= 1, where
        until(lambda: world.move() is None, "the move that a crash left going on")
        assert len(world.writers()) == 1, where
        ended = world.run(to, take_over=True, **asked)
        assert ended.code == 0, f"{where}: {ended.text}"
        assert (world.writers(), world.answered()) == ([to], to), where
    assert len(tried) >= 12


def crash(outside: Outside, world: World, to: Region, number: int, **how: Any) -> None:
    """Run until the call goes wrong; a lost answer need not end the run."""
    after, kind = how.pop("after"), how.pop("how")
    try:
        outside.during(lambda: world.run(to, **how), at=number, after=after, how=kind)
    except Killed:
        assert kind is Killed
    except (Failed, Refused):
        assert kind is not Killed, "the command went on after its end"
