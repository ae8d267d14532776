"""Checks that the machine has what the project needs: Python 3.11, Node 20 or newer, Terraform 1.11 or newer.

Runs before anything is installed (`python3 -m operations.preflight`), so it uses the standard library only, and nothing
that Python 3.7 would stumble over before it can be told that it is too old. One line for each thing missing: what it
is, the version found and the version needed.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from typing import NamedTuple

REFUSED_EXIT_CODE = 2
SECONDS_TO_ANSWER = 60


class Need(NamedTuple):
    """A program and the releases of it that the project runs with; ``below`` is the first one that it does not."""

    program: str
    at_least: tuple[int, ...]
    why: str
    below: tuple[int, ...] | None = None

    @property
    def wanted(self) -> str:
        """The releases in words."""
        return _text(self.at_least) if self.below else f"{_text(self.at_least)} or newer"


# The bindings and the lock are of Python 3.11 (Pipfile).
PYTHON = Need("python", (3, 11), "the locked packages are built for it", below=(3, 12))
# https://github.com/hashicorp/terraform-cdk/blob/v0.21.0/packages/cdktf-cli/package.json ("engines")
NODE = Need("node", (20,), "cdktf runs its construct library in it")
# https://developer.hashicorp.com/terraform/language/v1.11.x/upgrade-guides
TERRAFORM = Need("terraform", (1, 11), "write-only arguments and S3-native state locking begin there")


def problems() -> list[str]:
    """One line for each thing that the machine lacks; none if it has everything."""
    found = [
        problem(PYTHON, _text(sys.version_info[:3])),
        _without_venv(),
        problem(NODE, _said_by("node", "--version")),
        None if shutil.which("npm") else "npm: not found on PATH; it comes with Node",
        problem(TERRAFORM, terraform_version()),
    ]
    return [line for line in found if line]


def problem(need: Need, found: str | None) -> str | None:
    """What is wrong with the version ``found`` of a program (None: there is no such program), if anything."""
    if found is None:
        return f"{need.program}: not found on PATH; {need.wanted} is needed ({need.why})"
    version = tuple(int(number) for number in re.findall(r"\d+", found.partition("-")[0])[:3])
    if version >= need.at_least and not (need.below and version >= need.below):
        return None
    return f"{need.program}: {found} was found; {need.wanted} is needed ({need.why})"


def _without_venv() -> str | None:
    """Debian and Ubuntu ship Python without the parts that make environments."""
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return None
    return "python: its venv module was not found; install it (on Debian and Ubuntu the package python3.11-venv)"


def _said_by(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    answer = subprocess.run(command, capture_output=True, timeout=SECONDS_TO_ANSWER, check=False)
    return answer.stdout.decode(errors="replace").strip().lstrip("v") or "no version"


def terraform_platform() -> str:
    """The platform that Terraform wants its providers for, such as linux_amd64."""
    return str(json.loads(_said_by("terraform", "version", "-json") or "{}")["platform"])


def terraform_version() -> str | None:
    """The version of the Terraform on PATH, such as 1.11.4; None if there is none."""
    said = _said_by("terraform", "version", "-json")
    try:
        return str(json.loads(said or "")["terraform_version"])
    except (ValueError, KeyError):
        return said


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def main() -> int:
    """Print what is missing on standard error; 0 if nothing is, else 2."""
    lines = problems()
    for line in lines:
        print(line, file=sys.stderr)
    return REFUSED_EXIT_CODE if lines else 0


if __name__ == "__main__":
    sys.exit(main())
