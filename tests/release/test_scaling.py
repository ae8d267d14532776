"""Auto scaling while a service is released: nothing shrinks it, and every end leaves scaling as it was (W1.3, W2.4)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest

from operations.outcome import Refused
from operations.release.service import BlueGreenService
from tests.release.support import NEW, NEWER, Meanwhile, World, until

pytestmark = [pytest.mark.requirement("W1.3", "W2.4")]
BY_RELEASE = ["DynamicScalingInSuspended", "ScheduledScalingSuspended"]
BY_FAILOVER = ["DynamicScalingInSuspended"]


def goes_well(_world: World) -> AbstractContextManager[None]:
    return nullcontext()


def smoke_test_fails(world: World) -> AbstractContextManager[None]:
    world.answer_hook_with("Failed")
    return nullcontext()


@pytest.mark.parametrize(("before", "fault", "code"), [([], goes_well, 0), (BY_FAILOVER, smoke_test_fails, 3)])
def test_scaling_is_after_a_release_as_it_was_before(
    world: World, before: list[str], fault: Callable[[World], AbstractContextManager[None]], code: int
) -> None:
    world.suspend_scaling(bool(before))
    seen = []
    with fault(world), Meanwhile(world.deployments, lambda: seen.append(world.suspended)):
        assert world.run(NEW).code == code
    assert seen == [BY_RELEASE]
    assert world.suspended == before


def left_alone(world: World) -> str:
    """A release in progress that nobody watches."""
    process = world.start("--image", NEW)
    try:
        until(lambda: world.green_percent() == 10 or process.poll() is not None, "a canary")
    finally:
        process.kill()
        process.communicate()
    (deployment,) = world.deployments()
    return deployment


def test_who_watches_the_end_of_a_release_resumes_what_it_had_suspended(slow_world: World) -> None:
    left_alone(slow_world)
    assert slow_world.suspended == BY_RELEASE
    assert slow_world.run(stop=True).code == 3
    assert slow_world.suspended == []
    slow_world.suspend_scaling(True)  # by a failover, afterwards
    slow_world.run(resume=True)
    assert slow_world.suspended == BY_FAILOVER


def test_the_next_release_resumes_what_one_has_left_whose_end_nobody_watched(slow_world: World) -> None:
    world = slow_world
    deployment = left_alone(world)
    world.codedeploy.stop_deployment(deploymentId=deployment, autoRollbackEnabled=True)
    until(lambda: world.deployment(deployment)["status"] == "Stopped" and len(world.deployments()) == 2, "a rollback")
    until(lambda: world.deployment(world.deployments()[0])["status"] == "Succeeded", "its end")
    assert world.suspended == BY_RELEASE
    world.answer_hook_with("Failed")
    assert world.run(NEWER).code == 3
    assert world.suspended == []


def test_release_that_is_not_started_leaves_scaling_to_the_one_in_progress(
    slow_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = slow_world
    left_alone(world)
    asked = iter([None])  # when it looked, the other had not begun
    look = BlueGreenService.in_progress
    monkeypatch.setattr(BlueGreenService, "in_progress", lambda self: next(asked, look(self)))
    with pytest.raises(Refused, match="is in progress"):
        world.run(NEWER)
    assert world.suspended == BY_RELEASE
    world.run(stop=True)
    assert world.suspended == []
