"""The failover command: there and back, planned and unplanned, and what it leaves as it was."""

from __future__ import annotations

import pytest

from tests.failover.support import PRIMARY, RECOVERY, World

pytestmark = [pytest.mark.requirement("W7.2")]


def test_a_planned_failover_moves_tasks_writer_and_requests_and_loses_nothing(world: World) -> None:
    bounds = world.least(RECOVERY)
    ended = world.run(RECOVERY)
    assert ended.code == 0, ended.text
    assert world.writers() == [RECOVERY]
    assert world.answered() is RECOVERY
    assert world.tasks(RECOVERY) == world.tasks(PRIMARY) == {"web": 2, "payments": 2, "reports": 1}
    assert world.least(RECOVERY) == bounds  # they are Terraform's
    assert world.held_back(RECOVERY) == {"web", "payments"}  # their bounds would let scaling end what was started
    assert world.held_back(PRIMARY) == set()


def test_the_way_back_leaves_everything_as_it_was(world: World) -> None:
    before = world.tasks(RECOVERY), world.least(RECOVERY)
    assert world.run(RECOVERY).code == 0
    ended = world.run(PRIMARY)
    assert ended.code == 0, ended.text
    assert (world.writers(), world.answered()) == ([PRIMARY], PRIMARY)
    assert (world.tasks(RECOVERY), world.least(RECOVERY)) == before
    assert world.held_back(RECOVERY) == world.held_back(PRIMARY) == set()
