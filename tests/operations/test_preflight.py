"""What a machine lacks is said in one line each, before anything is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from operations.preflight import NODE, PYTHON, TERRAFORM, Need, problem

REPOSITORY = Path(__file__).parents[2]

TERRAFORM_LINE = "1.11 or newer is needed (write-only arguments and S3-native state locking begin there)"
NODE_LINE = "20 or newer is needed (cdktf runs its construct library in it)"


def program(folder: Path, name: str, says: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of programs as on a machine that has what is needed, and nothing else."""
    program(tmp_path, "node", "v20.11.1")
    program(tmp_path, "npm", "10.2.4")
    program(tmp_path, "terraform", '{"terraform_version": "1.11.0", "platform": "linux_amd64"}')
    return tmp_path


def run(machine: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "operations.preflight"],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": str(machine)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_machine_with_everything_passes_in_silence(machine: Path) -> None:
    result = run(machine)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_every_missing_program_is_one_line_and_all_are_reported_at_once(machine: Path) -> None:
    for name in ("node", "npm", "terraform"):
        (machine / name).unlink()

    result = run(machine)

    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        f"node: not found on PATH; {NODE_LINE}",
        "npm: not found on PATH; it comes with Node",
        f"terraform: not found on PATH; {TERRAFORM_LINE}",
    ]


@pytest.mark.parametrize(
    ("name", "says", "line"),
    [
        ("node", "v18.19.0", f"node: 18.19.0 was found; {NODE_LINE}"),
        ("terraform", '{"terraform_version": "1.9.8"}', f"terraform: 1.9.8 was found; {TERRAFORM_LINE}"),
        ("terraform", '{"terraform_version": "0.15.5"}', f"terraform: 0.15.5 was found; {TERRAFORM_LINE}"),
        ("terraform", "Terraform v0.12.31", f"terraform: Terraform v0.12.31 was found; {TERRAFORM_LINE}"),
        ("terraform", "", f"terraform: no version was found; {TERRAFORM_LINE}"),
    ],
)
def test_a_release_that_is_too_old_is_named_with_the_one_needed(machine: Path, name: str, says: str, line: str) -> None:
    program(machine, name, says)

    result = run(machine)

    assert result.returncode == 2
    assert result.stderr.splitlines() == [line]


@pytest.mark.parametrize(
    ("need", "version", "right"),
    [
        (PYTHON, "3.11.0", True),
        (PYTHON, "3.11.15", True),
        (PYTHON, "3.10.12", False),
        (PYTHON, "3.12.1", False),
        (PYTHON, "4.0.0", False),
        (NODE, "20.0.0", True),
        (NODE, "24.1.0", True),
        (NODE, "9.11.2", False),
        (TERRAFORM, "1.11.0", True),
        (TERRAFORM, "1.12.0-beta1", True),
        (TERRAFORM, "1.2.11", False),
        (TERRAFORM, "2.0.0", True),
    ],
)
def test_versions_are_compared_as_numbers(need: Need, version: str, right: bool) -> None:
    assert (problem(need, version) is None) is right


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_checks_the_machine_first(machine: Path) -> None:
    make, shell = shutil.which("make"), shutil.which("bash")
    assert make
    assert shell
    (machine / "terraform").unlink()
    for name in ("bash", "sed", "expand", "mkdir", "date", "cat", "rm"):
        (machine / name).symlink_to(shutil.which(name) or name)
    (machine / "python3.11").symlink_to(sys.executable)

    result = subprocess.run(
        [make, "preflight-machine"],
        cwd=REPOSITORY,
        env={"PATH": str(machine)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 2
    assert f"terraform: not found on PATH; {TERRAFORM_LINE}" in result.stderr.splitlines()
