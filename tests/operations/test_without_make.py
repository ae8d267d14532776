"""The page docs/without-make.md: its commands, as they stand there, for two environments one after the other (W8.9)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from emulator import process
from emulator.process import Server
from operations.deployment import shell
from settings import load
from tests.operations.support import REPOSITORY, environment_file

pytestmark = pytest.mark.requirement("W8.9")

PAGE = REPOSITORY / "docs" / "without-make.md"
BUCKET = "payments-state-without-make"


def evaluated(lines: list[str], variables: Mapping[str, str]) -> dict[str, str]:
    """A shell's variables after it has evaluated lines."""
    script = "\n".join([*lines, "env -0"])
    ended = subprocess.run(["bash", "-c", script], env=dict(variables), capture_output=True, text=True, check=True)
    return dict(one.split("=", 1) for one in ended.stdout.split("\0") if one)


@pytest.fixture
def no_synthesis(monkeypatch: pytest.MonkeyPatch, platform: object, tmp_path: Path) -> None:
    directory = platform.directory  # type: ignore[attr-defined]
    monkeypatch.setattr(shell, "synthesize", lambda *_: directory)


def test_shell_environment_is_set_for_the_local_aws_and_back_for_aws(
    no_synthesis: None, local_aws: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "find", lambda _: local_aws)
    person = {"PATH": os.environ["PATH"], "AWS_PROFILE": "mine", "HOME": "/a home", "PYTHONDONTWRITEBYTECODE": "1"}

    local = evaluated(list(shell.lines("local", load("local"), person)), person)
    production = evaluated(list(shell.lines("production", load("production"), local)), local)

    expected = process.complete_environment(local_aws.url, {})
    assert {name: local[name] for name in expected} == expected
    assert "AWS_PROFILE" not in local
    assert not production.keys() & expected.keys() - {"AWS_REGION", "AWS_DEFAULT_REGION"}
    assert shell.LOCAL_NAMES not in production
    assert production["PLATFORM_ENVIRONMENT"] == "production"
    assert production["TF_DATA_DIR"] != local["TF_DATA_DIR"]
    assert production["PATH"] == local["PATH"]
    assert production["HOME"] == "/a home"


def commands_of_the_page() -> str:
    blocks: list[str] = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    # make itself installs from the lock, which this checkout has done: what it runs is the command below.
    return re.sub(r"make -s env ENV=(\S+?)\)", r"$PYTHON -m operations env \1)", "\n".join(blocks))


@pytest.mark.lifecycle
def test_the_commands_of_the_page_work_for_two_environments_in_one_shell(local_aws: Server, tmp_path: Path) -> None:
    variables = process.complete_environment(local_aws.url, os.environ)
    other = environment_file(tmp_path, "other", environment_suffix='"other"', bucket=f'"{BUCKET}"')
    for environment in ("local", str(other)):
        bootstrap = [sys.executable, "-m", "operations", "bootstrap", environment]
        subprocess.run(bootstrap, cwd=REPOSITORY, env=variables, check=True, capture_output=True)

    ended = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", commands_of_the_page()],
        cwd=REPOSITORY,
        env={**variables, "OTHER": str(other), "PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("The configuration is valid") == 1
    assert ended.stdout.count("Terraform has been successfully initialized!") == 2
    assert "Backend configuration changed" not in ended.stdout + ended.stderr
