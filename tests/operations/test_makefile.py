"""The Makefile: every command is explained, and ENV reaches what it runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NOT_FOR_PEOPLE = {"preflight-machine", "preflight-python"}

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


def test_help_has_its_groups_and_fits_a_terminal_of_80_columns() -> None:
    lines = make("help").stdout.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert [line for line in lines if re.fullmatch(r"[A-Z][A-Za-z ]+", line)] == [
        "On this machine",
        "On AWS",
        "The project itself",
    ]
    assert '$(make -s env ENV=...)"' in " ".join(lines)  # as one types it
    assert "$$" not in " ".join(lines)


@pytest.mark.requirement("W0.4")
@pytest.mark.parametrize("name", ["bootstrap", "diff", "deploy", "destroy"])
def test_env_chooses_the_environment(name: str) -> None:
    assert f"-m operations {name} 'staging'" in make("--dry-run", name, "ENV=staging").stdout
    assert f"-m operations {name} 'staging'" in make("--dry-run", name, PLATFORM_ENVIRONMENT="staging").stdout
    # A shell's own ENV names its start-up file, and no environment.
    assert f"-m operations {name} 'local'" in make("--dry-run", name, ENV="/etc/shrc").stdout


def test_commands_write_byte_code_and_get_the_environment() -> None:
    result = make(
        "--eval=probe: ; @echo $$PLATFORM_ENVIRONMENT $${PYTHONDONTWRITEBYTECODE-unset}",
        "probe",
        "ENV=staging",
        PYTHONDONTWRITEBYTECODE="1",
    )

    assert result.stdout == "staging unset\n"


@pytest.mark.parametrize(
    "folder", re.findall(r"^/?(\.local-.*)/$", (REPOSITORY / ".gitignore").read_text("utf-8"), re.M)
)
def test_clean_refuses_while_something_local_is_deployed(tmp_path: Path, folder: str) -> None:
    """What it removes is what the local AWS of that folder, and the command that ends it, run with."""
    (tmp_path / folder).mkdir()
    (tmp_path / ".venv").mkdir()
    command = ["make", f"--file={REPOSITORY / 'Makefile'}", "clean"]
    ended = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert ended.returncode == 2
    assert f"clean: {folder} exists" in ended.stderr
    assert (tmp_path / ".venv").exists()


VARIABLES = ("ENV", "SERVICE", "IMAGE", "QUEUE", "ROLE", "ACTION", "RESOURCE", "PLAN", "REGION", "TO")
HOSTILE = (
    "with space.toml",
    "staging; echo INJECTED",
    "$(shell echo INJECTED)",
    "`echo INJECTED`",
    "it's",
    '"',
    "$HOME",
    "*",
)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_variable_is_one_word_whatever_is_in_it(tmp_path: Path, value: str) -> None:
    """Somebody's branch may be called so, and a path may have spaces."""
    recorder = tmp_path / "record"
    recorder.write_text('#!/bin/sh\nprintf "%s\\n" "$PLATFORM_ENVIRONMENT" "$@"\n', encoding="utf-8")
    recorder.chmod(0o755)
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    seen = set()
    for target, recipe in re.findall(
        r"^([a-z-]+):.*\n\t@(\$\(RUN\) -m (?:operations|policy\.why) .*)$", makefile, re.MULTILINE
    ):
        used = [name for name in VARIABLES if re.search(rf"\b{name}\b", recipe)]
        if not used:
            continue
        seen |= set(used)
        given = [f"{name}={value}" for name in used]
        done = [
            "-o",
            ".venv/.synced",
            "-o",
            "node_modules/.installed",
            "-o",
            "setup",
            "-o",
            "preflight-machine",
            "-o",
            "synth",
        ]
        ended = make(*done, target, f"RUN={recorder}", *given)
        assert ended.returncode == 0, ended.stderr
        words = ended.stdout.splitlines()
        assert words.count(value) == len(used) + ("ENV" in used), (target, words)

    assert seen == set(VARIABLES)


def test_old_python_is_reported_before_the_project_is_imported(tmp_path: Path) -> None:
    """Python 3.6 would stumble over the first line of the preflight."""
    python = tmp_path / "python3.11"
    stand_in = "import sys; sys.version_info = (3, 6, 8); exec(sys.argv[2])"
    script = f"""[ "$1" = -c ] || exit 99; exec {sys.executable} -c '{stand_in}' "$@" """
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    ended = make("preflight-python", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[0] == "python: 3.6 was found; 3.11 is needed"


def test_commands_without_terraform_run_where_it_is_missing() -> None:
    for target in ("failover", "release", "migrate", "redrive", "bootstrap"):
        told = make("--dry-run", target, "TO=recovery", "SERVICE=web", "QUEUE=q", "--always-make").stdout
        assert "-m operations.preflight python" in told
        assert not re.search(r"-m operations\.preflight$", told, re.MULTILINE), target
