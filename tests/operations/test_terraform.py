"""The runner, with the real Terraform: resources that need no provider, and the local AWS as its backend."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from operations.deployment.terraform import Progress, Terraform
from operations.outcome import Failed

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


def test_plan_names_changed_resources_and_outputs(terraform: Callable[..., Terraform]) -> None:
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


def test_terraform_error_is_shown_with_its_location(terraform: Callable[..., Terraform]) -> None:
    broken = thing("1", provisioner=[{"local-exec": {"command": "echo no room; exit 3"}}])
    runner = terraform(configuration(resource={"terraform_data": {"one": broken}}))
    runner.init()

    with pytest.raises(Failed) as failure:
        runner.apply()

    lines = str(failure.value).splitlines()
    assert lines[:3] == ["terraform apply failed:", "error: local-exec provisioner error", "  at terraform_data.one"]
    assert "exit status 3" in lines[3]


def test_early_terraform_error_is_shown_without_its_frame(terraform: Callable[..., Terraform]) -> None:
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


def test_progress_of_a_plan_file_counts_what_is_done_without_a_total() -> None:
    progress = Progress()
    assert progress.text == "preparing"
    hook = {"action": "create", "resource": {"addr": "terraform_data.one"}, "elapsed_seconds": 1}
    progress.read(json.dumps({"type": "apply_complete", "hook": hook}))
    assert progress.text == "1 resources"


def fake(folder: Path, script: str) -> dict[str, str]:
    """An environment in which `terraform` is a shell script, for what the real one cannot be brought to do in time."""
    program = folder / "programs" / "terraform"
    program.parent.mkdir()
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


def test_plan_is_empty_only_if_terraform_reports_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = fake(tmp_path, "exit 2")
    monkeypatch.setenv("PATH", environment["PATH"])

    changes = Terraform(tmp_path, environment, Console(file=io.StringIO())).plan()

    assert changes == ["changes that Terraform does not name"]


@pytest.mark.parametrize(("given", "used"), [({}, "400"), ({"GOGC": "50"}, "50")])
def test_garbage_is_collected_seldom_unless_the_caller_says_otherwise(
    tmp_path: Path, given: dict[str, str], used: str
) -> None:
    program = tmp_path / "terraform"
    program.write_text('#!/bin/sh\necho "$GOGC"\n')
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **given}
    runner = Terraform(tmp_path, environment, Console(file=io.StringIO()))
    assert runner.read("version").strip() == used
