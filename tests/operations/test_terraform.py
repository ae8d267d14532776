"""The runner, with the real Terraform: resources that need no provider, and the local AWS as its backend."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from rich.console import Console

from emulator import process
from operations.deployment.terraform import Progress, Terraform
from operations.outcome import EXIT_INTERRUPTED, Failed

REPOSITORY = Path(__file__).parents[2]
BUCKET = "runner-state-us-east-2"
SECONDS_TO_WAIT = 60


def configuration(**more: Any) -> dict[str, Any]:
    return {"terraform": {"required_version": ">= 1.11.0"}, **more}


def thing(value: str, **more: Any) -> dict[str, Any]:
    return {"input": value, **more}


@pytest.fixture
def terraform(tmp_path: Path) -> Callable[[dict[str, Any]], Terraform]:
    """A runner over a configuration, whose state is a file."""

    def over(content: dict[str, Any]) -> Terraform:
        (tmp_path / "cdk.tf.json").write_text(json.dumps(content))
        environment = {"PATH": os.environ["PATH"], "CHECKPOINT_DISABLE": "1"}
        return Terraform(tmp_path, environment, Console(file=io.StringIO(), width=200))

    return over


def said(runner: Terraform) -> str:
    file = runner.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.requirement("W8.2")
def test_applies_plans_empty_and_destroys(terraform: Callable[..., Terraform]) -> None:
    runner = terraform(configuration(resource={"terraform_data": {"one": thing("1"), "two": thing("2")}}))
    runner.init()

    applied = runner.apply()

    assert (applied.done, applied.total) == (2, 2)
    assert "apply 2/2 resources, 0 s" in said(runner)
    assert runner.plan() == []
    assert {one.address: one.type for one in runner.resources()} == dict.fromkeys(
        ("terraform_data.one", "terraform_data.two"), "terraform_data"
    )
    assert set(applied.seconds) == {"terraform_data.one", "terraform_data.two"}
    assert runner.destroy().done == 2
    assert runner.resources() == []


def test_a_plan_names_what_would_change(terraform: Callable[..., Terraform]) -> None:
    runner = terraform(configuration(resource={"terraform_data": {"one": thing("1"), "two": thing("2")}}))
    runner.init()
    runner.apply()
    changed = configuration(
        resource={"terraform_data": {"one": thing("other"), "three": thing("3")}}, output={"new": {"value": "1"}}
    )

    changes = terraform(changed).plan()

    assert sorted(changes) == [
        "create output new",
        "create terraform_data.three",
        "delete terraform_data.two",
        "update terraform_data.one",
    ]


def test_a_change_of_an_output_alone_is_a_change(terraform: Callable[..., Terraform]) -> None:
    runner = terraform(configuration(output={"place": {"value": "here"}}))
    runner.init()
    runner.apply()

    assert terraform(configuration(output={"place": {"value": "there"}})).plan() == ["update output place"]


def test_a_data_source_is_not_counted_as_a_resource(terraform: Callable[..., Terraform], tmp_path: Path) -> None:
    other = tmp_path / "other.tfstate"
    other.write_text(json.dumps({"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "x"}))
    # Its path is known only once the resource is made, so it is read during the apply.
    remote_state = {"backend": "local", "config": {"path": "${terraform_data.one.output}"}}
    runner = terraform(
        configuration(
            resource={"terraform_data": {"one": thing(str(other))}},
            data={"terraform_remote_state": {"it": remote_state}},
        )
    )
    runner.init()

    applied = runner.apply()

    assert (applied.done, applied.total) == (1, 1)


def test_the_value_of_a_sensitive_output_is_not_shown(terraform: Callable[..., Terraform]) -> None:
    secret = {"value": "hunter2", "sensitive": True}
    runner = terraform(configuration(output={"open": {"value": ["a", 1]}, "closed": secret}))
    runner.init()
    runner.apply()

    assert runner.outputs() == {"open": ["a", 1], "closed": "(sensitive)"}
    assert "hunter2" not in said(runner)


def test_terraforms_error_is_told_with_its_place(terraform: Callable[..., Terraform]) -> None:
    broken = thing("1", provisioner=[{"local-exec": {"command": "echo no room; exit 3"}}])
    runner = terraform(configuration(resource={"terraform_data": {"one": broken}}))
    runner.init()

    with pytest.raises(Failed) as failure:
        runner.apply()

    lines = str(failure.value).splitlines()
    assert lines[:3] == ["terraform apply failed:", "error: local-exec provisioner error", "  at terraform_data.one"]
    assert "exit status 3" in lines[3]


def test_an_error_before_anything_has_begun_is_told_without_its_frame(terraform: Callable[..., Terraform]) -> None:
    runner = terraform({"terraform": {"required_version": ">= 99.0"}})

    with pytest.raises(Failed) as failure:
        runner.init()

    assert "Unsupported Terraform Core version" in str(failure.value)
    assert "╷" not in str(failure.value)
    assert "│" not in str(failure.value)


def test_output_that_is_no_event_is_kept_for_the_message() -> None:
    progress = Progress()
    for number in range(100):
        progress.read(f"panic {number}\n")
    progress.read('{"no": "type"}\n')
    progress.read("[1]\n")

    assert len(progress.other_output) == 40
    assert progress.other_output[-3:] == ["panic 99", '{"no": "type"}', "[1]"]


def fake(folder: Path, script: str) -> dict[str, str]:
    """An environment in which `terraform` is a shell script, for what the real one cannot be brought to do in time."""
    program = folder / "programs" / "terraform"
    program.parent.mkdir()
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


def test_a_plan_is_empty_only_if_terraform_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = fake(tmp_path, "exit 2")
    monkeypatch.setenv("PATH", environment["PATH"])

    changes = Terraform(tmp_path, environment, Console(file=io.StringIO())).plan()

    assert changes == ["changes that Terraform does not name"]


def test_terraform_is_asked_to_stop_once_however_often_the_person_asks(tmp_path: Path) -> None:
    """Ctrl-C goes to the whole group of the terminal; Terraform takes a second request as the order to drop all."""
    trap = f"trap 'echo asked >> {tmp_path}/asked' INT TERM"
    environment = fake(tmp_path, f"{trap}; touch {tmp_path}/begun; for i in {{1..20}}; do sleep 0.1; done")
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(tmp_path / "begun", running)

    for _ in range(3):
        os.killpg(running.pid, signal.SIGINT)
        time.sleep(0.2)
    output, _ = running.communicate(timeout=SECONDS_TO_WAIT)

    assert (tmp_path / "asked").read_text().split() == ["asked"]
    assert running.returncode == EXIT_INTERRUPTED
    assert "still stopping (process " in output


def wait_for(path: Path, running: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while not path.exists():
        assert time.monotonic() < deadline, "Terraform did not begin"
        assert running.poll() is None
        time.sleep(0.05)


@pytest.fixture
def bucket(local_aws: process.Server) -> Any:
    """A client for the bucket that the interrupted run's state is in."""
    client = boto3.client(
        "s3",
        region_name="us-east-2",
        endpoint_url=local_aws.url,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="local-aws",
        config=Config(proxies={}),
    )
    place: Any = {"LocationConstraint": "us-east-2"}
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    yield client
    for one in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=one["Key"])
    client.delete_bucket(Bucket=BUCKET)


