"""Deployment and destruction: what is shown is what happens, and the deployed truth decides what may be destroyed."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from operations.deployment import deploy
from operations.deployment.deploy import Deployment, refuse_deployed_protection
from operations.deployment.terraform import Resource, Terraform
from operations.outcome import Failed, Refused
from operations.review.page import losses
from operations.review.plan import read
from settings import load
from tests.operations.support import REPOSITORY


@pytest.fixture
def terraform(tmp_path: Path) -> Callable[..., Terraform]:
    """A runner over resources of Terraform itself, whose state is a file."""

    def over(**values: str) -> Terraform:
        resources = {"terraform_data": {name: {"input": value} for name, value in values.items()}}
        (tmp_path / "cdk.tf.json").write_text(json.dumps({"resource": resources}))
        environment = {"PATH": os.environ["PATH"], "CHECKPOINT_DISABLE": "1"}
        return Terraform(tmp_path, environment, Console(file=io.StringIO(), width=200))

    return over


def addresses(runner: Terraform) -> set[str]:
    return {one.address for one in runner.resources()}


@pytest.mark.requirement("W8.1")
def test_shown_plan_is_applied_although_the_configuration_has_changed(
    terraform: Callable[..., Terraform],
) -> None:
    runner = terraform(one="1")
    runner.init()
    with runner.planned() as plan:
        shown = plan.as_text()
        terraform(one="1", two="2")  # another command in the checkout, while the question stands
        plan.apply()
    assert "terraform_data.one will be created" in shown
    assert "two" not in shown
    assert addresses(runner) == {"terraform_data.one"}


@pytest.mark.requirement("W8.1")
def test_outdated_plan_changes_nothing(terraform: Callable[..., Terraform]) -> None:
    runner = terraform(one="1")
    runner.init()
    with runner.planned() as plan:
        terraform(other="1").apply()  # another's deployment, while the question stands
        with pytest.raises(Failed, match="stale"):
            plan.apply()
    assert addresses(runner) == {"terraform_data.other"}


def test_destruction_applies_the_plan_that_it_showed(terraform: Callable[..., Terraform]) -> None:
    runner = terraform(one="1", two="2")
    runner.init()
    runner.apply()
    with runner.planned(destroy=True) as plan:
        said = losses(read(plan.as_json(), "test"))
        plan.apply()
    assert said == "2 resources would be destroyed; 0 of them hold data:"
    assert addresses(runner) == set()


def test_resources_with_data_are_named_before_destruction() -> None:
    change = {
        "address": "aws_rds_cluster.one",
        "mode": "managed",
        "type": "aws_rds_cluster",
        "name": "one",
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {"actions": ["delete"], "before": {}, "after": None},
    }
    plan = {"format_version": "1.2", "planned_values": {}, "resource_changes": [change]}
    assert losses(read(json.dumps(plan), "test")).splitlines() == [
        "1 resources would be destroyed; 1 of them hold data:",
        "  aws_rds_cluster.one",
    ]


@pytest.mark.requirement("W8.1")
def test_environment_deployed_as_protected_is_not_destroyed(
    terraform: Callable[..., Terraform], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed = [
        Resource(address="aws_rds_cluster.one", type="aws_rds_cluster", depends_on=(), protected=True),
        Resource(address="aws_vpc.one", type="aws_vpc", depends_on=()),
    ]
    monkeypatch.setattr(Terraform, "resources", lambda _: deployed)
    with pytest.raises(Refused, match=r"^pr-42: protected as it is deployed \(aws_rds_cluster.one\); it can be"):
        refuse_deployed_protection(terraform(), "pr-42")


def test_protection_is_read_from_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def resource(type_: str, **values: object) -> dict[str, object]:
        return {"address": f"{type_}.one", "mode": "managed", "type": type_, "values": values}

    resources = [
        resource("aws_rds_cluster", deletion_protection=True),
        resource("aws_lb", enable_deletion_protection=True),
        resource("aws_dynamodb_table", deletion_protection_enabled=False),
        resource("aws_vpc"),
    ]
    state = json.dumps({"values": {"root_module": {"resources": resources}}})
    monkeypatch.setattr(Terraform, "read", lambda *_: state)
    found = Terraform(tmp_path, {}, Console(file=io.StringIO())).resources()
    assert [one.type for one in found if one.protected] == ["aws_rds_cluster", "aws_lb"]


@pytest.mark.requirement("W0.3")
def test_state_that_could_not_be_written_is_kept_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, project = tmp_path / "run", tmp_path / "project"
    folder.mkdir()
    project.mkdir()
    monkeypatch.setattr(deploy, "PROJECT", project)
    said = io.StringIO()
    deployment = Deployment("local", load("local"), Console(file=said, width=200))
    deployment._keep_unwritten_state(folder)
    assert list(project.iterdir()) == []

    (folder / "errored.tfstate").write_text('{"serial": 8}', encoding="utf-8")
    deployment._keep_unwritten_state(folder)

    (kept,) = project.iterdir()
    assert kept.read_text(encoding="utf-8") == '{"serial": 8}'
    assert kept.stat().st_mode & 0o077 == 0
    assert f"is in {kept.name}: keep it, and see docs/runbooks/state.md" in said.getvalue()
    assert subprocess.run(["git", "check-ignore", kept.name], cwd=REPOSITORY, check=False).returncode == 0
