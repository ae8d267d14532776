"""What the release command refuses, in one line and with exit code 2, before it has changed anything."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from emulator import process
from emulator.record import read_calls
from tests.operations.support import Commands, environment_file
from tests.release.support import NEW, World

pytestmark = [pytest.mark.requirement("W2.4")]
DIGEST = "5" * 64


@pytest.fixture
def run(local_aws: process.Server) -> Commands:
    return Commands(local_aws)


def refusal(run: Commands, *arguments: str) -> str:
    """The one line of a refusal; nothing was changed before it."""
    before = len(writes(run))
    result = run("release", *arguments)

    assert (result.returncode, result.stdout) == (2, ""), result.stderr
    assert len(writes(run)) == before
    (line,) = result.stderr.splitlines()
    return line


def writes(run: Commands) -> list[str]:
    calls = [call.operation for call in read_calls(run.server.directory)]
    return [one for one in calls if not one.startswith(("Get", "Describe", "List"))]


@pytest.mark.parametrize(
    "image",
    [
        "registry.example.com/web:1.2",
        "registry.example.com/web:latest",
        "registry.example.com/web",
        f"registry.example.com/web@sha256:{DIGEST[1:]}",
        f"registry.example.com/web@sha256:{DIGEST}0",
        f"registry.example.com/web@sha512:{DIGEST}",
        f"registry.example.com/web:1.2@sha256:{DIGEST}",
        "",
    ],
)
def test_an_image_that_is_not_named_by_digest(run: Commands, image: str) -> None:
    line = refusal(run, "web", "--image", image)

    assert line.startswith(f"image: {image!r} is not allowed; an image named by digest is allowed")


def test_a_service_that_is_unknown(run: Commands) -> None:
    line = refusal(run, "web2", "--image", NEW)

    assert line == "service: 'web2' is not allowed; it is unknown, and one of web, payments is released"


def test_release_of_a_worker_is_refused(run: Commands) -> None:
    assert refusal(run, "reports", "--image", NEW).startswith("service: 'reports' is not allowed; it is a worker")


@pytest.mark.parametrize(
    ("options", "given"),
    [
        (("--resume", "--stop"), "--resume and --stop"),
        (("--image", NEW, "--resume"), "--image and --resume"),
        (("--image", NEW, "--stop"), "--image and --stop"),
        (("--without-running-alarms", "--resume"), "--without-running-alarms and --resume"),
    ],
)
def test_more_than_one_action_is_refused(run: Commands, options: tuple[str, ...], given: str) -> None:
    assert refusal(run, "web", *options) == (f"{options[-1]}: {given} is not allowed; --resume and --stop stand alone")


def test_credentials_of_another_account_are_refused(run: Commands) -> None:
    line = refusal(run, "web", "--image", NEW, "--environment", "staging")

    assert line == "account_id: the credentials belong to 123456789012; the settings say 111122223333"


def test_firing_alarm_of_the_new_colour_advises_to_wait(world: World, run: Commands) -> None:
    """CodeDeploy would stop the release before it has begun."""
    world.set_alarm("ALARM")

    for options in ((), ("--without-running-alarms",)):
        line = refusal(run, "web", "--image", NEW, "--environment", str(world.file), *options)

        assert line.startswith(f"alarms: {world.alarm} (a test says ALARM) is on, so that CodeDeploy would stop")
        assert line.endswith("it watches the new version: wait until it is off, which takes minutes after a rollback")


def test_firing_alarm_of_the_running_version_names_the_option(world: World, run: Commands) -> None:
    world.set_alarm("ALARM", world.running_alarm)

    line = refusal(run, "web", "--image", NEW, "--environment", str(world.file))

    assert line.startswith(f"alarms: {world.running_alarm} (a test says ALARM) is on")
    assert line.endswith("ARGS=--without-running-alarms releases it")


def test_a_port_on_which_no_customer_is_served(world: World, run: Commands) -> None:
    (proxy, web) = world.running_task_definition()["taskDefinition"]["containerDefinitions"]
    moved = {**web, "portMappings": [{"containerPort": 9443, "hostPort": 9443, "protocol": "tcp"}]}
    world.deploy_settings(containerDefinitions=[proxy, moved])

    line = refusal(run, "web", "--environment", str(world.file))

    assert line.startswith("port: 9443 is not allowed;")
    assert "serves customers on 8443" in line


@pytest.mark.parametrize("options", [("--image", NEW), ("--resume",), ("--stop",)])
@pytest.mark.parametrize(("region", "name"), [("primary", "us-east-2"), ("recovery", "us-west-2")])
def test_a_service_that_does_not_exist_yet(
    run: Commands, tmp_path: Path, options: tuple[str, ...], region: str, name: str
) -> None:
    path = environment_file(tmp_path, "nothing", environment_suffix='"nothing"')

    line = refusal(run, "web", *options, "--environment", str(path), "--region", region)

    assert line.startswith("service: 'web' is not allowed; payments-web-nothing does not exist yet in")
    assert f"payments-cluster-nothing in {name}" in line


def test_a_service_that_was_removed(world: World, run: Commands) -> None:
    world.ecs.delete_service(cluster=world.cluster, service=world.name, force=True)

    assert "does not exist yet" in refusal(run, "web", "--image", NEW, "--environment", str(world.file))


def test_a_service_that_ecs_itself_deploys(world: World, run: Commands) -> None:
    world.ecs.delete_service(cluster=world.cluster, service=world.name, force=True)
    world.ecs.create_service(
        cluster=world.cluster, serviceName=world.name, taskDefinition=world.task_definition, desiredCount=1
    )

    line = refusal(run, "web", "--image", NEW, "--environment", str(world.file))

    assert "is deployed by ECS, and only services of CODE_DEPLOY are released so" in line


@pytest.mark.parametrize("options", [("--region", "moon"), ("--environment", "moon"), ("--image",)])
def test_invalid_options_are_refused(run: Commands, options: tuple[str, ...]) -> None:
    result = run("release", "web", *options)

    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_missing_credentials_are_refused(run: Commands) -> None:
    result = run("release", "web", "--image", NEW, without={"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"})

    assert (result.returncode, result.stderr) == (2, "AWS credentials: Unable to locate credentials\n")


def test_an_aws_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    nobody = process.Server(tmp_path, 0, f"http://127.0.0.1:{process.free_port()}")

    result = Commands(nobody)("release", "web", "--image", NEW)

    assert result.returncode == 1
    assert re.fullmatch(r"AWS: (Could not|Failed to) connect to .*\n", result.stderr)


def test_help_names_the_exit_code_of_a_rollback(run: Commands) -> None:
    result = run("release", "--help")

    assert result.returncode == 0
    assert "Exit code 3" in " ".join(result.stdout.split())
    assert sys.executable not in result.stdout
