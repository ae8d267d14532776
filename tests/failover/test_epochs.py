"""A failover that may lose data begins an epoch before requests move; a planned one, which loses nothing, does not."""

from __future__ import annotations

import pytest

from tests.failover import epochs
from tests.failover.outside import Outside
from tests.failover.support import RECOVERY, World

pytestmark = [pytest.mark.requirement("Q4"), pytest.mark.requirement("W7.2")]

CAUSE = "failover to us-west-2"


def test_an_epoch_begins_after_the_writer_has_moved_and_before_requests_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = Outside().watch(monkeypatch)
    ended = outside.during(lambda: world.run(RECOVERY, lost_region=True))
    assert ended.code == 0, ended.text
    assert epochs.causes(world) == [CAUSE]
    moved, began, let_through = (
        outside.calls.index("FailoverGlobalCluster"),
        outside.calls.index("Invoke"),
        outside.calls.index("ModifyRule"),
    )
    assert moved < began < let_through
    (record,) = [one for key, one in world.objects(RECOVERY).items() if key.endswith(".json")]
    assert any("begin an epoch" in step["step"] for step in record["steps"])


def test_function_that_fails_ends_the_run_with_a_line_and_the_next_run_begins_the_epoch(world: World) -> None:
    epochs.put(world, broken=True)
    ended = world.run(RECOVERY, lost_region=True, patience=0.003)
    assert ended.code == 3
    name = world.names.of("administer-merchants")
    assert f"is not done after 10 minutes: {name}: OperationalError; its log is " in ended.text
    assert "NOT done: begin an epoch" in ended.text
    assert "NOT done: move all requests to us-west-2 (the recovery region stands by" in ended.text
    assert world.writers() == [RECOVERY]
    epochs.put(world)
    resumed = world.run(RECOVERY, lost_region=True)
    assert resumed.code == 0, resumed.text
    assert epochs.causes(world) == [CAUSE]
    assert "begin an epoch, so that what may have been requested and lost is looked up first: done already" in (
        world.run(RECOVERY, lost_region=True).text
    )


def test_requests_move_without_an_epoch_where_that_is_asked_for(world: World) -> None:
    epochs.put(world, broken=True)
    assert world.run(RECOVERY, lost_region=True, without_epoch=True).code == 0
    assert world.answered() is RECOVERY


def test_planned_failover_begins_no_epoch(world: World) -> None:
    assert world.run(RECOVERY).code == 0
    assert epochs.causes(world) == []
