"""The Makefile: every command is explained, and ENV reaches what it runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NOT_FOR_PEOPLE = {"preflight"}

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # Not what a `make test` around this passes on.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    inherited.pop("PLATFORM_ENVIRONMENT", None)
    return subprocess.run(
        ["make", *arguments],
        cwd=REPOSITORY,
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", [(), ("help",)])
def test_help_names_every_command(arguments: tuple[str, ...]) -> None:
    result = make(*arguments)

    named = set(re.findall(r"^  ([a-z-]+) +\S", result.stdout, re.MULTILINE))
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert named == set(re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE)) - NOT_FOR_PEOPLE
    assert {"deploy-local", "destroy-local", "test", "release"} < named
    assert result.returncode == 0


@pytest.mark.requirement("W0.4")
@pytest.mark.parametrize("name", ["bootstrap", "diff", "deploy", "destroy"])
def test_env_chooses_the_environment(name: str) -> None:
    assert f"-m operations {name} staging" in make("--dry-run", name, "ENV=staging").stdout
    assert f"-m operations {name} staging" in make("--dry-run", name, PLATFORM_ENVIRONMENT="staging").stdout
    # A shell's own ENV names its start-up file, and no environment.
    assert f"-m operations {name} local" in make("--dry-run", name, ENV="/etc/shrc").stdout


def test_commands_write_byte_code_and_get_the_environment() -> None:
    result = make(
        "--eval=probe: ; @echo $$PLATFORM_ENVIRONMENT $${PYTHONDONTWRITEBYTECODE-unset}",
        "probe",
        "ENV=staging",
        PYTHONDONTWRITEBYTECODE="1",
    )

    assert result.stdout == "staging unset\n"
