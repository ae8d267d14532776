"""What was reviewed is what is applied, and workflows do with each role what it is for (W8.1)."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
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


def test_what_was_approved_is_applied_and_nothing_is_left_to_do(
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


def test_a_page_that_is_none_is_refused_before_anything_is_planned(
    terraform: Callable[..., Terraform], tmp_path: Path
) -> None:
    with pytest.raises(Refused, match=r"--reviewed: .*none.md cannot be read"):
        apply(Environment(terraform()), "staging", tmp_path / "none.md")  # type: ignore[arg-type]


def test_a_plan_from_the_state_takes_no_lock_and_says_the_same(
    terraform: Callable[..., Terraform], tmp_path: Path
) -> None:
    runner = terraform(one="1")
    runner.init()
    runner.apply()
    lock = tmp_path / ".terraform.tfstate.lock.info"
    changed = terraform(one="2")
    assert changed.plan(refresh=False, lock=False) == changed.plan() == ["update terraform_data.one"]
    assert not lock.exists()


def test_what_became_different_by_itself_is_no_part_of_what_is_approved() -> None:
    change = Change(address="aws_vpc.one", type="aws_vpc", action=Action.UPDATE, differences=(), forced_by=())
    quiet, noisy = Plan(changes=(change,), outputs=(), drift=()), Plan(changes=(change,), outputs=(), drift=(change,))
    assert approved_page(quiet, "x") == approved_page(noisy, "x")
    refuse_another(approved_page(quiet, "x"), approved_page(noisy, "x"))


def test_a_long_difference_is_cut_and_says_so() -> None:
    with pytest.raises(Refused, match=r"\.\.\. and \d+ more lines$") as refused:
        refuse_another("", "\n".join(f"line {number}" for number in range(200)))
    assert len(str(refused.value).splitlines()) == MOST_LINES + 2


def test_a_page_for_approval_is_made_now_and_not_of_a_file(tmp_path: Path) -> None:
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
        "sqs",
        region_name="us-east-2",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=variables["AWS_SESSION_TOKEN"],
    )
    client.list_queues()
    last = [one for one in read_calls(local_aws.directory) if one.action == "sqs:ListQueues"][-1]
    assert last.assumed_role == "arn:aws:sts::123456789012:assumed-role/payments-delivery-plan-local/rehearsal"


# The workflows.


def parsed(path: Path) -> dict[str, Any]:
    # Every value as text: YAML 1.1 takes the key `on` for a truth.
    found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    return found


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in parsed(path)["jobs"].items():
            yield f"{path.name}: {name}", job


def test_the_linters_find_nothing() -> None:
    for command in (
        ["zizmor", "--offline", "--quiet", ".github"],
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS)],
        ["check-jsonschema", "--builtin-schema", "vendor.github-actions", *map(str, ACTIONS)],
    ):
        program, *arguments = command
        ended = subprocess.run(
            [str(BIN / program), *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_actions_of_others_are_pinned_by_commit_with_their_version_beside_it() -> None:
    used = [
        line.strip()
        for path in (*WORKFLOWS, *ACTIONS)
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*-?\s*uses:", line) and "./" not in line
    ]
    assert len(used) > 10
    assert [line for line in used if not re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []
    pins = {tuple(re.search(r"uses: (\S+)@(\S+)", line).groups()) for line in used}  # type: ignore[union-attr]
    assert len(pins) == len({action for action, _ in pins}), "one action is pinned to two commits"


def test_permissions_are_none_but_those_that_a_job_says() -> None:
    for path in WORKFLOWS:
        assert parsed(path)["permissions"] == {}, path.name
    for name, job in jobs():
        allowed = {"contents": "read", "id-token": "write", "pull-requests": "write"}
        assert job["permissions"].items() <= allowed.items(), name


def test_what_may_write_runs_nothing_of_a_pull_request() -> None:
    writing = [job for _, job in jobs() if "pull-requests" in job["permissions"]]
    assert len(writing) == 1
    assert not [
        step for step in writing[0]["steps"] if "checkout" in step.get("uses", "") or "make" in step.get("run", "")
    ]
    assert "id-token" not in writing[0]["permissions"]
    for path in WORKFLOWS:
        assert "pull_request_target" not in path.read_text(encoding="utf-8")


def test_the_deploy_role_is_assumed_in_a_job_of_the_github_environment_only_and_on_a_push_to_main() -> None:
    assuming = [(name, job) for name, job in jobs() if "deploy_role" in json.dumps(job)]
    assert [name for name, _ in assuming] == ["environment.yml: deploy"]
    assert assuming[0][1]["environment"] == "${{ inputs.environment }}"
    calling = [path.name for path in WORKFLOWS if "workflows/environment.yml" in path.read_text(encoding="utf-8")]
    assert calling == ["deploy.yml"]
    assert parsed(REPOSITORY / ".github/workflows/deploy.yml")["on"] == {"push": {"branches": ["main"]}}


def test_production_is_deployed_after_staging_and_after_its_own_plan() -> None:
    deploy = parsed(REPOSITORY / ".github/workflows/deploy.yml")["jobs"]
    order = ["checks", "plan-staging", "staging", "plan-production", "production"]
    assert [deploy[then]["needs"] for then in order[1:]] == order[:-1]
    assert parsed(REPOSITORY / ".github/workflows/deploy.yml")["concurrency"]["cancel-in-progress"] == "false"


def test_a_fork_gets_no_credentials() -> None:
    pull_request = parsed(REPOSITORY / ".github/workflows/pull-request.yml")["jobs"]
    for name, job in pull_request.items():
        if "id-token" in job["permissions"]:
            assert "head.repo.full_name == github.repository" in job["if"], name


def test_scripts_take_no_text_of_others_in_and_are_shell() -> None:
    """What somebody may choose, such as a branch's name, reaches a script as a variable and is no part of it."""
    scripts = [step["run"] for _, job in jobs() for step in job.get("steps", []) if "run" in step]
    assert len(scripts) > 5
    for script in scripts:
        assert "${{" not in script
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0, script
