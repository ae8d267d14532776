"""Checks that the machine has what the project needs: Python 3.11, Node 20 or newer, Terraform 1.11 or newer.

Runs before anything is installed (`python3 -m operations.preflight`). So it uses the standard library only, and syntax
that Python 3.7 accepts, so that an old Python can be reported. It prints one line for each missing program: its name,
the version found and the version needed.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

REFUSED_EXIT_CODE = 2
SECONDS_TO_ANSWER = 20.0


class Need(NamedTuple):
    """A program and the supported range of versions; ``below`` is the first version that is not supported."""

    program: str
    at_least: tuple[int, ...]
    why: str
    below: tuple[int, ...] | None = None

    @property
    def wanted(self) -> str:
        """The supported versions in words."""
        return _text(self.at_least) if self.below else f"{_text(self.at_least)} or newer"


# The bindings and the lock are for Python 3.11 (Pipfile).
PYTHON = Need("python", (3, 11), "the locked packages are built for it", below=(3, 12))
# https://github.com/hashicorp/terraform-cdk/blob/v0.21.0/packages/cdktf-cli/package.json ("engines")
NODE = Need("node", (20,), "cdktf runs its construct library in it")
# https://developer.hashicorp.com/terraform/language/v1.11.x/upgrade-guides
TERRAFORM = Need("terraform", (1, 11), "write-only arguments and S3-native state locking begin there")


def python_problems() -> list[str]:
    """A line for each problem with Python, for commands that need neither Node nor Terraform."""
    found = [problem(PYTHON, _text(sys.version_info[:3])), _without_venv()]
    return [line for line in found if line]


def problems() -> list[str]:
    """A line for each missing or unsupported program; none if there is none."""
    found = [
        *python_problems(),
        node_problem(),
        None if shutil.which("npm") else "npm: not found on PATH; it comes with Node",
        _problem_with(TERRAFORM, terraform_version),
    ]
    return [line for line in found if line]


def node_problem() -> str | None:
    """The problem with Node, if any, for commands that need no Terraform."""
    return _problem_with(NODE, lambda: _said_by("node", "--version"))


class Silent(Exception):
    """A program on PATH does not print its version; the message tells how it fails."""


def _problem_with(need: Need, said: Callable[[], str | None]) -> str | None:
    try:
        return problem(need, said())
    except Silent as failure:
        return f"{need.program}: {failure}; {need.wanted} is needed ({need.why})"


def problem(need: Need, found: str | None) -> str | None:
    """The problem with the version ``found`` of a program (None: it is not installed), if any."""
    if found is None:
        return f"{need.program}: not found on PATH; {need.wanted} is needed ({need.why})"
    version = tuple(int(number) for number in re.findall(r"\d+", found.partition("-")[0])[:3])
    if version >= need.at_least and not (need.below and version >= need.below):
        return None
    return f"{need.program}: {found} was found; {need.wanted} is needed ({need.why})"


def _without_venv() -> str | None:
    """The problem where Python has no venv module, as on Debian and Ubuntu."""
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return None
    return "python: its venv module was not found; install it (on Debian and Ubuntu the package python3.11-venv)"


def _said_by(*command: str) -> str | None:
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        answer = subprocess.run([program, *command[1:]], capture_output=True, timeout=SECONDS_TO_ANSWER, check=False)
    except subprocess.TimeoutExpired:
        raise Silent(f"{program} did not say its version within {SECONDS_TO_ANSWER} s") from None
    except OSError as error:  # such as a program for another architecture
        raise Silent(f"{program} cannot be run: {error.strerror}") from None
    return answer.stdout.decode(errors="replace").strip().lstrip("v") or "no version"


def _terraform_says(name: str) -> str | None:
    """A member of `terraform version -json`; the whole output where it is not there."""
    said = _said_by("terraform", "version", "-json")
    if said is None:
        return None
    try:
        return str(json.loads(said)[name])
    except (ValueError, KeyError, TypeError):
        return said


def terraform_platform() -> str:
    """The platform of Terraform's providers, such as linux_amd64."""
    return _terraform_says("platform") or ""


def terraform_version() -> str | None:
    """The version of Terraform on PATH, such as 1.11.4; None if it is not installed. Raises Silent."""
    return _terraform_says("terraform_version")


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def main() -> int:
    """Print the problems to standard error; returns 0 without any, otherwise 2. ``python`` checks Python only."""
    lines = python_problems() if sys.argv[1:] == ["python"] else problems()
    for line in lines:
        print(line, file=sys.stderr)
    return REFUSED_EXIT_CODE if lines else 0


if __name__ == "__main__":
    sys.exit(main())
