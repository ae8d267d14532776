"""Writes the locked packages of the payments service's image: `python -m operations.project.lock_image`.

It resolves services/payments/requirements.in to requirements.txt, with transitive dependencies, at the versions of
Pipfile.lock as far as it has them, which the tests use. Each has the hashes of its wheels for both CPU architectures of
the image, and for this machine's Python, so that a test can install the same set.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from operations.project_root import PROJECT

SERVICE = PROJECT / "services" / "payments"
PYTHON_OF_THE_IMAGE = "3.13"
# The image has glibc 2.41; pip takes the names of platforms literally, and no single one is used by all packages.
WHEELS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
HEAD = "# Written by `make lock` from requirements.in: what the image has, for arm64 and amd64.\n"


def resolve(requirements: Path, constraints: Path, python: str, processor: str) -> Mapping[str, tuple[str, str]]:
    """By package its version and the hash of its wheel, for one Python and processor."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        wheels = [f"--platform={wheel}_{processor}" for wheel in WHEELS]
        subprocess.run(
            [
                sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed",
                f"--report={report}", "--only-binary=:all:", f"--python-version={python}", *wheels,
                f"--target={directory}", f"--requirement={requirements}", f"--constraint={constraints}",
            ],
            check=True,
        )  # fmt: skip
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {
        one["metadata"]["name"].lower().replace("_", "-"): (
            one["metadata"]["version"],
            one["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for one in found
    }


def lock(requirements: Path, constraints: Path) -> str:
    """The text of requirements.txt."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    targets = {(PYTHON_OF_THE_IMAGE, "aarch64"), (PYTHON_OF_THE_IMAGE, "x86_64"), (own, platform.machine())}
    hashes: dict[str, set[str]] = defaultdict(set)
    for python, processor in sorted(targets):
        for name, (version, digest) in resolve(requirements, constraints, python, processor).items():
            hashes[f"{name}=={version}"].add(digest)
    lines = (" ".join([package, *(f"--hash=sha256:{one}" for one in sorted(hashes[package]))]) for package in hashes)
    return HEAD + "".join(f"{line}\n" for line in sorted(lines))


def constraints_of(pipfile_lock: Path) -> str:
    """The versions of Pipfile.lock, as pip takes them."""
    content = json.loads(pipfile_lock.read_text(encoding="utf-8"))
    packages = {**content["develop"], **content["default"]}
    return "".join(f"{name}{package['version']}\n" for name, package in packages.items() if "version" in package)


def main() -> None:
    """Write requirements.txt."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write(constraints_of(PROJECT / "Pipfile.lock"))
        constraints.flush()
        text = lock(SERVICE / "requirements.in", Path(constraints.name))
    (SERVICE / "requirements.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
