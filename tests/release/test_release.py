"""Releases against a local AWS that plays CodeDeploy: how they end, and what runs then."""

from __future__ import annotations

import io
import json
from contextlib import nullcontext
from unittest.mock import MagicMock

import pytest
from rich.console import Console

from operations.deployment.deploy import Deployment
from operations.deployment.terraform import Terraform
from operations.outcome import Refused
from settings.naming import MADE_BY, RELEASE, SETTINGS
from tests.release.support import NEW, NEWER, OLD, SIDECAR, Meanwhile, World, until

pytestmark = [pytest.mark.requirement("W2.4")]
MADE = [{"key": MADE_BY, "value": RELEASE}]


def test_a_release_ends_with_the_new_image_before_all_customers(world: World) -> None:
    before = world.running_task_definition()

    ended = world.run(NEW)

    assert ended.code == 0
    assert world.running_image() == NEW
    assert world.weights() == {"blue": 0, "green": 100}
    assert [world.deployment(one)["status"] for one in world.deployments()] == ["Succeeded"]
    assert ended.text.splitlines()[-1].startswith("released (d-")
    assert ended.text.splitlines()[-1].endswith(f"web in us-east-2 runs {NEW}")
    assert "green 10 %" in ended.text
    assert "\x1b[" not in ended.text
    after = world.running_task_definition()
    assert [tag for tag in after["tags"] if tag not in before["tags"]] == MADE
    assert [tag for tag in before["tags"] if tag not in after["tags"]] == [{"key": MADE_BY, "value": SETTINGS}]
    assert_differ_in_the_image_only(before["taskDefinition"], after["taskDefinition"])


def assert_differ_in_the_image_only(before: dict, after: dict) -> None:  # type: ignore[type-arg]
    own = {"taskDefinitionArn", "revision", "registeredAt", "containerDefinitions"}
    assert {name: value for name, value in before.items() if name not in own} == {
        name: value for name, value in after.items() if name not in own
    }
    for one, other in zip(before["containerDefinitions"], after["containerDefinitions"], strict=True):
        assert other == {**one, "image": NEW if one["name"] == "web" else SIDECAR}


def test_appspec_comes_from_the_running_version(world: World) -> None:
    world.run(NEW)

    (identity,) = world.deployments()
    deployment = world.deployment(identity)
    content = json.loads(deployment["revision"]["appSpecContent"]["content"])
    hook = f"arn:aws:lambda:us-east-2:123456789012:function:{world.settings.names.of('smoke-test')}"
    assert content["Hooks"] == [{"AfterAllowTestTraffic": hook}]
    assert content["Resources"][0]["TargetService"]["Properties"] == {
        "TaskDefinition": world.primary["taskDefinition"],
        "LoadBalancerInfo": {"ContainerName": "web", "ContainerPort": 8443},
        "PlatformVersion": "1.4.0",
        "CapacityProviderStrategy": [{"CapacityProvider": "FARGATE", "Base": 1, "Weight": 1}],
    }
    assert NEW in deployment["description"]
    # It is what CodeDeploy forgets unless it is repeated.
    assert world.primary["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE", "base": 1, "weight": 1}]


def test_revision_registered_by_others_is_not_released(world: World) -> None:
    latest = world.ecs.describe_task_definition(taskDefinition=world.task_definition)["taskDefinition"]
    world.ecs.register_task_definition(
        family=world.name,
        containerDefinitions=[{"name": "web", "image": OLD, "memory": 128}],
    )

    assert world.run(NEW).code == 0

    assert_differ_in_the_image_only(latest, world.running_task_definition()["taskDefinition"])


@pytest.mark.requirement("W2.3", "Q2")
def test_an_alarm_rolls_a_release_back(slow_world: World) -> None:
    world = slow_world
    with Meanwhile(lambda: world.green_percent() == 10, lambda: world.set_alarm("ALARM")):
        ended = world.run(NEW)

    assert ended.code == 3
    assert world.running_image() == OLD
    assert world.weights() == {"blue": 100, "green": 0}
    said = ended.text.splitlines()
    assert said[-2].startswith("rolled back (d-")
    assert f"alarm {world.alarm} (a test says ALARM)" in said[-2]
    assert said[-1] == f"web in us-east-2 runs {OLD}"
    assert any(f"in alarm: {world.alarm}" in line for line in said)


@pytest.mark.requirement("W2.3")
def test_an_alarm_that_is_off_again_is_still_named(slow_world: World) -> None:
    world = slow_world

    def on_and_off() -> None:
        world.set_alarm("ALARM")
        until(lambda: len(world.deployments()) == 2, "a rollback")
        world.set_alarm("OK")

    with Meanwhile(lambda: world.green_percent() == 10, on_and_off):
        ended = world.run(NEW)

    assert ended.code == 3
    assert world.alarm in ended.text.splitlines()[-2]


@pytest.mark.requirement("W2.3", "Q2")
def test_a_smoke_test_that_fails_rolls_a_release_back_before_any_customer_sees_it(world: World) -> None:
    world.answer_hook_with("Failed")

    ended = world.run(NEW)

    assert ended.code == 3
    assert world.running_image() == OLD
    assert world.weights() == {"blue": 100, "green": 0}
    assert "rolled back" in ended.text.splitlines()[-2]
    assert "the smoke test, AfterAllowTestTraffic, failed" in ended.text.splitlines()[-2]
    assert "green 10 %" not in ended.text


