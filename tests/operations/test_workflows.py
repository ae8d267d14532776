"""The workflows: what they may, in which order, and what stands before each deployment (W8.1)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from operations.deployment.delivery import MINUTES_AFTER, MINUTES_TO_STOP, lines
from settings import load
from tests.operations.support import REPOSITORY

pytestmark = pytest.mark.requirement("W8.1")

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
ACTIONS = sorted((REPOSITORY / ".github" / "actions").glob("*/action.yml"))
BIN = Path(sys.executable).parent
# A major release of each action that runs on Node 24, which is all that GitHub's runners have: Node 20 was removed from
# them on 2026-09-16 (cloudflare/cloudflare-docs#29143 lists the first ones).
FIRST_ON_NODE_24 = {
    "actions/cache": 5,
    "actions/checkout": 5,
    "actions/download-artifact": 7,
    "actions/setup-node": 5,
    "actions/setup-python": 6,
    "actions/upload-artifact": 6,
    "aws-actions/configure-aws-credentials": 6,
    "hashicorp/setup-terraform": 4,
}


WRITING = {"pull-requests": "write", "issues": "write"}  # each of a job that runs nothing of the repository


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
        ["check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml"],
    ):
        program, *arguments = command
        ended = subprocess.run(
            [str(BIN / program), *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_third_party_actions_are_pinned_by_commit_with_their_version() -> None:
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


def test_workflow_has_no_permissions_but_those_of_each_job() -> None:
    for path in WORKFLOWS:
        assert parsed(path)["permissions"] == {}, path.name
    for name, job in jobs():
        allowed = {"actions": "read", "contents": "read", "id-token": "write"} | WRITING
        assert job["permissions"].items() <= allowed.items(), name


def test_job_with_write_permission_runs_no_code_of_a_pull_request() -> None:
    writing = [job for _, job in jobs() if WRITING.keys() & job["permissions"].keys()]
    assert len(writing) == 3
    for job in writing:
        runs = [step for step in job["steps"] if "checkout" in step.get("uses", "") or "make" in step.get("run", "")]
        assert not runs
        assert len(job["permissions"]) == 1
    for path in WORKFLOWS:
        assert "pull_request_target" not in path.read_text(encoding="utf-8")


def test_the_deploy_role_is_assumed_in_a_job_of_the_github_environment_only_and_on_a_push_to_main() -> None:
    assuming = [(name, job) for name, job in jobs() if "deploy_role" in json.dumps(job)]
    assert [name for name, _ in assuming] == ["environment.yml: deploy"]
    assert assuming[0][1]["environment"] == "${{ inputs.github_environment }}"
    calling = [path.name for path in WORKFLOWS if "workflows/environment.yml" in path.read_text(encoding="utf-8")]
    assert calling == ["deploy.yml"]
    assert parsed(REPOSITORY / ".github/workflows/deploy.yml")["on"] == {"push": {"branches": ["main"]}}


def test_production_is_deployed_after_staging_and_after_its_own_plan() -> None:
    deploy = parsed(REPOSITORY / ".github/workflows/deploy.yml")["jobs"]
    order = ["checks", "plan-staging", "staging", "plan-production", "production"]
    assert [deploy[then]["needs"] for then in order[1:]] == order[:-1]
    for environment in ("staging", "production"):
        given = deploy[environment]["with"]
        outputs = f"needs.plan-{environment}.outputs"
        assert given["github_environment"] == f"${{{{ {outputs}.github_environment }}}}"
        assert deploy[environment]["if"] == f"{outputs}.github_environment != ''"
        assert given["job_minutes"] == f"${{{{ {outputs}.job_minutes }}}}"


def test_a_fork_gets_no_credentials() -> None:
    pull_request = parsed(REPOSITORY / ".github/workflows/pull-request.yml")["jobs"]
    for name, job in pull_request.items():
        if "id-token" in job["permissions"]:
            assert "head.repo.full_name == github.repository" in job["if"], name


def test_scripts_contain_no_untrusted_expressions_and_are_shell() -> None:
    """What somebody may choose, such as a branch's name, reaches a script as a variable and is no part of it."""
    scripts = [step["run"] for _, job in jobs() for step in job.get("steps", []) if "run" in step]
    assert len(scripts) > 5
    for script in scripts:
        assert "${{" not in script
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0, script


