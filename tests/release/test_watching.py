"""A release that goes on: refused beside another, interrupted, watched again, stopped."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

from operations.outcome import Failed, Refused
from operations.release.service import BlueGreenService
from tests.release.support import NEW, OLD, Meanwhile, World, until

pytestmark = [pytest.mark.requirement("W2.4")]
OTHER = NEW.replace("2" * 64, "4" * 64)


class Interrupted:
    """A release that was interrupted in a process of its own: while its canary went on, or ``when``."""

    def __init__(self, world: World, sent: int = signal.SIGINT, *, when: Callable[[], object] | None = None) -> None:
        reached = when or (lambda: world.green_percent() == 10)
        process = world.start("--image", NEW)
        try:
            until(lambda: reached() or process.poll() is not None, "the stage in which it is interrupted")
            process.send_signal(sent)
            self.out, self.err = process.communicate(timeout=60)
        finally:
            process.kill()
        self.code = process.returncode
        (self.deployment,) = world.deployments()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_release_continues_and_prints_how_to_resume(slow_world: World, sent: int) -> None:
    world = slow_world
    interrupted = Interrupted(world, sent)

    assert interrupted.code == 130
    assert interrupted.err == "interrupted\n"
    assert f"{interrupted.deployment} goes on without this command" in interrupted.out
    again = f"make release SERVICE=web ENV={world.file} REGION=primary ARGS="
    assert again + "--resume" in interrupted.out
    assert again + "--stop" in interrupted.out
    assert world.deployment(interrupted.deployment)["status"] == "InProgress"
    assert world.green_percent() == 10


def test_a_second_release_is_refused_while_one_is_in_progress(slow_world: World) -> None:
    world = slow_world
    deployment = Interrupted(world).deployment
    before = world.writes()

    for image in (OTHER, NEW, OLD):
        with pytest.raises(Refused, match=f"'web' is not allowed; its deployment {deployment} is in progress"):
            world.run(image)

    assert world.writes() == before


def test_a_release_that_another_one_has_overtaken_is_refused_and_leaves_nothing(
    slow_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = slow_world
    deployment = Interrupted(world).deployment
    revisions = world.revisions()
    asked = iter([None])  # when it looked, the other had not begun
    look = BlueGreenService.in_progress
    monkeypatch.setattr(BlueGreenService, "in_progress", lambda self: next(asked, look(self)))

    with pytest.raises(Refused, match=f"its deployment {deployment} is in progress"):
        world.run(OTHER)

    assert world.deployments() == [deployment]
    assert world.revisions() == revisions


def test_a_stopped_release_is_rolled_back(slow_world: World) -> None:
    world = slow_world
    deployment = Interrupted(world).deployment

    ended = world.run(stop=True)

    assert ended.code == 3
    assert ended.text.splitlines()[0] == f"web: stopping {deployment}"
    assert "it was stopped" in ended.text.splitlines()[-2]
    assert world.running_image() == OLD
    assert world.weights() == {"blue": 100, "green": 0}


def test_a_resumed_release_is_watched_to_its_end(world: World) -> None:
    world.hold_hook()  # so that the deployment cannot end before it is watched again
    deployment = Interrupted(world, when=world.hook_is_held).deployment
    looks = world.looks()

    with Meanwhile(lambda: world.looks() > looks, world.release_hook):
        ended = world.run(resume=True)

    assert ended.code == 0
    assert ended.text.splitlines()[0] == f"web: watching {deployment}"
    assert ended.text.splitlines()[-1].startswith(f"released ({deployment}")
    assert world.running_image() == NEW


def test_resume_reports_a_release_that_has_ended(world: World) -> None:
    world.answer_hook_with("Failed")
    world.run(NEW)
    (failed,) = [one for one in world.deployments() if world.deployment(one)["creator"] == "user"]

    ended = world.run(resume=True)

    assert ended.code == 3
    assert "no deployment is in progress" in ended.text
    # The last deployment is CodeDeploy's own, which rolled back; what is told is what it undid.
    assert f"rolled back ({failed}" in ended.text
    assert "the smoke test" in ended.text


def test_running_rollback_is_watched_as_the_release_that_it_reverts(slow_world: World) -> None:
    world = slow_world
    failed = Interrupted(world).deployment
    world.set_alarm("ALARM")
    until(lambda: len(world.deployments()) == 2, "a rollback")

    ended = world.run(stop=True)

    assert ended.code == 3
    assert ended.text.splitlines()[0] == f"web: {failed} is being rolled back already"
    assert world.weights() == {"blue": 100, "green": 0}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"resume": True}, "--resume: nothing to watch; .* has never been released"),
        ({"stop": True}, "--stop: nothing to stop; no deployment of .* is in progress"),
    ],
)
def test_resume_and_stop_require_a_deployment(world: World, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        world.run(**asked)


def test_interruption_during_the_start_waits_until_the_deployment_is_known(
    slow_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = slow_world
    start = BlueGreenService.start

    def interrupted_start(self: BlueGreenService, *arguments: Any) -> str:
        signal.raise_signal(signal.SIGINT)  # before the first call
        deployment = start(self, *arguments)
        signal.raise_signal(signal.SIGINT)  # after the last
        return deployment

    monkeypatch.setattr(BlueGreenService, "start", interrupted_start)

    with pytest.raises(KeyboardInterrupt):
        world.run(NEW)

    (deployment,) = world.deployments()
    assert world.deployment(deployment)["status"] in {"Created", "InProgress"}


def test_failed_start_of_a_deployment_leaves_no_revision(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    revisions = world.revisions()
    # What CodeDeploy refuses; a role that may not start a deployment comes to the same.
    monkeypatch.setattr("operations.release.service.app_spec", lambda *_arguments: "")

    with pytest.raises(Failed, match="CreateDeployment"):
        world.run(NEW)

    assert world.revisions() == revisions


@pytest.fixture
def losing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], list[str]]:
    """Loses answers: the calls of an operation that are to fail, and how they do."""

    def lose(code: str, times: int) -> list[str]:
        from botocore.exceptions import ClientError

        look, lost = BlueGreenService.look, [code] * times

        def flaky(self: BlueGreenService, *arguments: Any) -> Any:
            if lost:
                status = 503 if lost[0] == "ServiceUnavailable" else 400
                answer: Any = {
                    "Error": {"Code": lost.pop(), "Message": "no"},
                    "ResponseMetadata": {"HTTPStatusCode": status},
                }
                raise ClientError(answer, "GetDeployment")
            return look(self, *arguments)

        monkeypatch.setattr(BlueGreenService, "look", flaky)
        return lost

    return lose


@pytest.mark.parametrize("code", ["ThrottlingException", "ServiceUnavailable"])
def test_unanswered_status_calls_are_retried(world: World, losing: Callable[[str, int], list[str]], code: str) -> None:
    lost = losing(code, 3)

    assert world.run(NEW).code == 0
    assert lost == []


def test_credentials_that_end_leave_the_release_to_itself(
    slow_world: World, losing: Callable[[str, int], list[str]]
) -> None:
    losing("ExpiredTokenException", 1)

    with pytest.raises(Failed) as failed:
        slow_world.run(NEW)

    (deployment,) = slow_world.deployments()
    assert str(failed.value).startswith("GetDeployment: ExpiredTokenException: no\n")
    assert f"{deployment} goes on without this command" in str(failed.value)


def test_an_aws_that_never_answers_again_is_given_up_on(
    slow_world: World, losing: Callable[[str, int], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.release.command.SECONDS_WITHOUT_ANSWER", 0.2)
    losing("ServiceUnavailable", 10_000)

    with pytest.raises(Failed, match="goes on without this command"):
        slow_world.run(NEW)


def test_release_without_a_terminal_prints_one_line_for_each_change(world: World) -> None:
    process = world.start("--image", NEW)
    out, err = process.communicate(timeout=120)

    assert (process.returncode, err) == (0, "")
    lines = [line for line in out.splitlines() if line.startswith("web d-")]
    states = [re.sub(r"; [^;]*$", "", line) for line in lines]
    assert len(set(states)) == len(states)
    assert all(re.search(r"; \d+:\d\d elapsed", line) for line in lines)


def test_a_rolled_back_release_in_a_process_of_its_own_is_exit_code_3(world: World) -> None:
    world.answer_hook_with("Failed")
    process = world.start("--image", NEW)
    out, err = process.communicate(timeout=120)

    assert (process.returncode, err) == (3, "")
    assert "rolled back" in out


def test_stopping_meanwhile_ends_the_command_that_watches(slow_world: World) -> None:
    world = slow_world
    with Meanwhile(
        lambda: world.green_percent() == 10,
        lambda: world.codedeploy.stop_deployment(deploymentId=world.deployments()[0], autoRollbackEnabled=True),
    ):
        assert world.run(NEW).code == 3


def test_stop_without_a_rollback_fails_with_the_traffic_shares(
    slow_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = slow_world
    monkeypatch.setattr("operations.release.command.SECONDS_UNTIL_ROLLBACK", 0.5)
    with (
        Meanwhile(
            lambda: world.green_percent() == 10,
            lambda: world.codedeploy.stop_deployment(deploymentId=world.deployments()[0], autoRollbackEnabled=False),
        ),
        pytest.raises(Failed) as failed,
    ):
        world.run(NEW)

    assert "no rollback: it was stopped" in str(failed.value)
    assert f"green 10 %; web in us-east-2 runs {OLD}" in str(failed.value)


def test_deployment_with_a_lost_response_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As botocore repeats a call that was not answered, the second one meets the deployment of the first."""
    deploy = BlueGreenService._deploy

    def deploy_twice(self: BlueGreenService, *asked: Any) -> str:
        first = deploy(self, *asked)
        assert deploy(self, *asked) == first
        return first

    monkeypatch.setattr(BlueGreenService, "_deploy", deploy_twice)

    assert world.run(NEW).code == 0
    assert len(world.deployments()) == 1