def test_the_image_that_runs_already_is_not_released_again(world: World) -> None:
    before = world.writes()

    ended = world.run(OLD)

    assert ended.code == 0
    assert ended.text == f"web runs {OLD} already: there is nothing to release\n"
    assert world.writes() == before


def test_a_release_after_a_rolled_back_one_starts_from_the_old_image(world: World) -> None:
    world.answer_hook_with("Failed")
    assert world.run(NEW).code == 3
    world.answer_hook_with("Succeeded")

    assert world.run(NEW).code == 0

    assert world.running_image() == NEW


@pytest.mark.requirement("W7.1")
def test_release_without_an_image_deploys_changed_settings(world: World) -> None:
    assert world.run(NEW).code == 0
    world.deploy_settings(cpu="1024", memory="2048")

    ended = world.run()

    assert ended.code == 0
    running = world.running_task_definition()["taskDefinition"]
    assert (running["cpu"], running["memory"], world.running_image()) == ("1024", "2048", NEW)
    assert "  settings: cpu: 512 -> 1024\n  settings: memory: 1024 -> 2048\n" in ended.text
    assert world.run().text == f"web runs {NEW} already: there is nothing to release\n"


@pytest.mark.requirement("W7.1")
def test_settings_go_along_with_an_image_and_the_revision_of_settings_stays(world: World) -> None:
    """It is Terraform's: without it the next plan would not be empty."""
    containers = world.running_task_definition()["taskDefinition"]["containerDefinitions"]
    (proxy, web) = containers
    web = {**web, "environment": [{"name": "LOG_LEVEL", "value": "not to be shown"}]}
    of_settings = world.deploy_settings(containerDefinitions=[proxy, web])

    ended = world.run(NEW)

    assert world.running_image() == NEW
    after = world.running_task_definition()["taskDefinition"]["containerDefinitions"]
    assert after == [proxy, {**web, "image": NEW}]
    assert "  settings: web.environment\n" in ended.text
    assert "not to be shown" not in ended.text
    assert world.revisions() == [of_settings, world.primary["taskDefinition"]]


def test_release_deregisters_revisions_of_earlier_releases_that_do_not_run(world: World) -> None:
    world.answer_hook_with("Failed")
    assert world.run(NEWER).code == 3
    world.answer_hook_with("Succeeded")
    assert world.run(NEW).code == 0
    assert world.run(NEWER).code == 0

    assert world.revisions() == [world.task_definition, world.primary["taskDefinition"]]


def test_revisions_of_releases_are_deregistered_with_the_environment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = MagicMock(spec=Terraform)
    terraform.resources.return_value = []
    terraform.planned.return_value.__enter__.return_value.as_json.return_value = "{}"
    monkeypatch.setattr(Deployment, "_terraform", lambda _: nullcontext(terraform))
    assert world.run(NEW).code == 0
    own = [{"key": "platform", "value": "payments"}]
    own.append({"key": "environment_suffix", "value": world.settings.environment_suffix})
    world.ecs.tag_resource(resourceArn=world.primary["taskDefinition"], tags=own)
    world.ecs.tag_resource(resourceArn=world.task_definition, tags=own)
    other = world.ecs.register_task_definition(
        family=f"payments-other-{world.settings.environment_suffix}",
        containerDefinitions=[{"name": "web", "image": OLD, "memory": 128}],
        tags=[own[0], {"key": "environment_suffix", "value": "other"}, *MADE],
    )["taskDefinition"]["taskDefinitionArn"]

    Deployment(str(world.file), world.settings, Console(file=io.StringIO())).destroy(
        approve=True, summarize=lambda _: ""
    )

    terraform.planned.assert_called_once_with(destroy=True)
    terraform.planned.return_value.__enter__.return_value.apply.assert_called_once_with()
    assert world.revisions() == [world.task_definition]
    assert world.ecs.describe_task_definition(taskDefinition=other)["taskDefinition"]["status"] == "ACTIVE"


@pytest.mark.requirement("W2.3")
def test_a_version_that_is_broken_does_not_keep_its_fix_out(world: World) -> None:
    world.set_alarm("ALARM", world.running_alarm)
    with pytest.raises(Refused, match="without-running-alarms"):
        world.run(NEW)

    ended = world.run(NEW, without_running_alarms=True)

    assert ended.code == 0
    assert world.running_image() == NEW
    loud = " ".join(ended.text.split())
    assert f"WITHOUT the alarms of the version that runs, {world.running_alarm}:" in loud
    assert f"watched: {world.alarm}, and the smoke test as ever" in loud
    told = world.deployment(world.deployments()[0])["overrideAlarmConfiguration"]
    assert told == {"enabled": True, "alarms": [{"name": world.alarm}]}


@pytest.mark.requirement("W2.3")
def test_the_alarms_of_the_fix_watch_it_also_when_it_is_resumed(slow_world: World) -> None:
    world = slow_world
    world.set_alarm("ALARM", world.running_alarm)
    with Meanwhile(lambda: world.green_percent() == 10, lambda: world.set_alarm("ALARM")):
        ended = world.run(NEW, without_running_alarms=True)

    assert ended.code == 3
    assert world.running_image() == OLD
    resumed = world.run(resume=True)
    assert resumed.code == 3
    assert world.alarm in resumed.text.splitlines()[-2]
    assert world.running_alarm not in resumed.text
