"""What was reviewed is what is applied, and workflows do with each role what it is for (W8.1)."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from rich.console import Console

from emulator import process
from emulator.record import read_calls
from operations.deployment.terraform import PlanFile, Terraform
from operations.outcome import Refused
from operations.review.apply import MOST_LINES, apply, refuse_another
from operations.review.page import approved_page
from operations.review.plan import Action, Change, Plan
from tests.operations.support import REPOSITORY, Commands, planned_json

pytestmark = pytest.mark.requirement("W8.1")

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
ACTIONS = sorted((REPOSITORY / ".github" / "actions").glob("*/action.yml"))
BIN = Path(sys.executable).parent


@pytest.fixture
def terraform(tmp_path: Path) -> Callable[..., Terraform]:
    """A runner over values that Terraform itself keeps, in a state that is a file."""

    def over(**values: str) -> Terraform:
        resources = {"terraform_data": {name: {"input": value} for name, value in values.items()}}
        (tmp_path / "cdk.tf.json").write_text(json.dumps({"resource": resources}))
        environment = {"PATH": os.environ["PATH"], "CHECKPOINT_DISABLE": "1"}
        return Terraform(tmp_path, environment, Console(file=io.StringIO(), width=200))

    return over


class Environment:
    """Stands for a Deployment: what it would do to AWS, Terraform does here."""

    def __init__(self, terraform: Terraform) -> None:
        self._terraform = terraform

    def planned(self) -> AbstractContextManager[PlanFile]:
        return self._terraform.planned()


def reviewed(terraform: Terraform, folder: Path) -> Path:
    """The page of what `terraform` would do now."""
    from operations.review.plan import read

    page = folder / "approved.md"
    page.write_text(approved_page(read(planned_json(terraform, from_state=True), "x"), "staging"))
    return page


def test_approved_plan_is_applied_and_the_next_plan_is_empty(
    terraform: Callable[..., Terraform], tmp_path: Path
) -> None:
    runner = terraform(one="1", two="2")
    runner.init()
    page = reviewed(runner, tmp_path)
    apply(Environment(runner), "staging", page)  # type: ignore[arg-type]
    assert runner.plan() == []
    assert {one.address for one in runner.resources()} == {"terraform_data.one", "terraform_data.two"}


def test_another_change_than_the_approved_one_is_refused_and_nothing_changes(
    terraform: Callable[..., Terraform], tmp_path: Path
) -> None:
    terraform(one="1").init()
    page = reviewed(terraform(one="1"), tmp_path)
    later = terraform(one="1", two="2")
    with pytest.raises(Refused, match=r"not what was approved, so nothing was changed") as refused:
        apply(Environment(later), "staging", page)  # type: ignore[arg-type]
    assert "+**create** `terraform_data.two`" in str(refused.value)
    assert later.resources() == []


def test_invalid_page_is_refused_before_planning(terraform: Callable[..., Terraform], tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"--reviewed: .*none.md cannot be read"):
        apply(Environment(terraform()), "staging", tmp_path / "none.md")  # type: ignore[arg-type]


def test_plan_from_the_state_takes_no_lock_and_has_the_same_changes(
    terraform: Callable[..., Terraform], tmp_path: Path
) -> None:
    runner = terraform(one="1")
    runner.init()
    runner.apply()
    lock = tmp_path / ".terraform.tfstate.lock.info"
    changed = terraform(one="2")
    assert changed.plan(refresh=False, lock=False) == changed.plan() == ["update terraform_data.one"]
    assert not lock.exists()


def test_drift_is_not_part_of_the_approval() -> None:
    change = Change(address="aws_vpc.one", type="aws_vpc", action=Action.UPDATE, differences=(), forced_by=())
    quiet, noisy = Plan(changes=(change,), outputs=(), drift=()), Plan(changes=(change,), outputs=(), drift=(change,))
    assert approved_page(quiet, "x") == approved_page(noisy, "x")
    refuse_another(approved_page(quiet, "x"), approved_page(noisy, "x"))


def test_long_difference_is_truncated_with_a_note() -> None:
    with pytest.raises(Refused, match=r"\.\.\. and \d+ more lines$") as refused:
        refuse_another("", "\n".join(f"line {number}" for number in range(200)))
    assert len(str(refused.value).splitlines()) == MOST_LINES + 2


def test_page_for_approval_requires_a_new_plan(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "operations", "review", "-", "--write", str(tmp_path / "page.md")]
    ended = subprocess.run(command, cwd=REPOSITORY, input="{}", capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("--from-state, --write, --summary: are for a plan that is made now")


def test_the_command_names_roles_as_a_workflow_reads_them(run: Commands) -> None:
    ended = run("delivery", "local")
    assert ended.returncode == 0
    assert "plan_role=arn:aws:iam::123456789012:role/payments-delivery-plan-local\n" in ended.stdout
    nobody = run("delivery", "staging")
    assert (nobody.returncode, nobody.stdout) == (0, "")
    assert nobody.stderr.endswith("staging: nobody, as delivery.repository is not set\n")


def test_the_record_names_the_role_that_a_workflow_has(local_aws: process.Server) -> None:
    import boto3

    role = "arn:aws:iam::123456789012:role/payments-delivery-plan-local"
    variables = process.role_environment(local_aws, role)
    client = boto3.client(
        "sts",
        region_name="us-east-2",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=variables["AWS_SESSION_TOKEN"],
    )
    client.get_caller_identity()  # which every session may call
    last = [one for one in read_calls(local_aws.directory) if one.action == "sts:GetCallerIdentity"][-1]
    assert last.assumed_role == "arn:aws:sts::123456789012:assumed-role/payments-delivery-plan-local/rehearsal"