def steps_of(job: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = job.get("steps", [])
    return found


def test_actions_run_on_a_node_that_runners_have_and_are_kept_up() -> None:
    used = {
        (name, int(major))
        for path in (*WORKFLOWS, *ACTIONS)
        for name, major in re.findall(r"uses: ([\w-]+/[\w-]+)@[0-9a-f]{40} # v(\d+)", path.read_text(encoding="utf-8"))
    }
    assert {name for name, _ in used} == FIRST_ON_NODE_24.keys()
    assert [name for name, major in used if major < FIRST_ON_NODE_24[name]] == []
    updates = parsed(REPOSITORY / ".github/dependabot.yml")["updates"]
    assert {one["package-ecosystem"] for one in updates} >= {"github-actions", "npm", "pip"}


def test_each_deployment_job_runs_alone_in_its_environment_and_deploys_the_head_of_the_branch() -> None:
    deploying = [(name, job) for name, job in jobs() if "environment" in job]
    assert {name for name, _ in deploying} == {"environment.yml: deploy", "payment-api.yml: deploy"}
    for name, job in deploying:
        assert "${{ inputs.environment }}" in job["concurrency"]["group"], name
        assert job["concurrency"]["cancel-in-progress"] == "false", name
        runs = [step.get("run", "") for step in steps_of(job)]
        head = next(number for number, run in enumerate(runs) if "commits/$GITHUB_REF_NAME" in run)
        assumes = [number for number, step in enumerate(steps_of(job)) if "role-to-assume" in step.get("with", {})]
        assert head < min(assumes), name
        assert any(run.startswith("exec timeout --signal=INT ") for run in runs), name


def test_a_state_that_could_not_be_written_is_kept_though_the_job_was_cancelled() -> None:
    """A called workflow is given its secrets by the caller: https://github.com/actions/runner/issues/1490."""
    name = "ERRORED_STATE_PASSPHRASE"
    called = parsed(REPOSITORY / ".github/workflows/environment.yml")
    assert name in called["on"]["workflow_call"]["secrets"]
    callers = [job for _, job in jobs() if job.get("uses", "").endswith("/environment.yml")]
    assert len(callers) == 2
    assert all(job["secrets"] == {name: f"${{{{ secrets.{name} }}}}"} for job in callers)
    keeping = [step for step in steps_of(called["jobs"]["deploy"]) if "failure()" in step.get("if", "")]
    assert len(keeping) == 2
    assert all("cancelled()" in step["if"] for step in keeping)


def test_the_payment_api_is_prepared_by_a_role_and_executed_by_another_with_the_page_between() -> None:
    """Whoever approves sees the page that is executed: the job before has prepared it with a role of its own."""
    job = parsed(REPOSITORY / ".github/workflows/payment-api.yml")["jobs"]
    roles = {
        name: [step["with"]["role-to-assume"] for step in steps_of(one) if "role-to-assume" in step.get("with", {})]
        for name, one in job.items()
    }
    assert roles == {"plan": ["${{ vars.API_PREPARE_ROLE_ARN }}"], "deploy": ["${{ vars.API_DEPLOY_ROLE_ARN }}"]}
    commands = {name: " ".join(step.get("run", "") for step in steps_of(one)) for name, one in job.items()}
    assert 'prepare-api "$PLATFORM_ENVIRONMENT" --write approved.md --summary' in commands["plan"]
    assert 'deploy-api "$PLATFORM_ENVIRONMENT" --reviewed approved.md' in commands["deploy"]
    assert ("environment" in job["plan"], "environment" in job["deploy"]) == (False, True)


def test_a_github_environment_is_looked_at_before_a_job_names_it() -> None:
    for file in ("plan.yml", "payment-api.yml"):
        steps = steps_of(parsed(REPOSITORY / ".github/workflows" / file)["jobs"]["plan"])
        (check,) = [step["run"] for step in steps if "/environments/" in step.get("run", "")]
        assert "required_reviewers" in check
        assert check.count("exit 2") == 3


@pytest.mark.parametrize(
    ("answer", "protected", "code"),
    [
        ("0 true", "true", 2),
        ("0 true", "false", 0),
        ("1 true", "true", 0),
        ("", "false", 2),
        ("1 false", "true", 2),
        ("0 false", "false", 2),
    ],
    ids=["nobody approves", "not protected", "somebody approves", "there is none", "every branch", "neither"],
)
def test_an_environment_without_approval_is_refused_where_settings_say_protected(
    tmp_path: Path, answer: str, protected: str, code: int
) -> None:
    gh = tmp_path / "gh"
    gh.write_text(f"#!/bin/sh\n{f'echo {answer}' if answer else 'exit 1'}\n", encoding="utf-8")
    gh.chmod(0o755)
    steps = steps_of(parsed(REPOSITORY / ".github/workflows/plan.yml")["jobs"]["plan"])
    (check,) = [step["run"] for step in steps if "/environments/" in step.get("run", "")]
    variables = {"GITHUB_REPOSITORY": "a/b", "GITHUB_ENVIRONMENT": "production", "PROTECTED": protected}
    ended = subprocess.run(
        ["bash", "-e", "-c", check],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stdout
    assert ended.stdout.startswith("::error::") == bool(code)


def test_every_session_names_its_run_and_every_artifact_may_be_written_again() -> None:
    sessions = [step["with"] for _, job in jobs() for step in steps_of(job) if "configure-aws" in step.get("uses", "")]
    assert len(sessions) >= 5
    assert all("${{ github.run_id }}" in one["role-session-name"] for one in sessions)
    uploads = [step["with"] for _, job in jobs() for step in steps_of(job) if "upload-artifact" in step.get("uses", "")]
    assert len(uploads) >= 2
    assert all(one["overwrite"] == "true" for one in uploads)


def test_a_deployment_ends_before_its_job_and_its_job_before_its_session() -> None:
    settings = load("local")
    said = dict(line.split("=", 1) for line in lines(settings))
    session, job, deploy = int(said["session_seconds"]) // 60, int(said["job_minutes"]), int(said["deploy_minutes"])
    assert session == settings.delivery.session_minutes
    assert (session - job, job - deploy) == (MINUTES_AFTER, MINUTES_TO_STOP)
    assert said["protected"] == "false"


@pytest.mark.parametrize("failed", [False, True])
def test_the_comment_names_the_commit_and_is_not_stale_where_a_plan_failed(tmp_path: Path, failed: bool) -> None:
    job = parsed(REPOSITORY / ".github/workflows/pull-request.yml")["jobs"]["comment"]
    assert "!cancelled()" in job["if"]
    script = steps_of(job)[-1]["run"]
    gh = tmp_path / "gh"
    gh.write_text("#!/bin/sh\n:\n", encoding="utf-8")
    gh.chmod(0o755)
    for environment in ("staging", "production")[failed:]:
        (tmp_path / f"review-{environment}").mkdir()
        (tmp_path / f"review-{environment}" / "review.md").write_text(f"page of {environment}\n", encoding="utf-8")
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "COMMENTS", "PULL_REQUEST_COMMENTS")
    variables = {"COMMIT": "0123abc", **dict.fromkeys(names, "x")}
    ended = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    body = (tmp_path / "body.md").read_text(encoding="utf-8")
    assert body.startswith("<!-- plans -->\nOf commit 0123abc;")
    assert "page of production" in body
    assert ("page of staging" in body) is not failed
    assert ("## Plan: staging\n\n**It failed**" in body) is failed
