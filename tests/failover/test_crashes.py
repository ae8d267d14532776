"""A failover that is ended, or loses an answer, at any of its calls: one writer at most, and the next run does the rest.

An end after a call is an end before the next one, so it is tried before each. An answer that is lost matters where the
call has changed something. Of calls in a row that only look, the first and the last are tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from operations.outcome import Failed, Refused
from tests.failover.support import PRIMARY, RECOVERY, Killed, Outside, Region, World, changes, until

pytestmark = [pytest.mark.requirement("W7.2")]


def crashes(calls: list[str]) -> Iterator[tuple[int, bool, type[BaseException]]]:
    """Number of the call, whether it has had its effect, and how it goes wrong."""
    changing = set(changes(calls))
    for number in range(len(calls)):
        if {number - 1, number, number + 1} & changing or calls[number] in {"DescribeGlobalClusters"}:
            yield number, False, Killed
        if number in changing:
            yield number, True, ConnectionError


@pytest.mark.parametrize(
    ("to", "asked"), [(RECOVERY, {}), (PRIMARY, {}), (RECOVERY, {"lost_region": True})], ids=["there", "back", "lost"]
)
def test_after_a_crash_at_any_call_there_is_one_writer_and_the_next_run_does_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch, to: Region, asked: dict[str, Any]
) -> None:
    outside = Outside().watch(monkeypatch)
    other = PRIMARY if to is RECOVERY else RECOVERY
    assert world.run(other).code == 0
    assert outside.during(lambda: world.run(to, **asked)).code == 0
    calls = outside.calls
    assert {"PutObject", "UpdateService", "RegisterScalableTarget", "ModifyRule", "DeleteObject"} <= set(calls)
    assert {"SwitchoverGlobalCluster", "FailoverGlobalCluster"} & set(calls)
    tried = list(crashes(calls))
    for number, after, how in tried:
        until(lambda: world.move() is None, "the move that a crash left going on")
        assert world.run(other, take_over=True).code == 0
        where = f"{how.__name__} {'after' if after else 'before'} {number} {calls[number]}"
        crash(outside, world, to, number, after=after, how=how, **asked)
        assert len(world.writers()) <= 1, where
        until(lambda: world.move() is None, "the move that a crash left going on")
        assert len(world.writers()) == 1, where
        ended = world.run(to, take_over=True, **asked)
        assert ended.code == 0, f"{where}: {ended.text}"
        assert world.writers() == [to], where
        assert world.answered() is to, where
    assert len(tried) > 20


def crash(outside: Outside, world: World, to: Region, number: int, **how: Any) -> None:
    """Run until the call goes wrong; a lost answer need not end the run."""
    after, kind = how.pop("after"), how.pop("how")
    try:
        outside.during(lambda: world.run(to, **how), at=number, after=after, how=kind)
    except Killed:
        assert kind is Killed
    except (Failed, Refused):
        assert kind is not Killed, "the command went on after its end"
