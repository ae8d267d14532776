"""The commands as a person runs them: help, bad input, other accounts, protected environments."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emulator.process import Server
from tests.operations.support import REPOSITORY, Commands, checkout_of_one_queue, environment_file

COMMANDS = ("deploy-local", "destroy-local", "bootstrap", "diff", "deploy", "destroy", "release")
ON_AWS = ("bootstrap", "diff", "deploy", "destroy")


def test_help_names_every_command_and_the_exit_codes(run: Commands) -> None:
    result = run("--help")

    assert result.returncode == 0
    assert all(name in result.stdout for name in COMMANDS)
    assert "130 interrupted" in result.stdout


def test_the_version_is_the_changelogs_newest_and_the_commit(run: Commands) -> None:
    result = run("--version")

    assert result.returncode == 0
    assert re.fullmatch(r"(unreleased|\d+\.\d+\.\d+)( \([0-9a-f]{7,}\))?\n", result.stdout)
    newest = next(line for line in (REPOSITORY / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ["))
    assert result.stdout.split()[0] in newest.lower()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(run: Commands, name: str) -> None:
    result = run(name, "--help")

    assert result.returncode == 0
    assert f"Usage: python -m operations {name}" in result.stdout


@pytest.mark.parametrize("arguments", [("fly",), ("deploy-local", "--port", "70000")])
def test_bad_arguments_are_refused_with_exit_code_2(run: Commands, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)

    assert result.returncode == 2
    assert "Traceback" not in result.stderr


@pytest.mark.requirement("W0.4")
@pytest.mark.parametrize("name", ON_AWS)
def test_an_unknown_environment_is_one_line_and_exit_code_2(run: Commands, name: str) -> None:
    result = run(name, "stagin")

    assert result.returncode == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert "'stagin' is not allowed; local, production, staging" in result.stderr


@pytest.mark.requirement("W0.4")
def test_bad_settings_are_a_line_each_and_exit_code_2(run: Commands, tmp_path: Path) -> None:
    path = environment_file(tmp_path, "bad", environment_suffix='"No Such"', account_id='"12"')

    result = run("bootstrap", str(path))

    assert result.returncode == 2
    assert [line.split(":")[1].strip() for line in result.stderr.splitlines()] == ["environment_suffix", "account_id"]


@pytest.mark.requirement("W0.3")
def test_bootstrap_prints_its_results(run: Commands, tmp_path: Path) -> None:
    path = environment_file(tmp_path, "mine", bucket='"payments-state-of-a-test"')

    first, second = run("bootstrap", str(path)), run("bootstrap", str(path))

    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "created" in first.stdout
    assert "found right" not in first.stdout
    assert "found right" in second.stdout
    assert "created" not in second.stdout
    assert "payments-state-of-a-test" in second.stdout
    assert "\x1b[" not in first.stdout  # no colours where there is no terminal


@pytest.mark.requirement("W0.3")
@pytest.mark.parametrize("name", ON_AWS)
def test_credentials_of_another_account_are_refused_in_one_line(run: Commands, name: str) -> None:
    result = run(name, "staging", *(["--approve"] if name in {"deploy", "destroy"} else []))

    assert result.returncode == 2
    assert result.stderr == "account_id: the credentials belong to 123456789012; the settings say 111122223333\n"


def test_no_credentials_are_one_line(run: Commands) -> None:
    result = run("bootstrap", "local", without={"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"})

    assert result.returncode == 2
    assert result.stderr == "AWS credentials: Unable to locate credentials\n"


@pytest.mark.requirement("W8.1")
@pytest.mark.parametrize("arguments", [(), ("--approve",)])
def test_a_protected_environment_is_not_destroyed(run: Commands, arguments: tuple[str, ...]) -> None:
    result = run("destroy", "production", *arguments)

    assert result.returncode == 2
    assert result.stderr.startswith("protected: true is not allowed for destroy; production can be destroyed once")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["deploy", "destroy"])
def test_change_without_confirmation_is_refused_where_there_is_no_terminal(run: Commands, name: str) -> None:
    result = run(name, "local")

    assert result.returncode == 2
    assert result.stderr == "--approve: needed where there is no terminal to ask on\n"


@pytest.mark.lifecycle
@pytest.mark.requirement("W8.2")
def test_diff_reaches_the_local_aws_by_the_environment_alone(local_aws: Server, tmp_path: Path) -> None:
    run = Commands(local_aws, checkout_of_one_queue(tmp_path / "checkout"))
    path = environment_file(tmp_path, "mine", environment_suffix='"difftest"', bucket='"payments-state-of-a-diff"')
    assert run("bootstrap", str(path)).returncode == 0

    result = run("diff", str(path))

    assert result.returncode == 0, result.stderr
    assert "Plan: 1 to add, 0 to change, 0 to destroy" in result.stdout
    assert "payments-without-make-difftest" in result.stdout
    assert "\x1b[" not in result.stdout


@pytest.mark.lifecycle
def test_diff_without_a_state_bucket_says_how_to_create_one(run: Commands, tmp_path: Path) -> None:
    path = environment_file(tmp_path, "mine", environment_suffix='"nobucket"', bucket='"payments-never-bootstrapped"')

    result = run("diff", str(path))

    assert result.returncode == 2
    assert result.stderr == "state.bucket: there is no bucket payments-never-bootstrapped; run make bootstrap\n"
