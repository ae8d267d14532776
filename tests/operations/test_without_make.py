"""The page docs/without-make.md: its commands, as they stand there, for two environments one after the other (W8.9)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from emulator import process
from emulator.process import Server
from operations.deployment import shell
from operations.deployment.terraform import COLLECT_AT_PERCENT
from settings import load
from tests.operations.support import REPOSITORY, checkout_of_one_queue, environment_file
from tests.warm_aws import LocalAws

pytestmark = pytest.mark.requirement("W8.9")

PAGE = REPOSITORY / "docs" / "without-make.md"
BUCKET = "payments-state-without-make"
COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


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
    assert ("CDKTF_SKIP_PROVIDER_LOCK" in production) == ("TF_CLI_CONFIG_FILE" in production)
    assert production["TF_DATA_DIR"] != local["TF_DATA_DIR"]
    assert production["PATH"] == local["PATH"]
    assert production["HOME"] == "/a home"


@dataclass(frozen=True)
class Ended:
    """What the commands of the page said, without colours."""

    output: str
    exit_code: int

    def after(self, command: str) -> list[str]:
        """What each run of a command said. The shell echoes commands as it comes to them."""
        found = re.split(r"^\++ (.*)$", self.output, flags=re.MULTILINE)
        return [said for echoed, said in zip(found[1::2], found[2::2], strict=True) if echoed.startswith(command)]


def commands_of_the_page() -> str:
    blocks: list[str] = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    # make itself installs from the lock, which this checkout has done: what it runs is the command below.
    lines = re.sub(r"make -s env ENV=(\S+?)\)", r"$PYTHON -m operations env \1)", "\n".join(blocks))
    return re.sub(r"^npx cdktf deploy$", r"\g<0> --auto-approve", lines, flags=re.MULTILINE)  # there is no terminal


@pytest.fixture(scope="module")
def ended(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The commands of the page, as they stand there, in one shell: for the rehearsal and for another environment."""
    folder = tmp_path_factory.mktemp("without-make")
    checkout = checkout_of_one_queue(folder / "checkout")
    other = environment_file(folder, "other", environment_suffix='"other"', bucket=f'"{BUCKET}"')
    with empty_aws(folder / "aws") as server:
        unprepared = {name: value for name, value in os.environ.items() if name != "NODE_OPTIONS"}
        variables = process.complete_environment(server.url, unprepared)
        for environment in ("local", str(other)):
            bootstrap = [sys.executable, "-m", "operations", "bootstrap", environment]
            subprocess.run(bootstrap, cwd=checkout, env=variables, check=True, capture_output=True)
        done = subprocess.run(
            ["bash", "-ex", "-o", "pipefail", "-c", commands_of_the_page()],
            cwd=checkout,
            env={**variables, "OTHER": str(other), "PYTHON": sys.executable, "GOGC": COLLECT_AT_PERCENT},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    return Ended(output=COLOUR.sub("", done.stdout), exit_code=done.returncode)


def test_the_commands_of_the_page_work_for_two_environments_in_one_shell(ended: Ended) -> None:
    assert ended.exit_code == 0, ended.output
    assert len(ended.after("npx cdktf synth")) == 1
    assert len(ended.after("terraform init")) == 2
    assert [said for said in ended.after("terraform validate") if "The configuration is valid" in said]
    assert "Backend configuration changed" not in ended.output


def test_plan_and_diff_show_what_is_not_deployed_and_nothing_after_it(ended: Ended) -> None:
    before, after = ended.after("terraform plan")
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in before
    assert "No changes." in after
    (diff,) = ended.after("npx cdktf diff")
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in diff


def test_deploy_makes_each_environment_what_is_its_own(ended: Ended) -> None:
    deployments = ended.after("npx cdktf deploy")
    assert len(deployments) == 2
    assert all("Apply complete! Resources: 1 added, 0 changed, 0 destroyed." in said for said in deployments)
    queues = [re.findall(r"queue_url = \"?http\S+/([\w-]+)", said)[-1] for said in deployments]
    assert queues == ["payments-without-make-local", "payments-without-make-other"]


def test_tests_by_testing_synth_run_in_the_same_shell(ended: Ended) -> None:
    (said,) = ended.after(".venv/bin/python -m pytest")
    assert re.search(r"\b[1-9]\d* passed", said), said