PROGRAM = """
import sys, os, pathlib
from operations.outcome import console, exit_codes
from operations.deployment.terraform import Terraform
with exit_codes():
    Terraform(pathlib.Path(sys.argv[1]), os.environ, console()).apply()
"""

THROUGH_ANOTHER = """
import sys, subprocess
from operations.interruption import IN_ITS_OWN_GROUP, passed_on
from operations.outcome import console, exit_codes
with exit_codes(), passed_on(console()) as interruption:
    # As cdktf-cli: a program in between, which on SIGINT kills Terraform and goes.
    process = subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1]], **IN_ITS_OWN_GROUP)
    interruption.of(process)
    process.wait()
"""

IN_BETWEEN = """
import signal, subprocess, sys
command = ["terraform", "apply", "-auto-approve", "-no-color"]
terraform = subprocess.Popen(command, cwd=sys.argv[1], start_new_session=True)
signal.signal(signal.SIGINT, lambda *_: (terraform.kill(), sys.exit(1)))
sys.exit(terraform.wait())
"""


@pytest.mark.requirement("W0.3")
@pytest.mark.parametrize("arguments", [(PROGRAM,), (THROUGH_ANOTHER, IN_BETWEEN)], ids=["direct", "through another"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_writes_the_state_releases_its_lock_and_ends_with_130(
    local_aws: process.Server, bucket: Any, tmp_path: Path, arguments: tuple[str, ...], number: int
) -> None:
    begun = tmp_path / "begun"
    slow = {
        "provisioner": [{"local-exec": {"command": f"touch {begun}; sleep 4"}}],
        "depends_on": ["terraform_data.one"],
    }
    backend = {"s3": {"bucket": BUCKET, "key": "state", "region": "us-east-2", "use_lockfile": True}}
    content = configuration(
        resource={
            "terraform_data": {
                "one": thing("1"),
                "two": thing("2", **slow),
                "three": thing("3", depends_on=["terraform_data.two"]),
            }
        }
    )
    content["terraform"]["backend"] = backend
    (tmp_path / "cdk.tf.json").write_text(json.dumps(content))
    environment = {**process.complete_environment(local_aws.url), "CHECKPOINT_DISABLE": "1"}
    Terraform(tmp_path, environment, Console(file=io.StringIO())).init()

    running = subprocess.Popen(
        [sys.executable, "-c", arguments[0], str(tmp_path), *arguments[1:]],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for(begun, running)
    assert f"{BUCKET}/state.tflock" in keys(bucket)
    running.send_signal(number)
    output, _ = running.communicate(timeout=SECONDS_TO_WAIT)

    assert running.returncode == EXIT_INTERRUPTED
    assert keys(bucket) == [f"{BUCKET}/state"]
    assert "stopping: Terraform finishes what it has begun" in output
    state = json.loads(bucket.get_object(Bucket=BUCKET, Key="state")["Body"].read())
    names = {one["name"] for one in state["resources"]}
    assert "one" in names  # what was done is in the state
    assert "three" not in names  # and nothing new was begun


def keys(bucket: Any) -> list[str]:
    return [f"{BUCKET}/{one['Key']}" for one in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
