"""Issues of the workflows: of drift each night, and of a deployment that failed (W8.1, W8.10)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from operations.review.drift import EXIT_DRIFT
from tests.operations.support import REPOSITORY
from tests.operations.test_workflows import parsed, steps_of

pytestmark = pytest.mark.requirement("W8.1", "W8.10")

GH = """#!/bin/sh
case "$*" in "issue list "*) printf '%s\\n' $OPEN;; *) echo "$@" >> asked; cat body.md >> bodies 2>/dev/null || :;; esac
"""
NAMES = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_SHA")


def reported(folder: Path, workflow: str, **variables: str) -> list[str]:
    """What the last step of a workflow's report asks of GitHub."""
    script = steps_of(parsed(REPOSITORY / ".github/workflows" / workflow)["jobs"]["report"])[-1]["run"]
    (folder / "gh").write_text(GH, encoding="utf-8")
    (folder / "gh").chmod(0o755)
    ended = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env={"PATH": f"{folder}:/usr/bin:/bin", "OPEN": "", **dict.fromkeys(NAMES, "x"), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    asked = folder / "asked"
    return asked.read_text(encoding="utf-8").splitlines() if asked.exists() else []


def found(folder: Path, **codes: str) -> None:
    for environment, code in codes.items():
        (folder / f"drift-{environment}").mkdir()
        (folder / f"drift-{environment}" / "code").write_text(code, encoding="utf-8")
        (folder / f"drift-{environment}" / "drift.md").write_text(f"page of {environment}\n" * 9000, encoding="utf-8")


def test_drift_opens_an_issue_that_fits(tmp_path: Path) -> None:
    found(tmp_path, staging="none", production=str(EXIT_DRIFT))
    assert reported(tmp_path, "drift.yml") == ["issue create --title Drift: production --body-file body.md"]
    body = (tmp_path / "body.md").read_text(encoding="utf-8")
    assert "page of production" in body
    assert len(body) < 65_536


def test_drift_that_stays_changes_its_issue_and_one_that_is_gone_closes_it(tmp_path: Path) -> None:
    found(tmp_path, staging="0", production=str(EXIT_DRIFT))
    assert reported(tmp_path, "drift.yml", OPEN="7") == [
        "issue close 7 --comment There is none any more: x/x/actions/runs/x",
        "issue edit 7 --body-file body.md",
    ]


def test_where_nobody_could_look_an_issue_says_so(tmp_path: Path) -> None:
    found(tmp_path, staging="0")
    assert reported(tmp_path, "drift.yml") == ["issue create --title Drift: production --body-file body.md"]
    assert "is not known" in (tmp_path / "body.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("results", "number", "expected"),
    [
        ("success failure skipped skipped", "", ["issue create --title Deployment failed --body-file body.md"]),
        ("failure skipped", "3", ["issue edit 3 --body-file body.md"]),
        ("success success skipped skipped", "3", ["issue close 3 --comment Deployed: x/x/actions/runs/x"]),
        ("success success", "", []),
        ("skipped skipped", "3", []),
    ],
)
def test_a_failed_deployment_has_an_issue_until_one_succeeds(
    tmp_path: Path, results: str, number: str, expected: list[str]
) -> None:
    assert reported(tmp_path, "deploy.yml", RESULTS=results, OPEN=number) == expected


def test_the_night_runs_what_a_person_runs_by_a_role_of_its_own() -> None:
    drift = parsed(REPOSITORY / ".github/workflows/drift.yml")
    assert list(drift["on"]) == ["schedule", "workflow_dispatch"]
    steps = steps_of(drift["jobs"]["look"])
    assert any("-m operations drift" in step.get("run", "") for step in steps)
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert "-m operations drift" in makefile
    roles = [step["with"]["role-to-assume"] for step in steps if "role-to-assume" in step.get("with", {})]
    assert roles == ["${{ steps.delivery.outputs.drift_role }}"]
