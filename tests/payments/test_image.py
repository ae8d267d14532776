"""What the image is made of starts and serves, without anything else that is installed here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.payments.conftest import Platform
from tests.payments.support import SERVICE, running

pytestmark = [pytest.mark.requirement("Q1")]

DOCKERFILE = SERVICE / "Dockerfile"
LOCKED = re.compile(r"^([a-z0-9-]+)==(\S+)((?: --hash=sha256:[0-9a-f]{64})+)$")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stage ``packages`` installs, for this machine."""
    folder = tmp_path_factory.mktemp("image") / "install"
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps", "--only-binary=:all:",
            "--require-hashes", f"--target={folder}", "-r", str(SERVICE / "requirements.txt"),
        ],
        check=True,
    )  # fmt: skip
    shutil.copytree(SERVICE / "payments", folder / "payments", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_installed_set_serves(installed: Path, service_platform: Platform, tmp_path: Path) -> None:
    # The interpreter without the packages of this environment or of the machine.
    python = (str(getattr(sys, "_base_executable", sys.executable)), "-S")
    before = sorted(installed.rglob("*"))
    environment = {**service_platform.environment, "PYTHONDONTWRITEBYTECODE": "1"}

    with running(tmp_path, environment, tls=True, python_path=installed, command=python) as service:
        assert service.create().status_code == 202
        variables = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
        port = service.url.rpartition(":")[2]
        probe = [*python, "-m", "payments", "healthy"]
        assert subprocess.run(probe, env={**variables, "HTTPS_PORT": port}, check=False).returncode == 0
        assert service.stop() == 0
        assert subprocess.run(probe, env={**variables, "HTTPS_PORT": port}, check=False, capture_output=True).returncode

    assert sorted(installed.rglob("*")) == before, "it runs on a read-only root"
    bill = json.loads(
        subprocess.run(
            [sys.executable, SERVICE / "sbom.py", installed], capture_output=True, text=True, check=True
        ).stdout
    )
    versions = {component["name"]: component["version"] for component in bill["components"]}
    assert versions == {name: version for name, version, _ in locked()}


def locked() -> list[tuple[str, str, str]]:
    lines = [line for line in (SERVICE / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    found = [LOCKED.match(line) for line in lines]
    return [(match[1], match[2], match[3]) for match in found if match]


def test_every_package_is_locked_by_hash_at_the_version_that_is_tested() -> None:
    lines = [line for line in (SERVICE / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert len(locked()) == len(lines) > 20
    lock = json.loads((SERVICE.parents[1] / "Pipfile.lock").read_text())
    known = {**lock["develop"], **lock["default"]}
    different = {
        name: version for name, version, _ in locked() if name in known and known[name]["version"] != f"=={version}"
    }
    assert different == {}, "make lock writes requirements.txt anew"


def test_every_base_is_named_by_digest() -> None:
    stages: set[str] = {"scratch"}
    for base, stage in re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE.read_text(), re.MULTILINE):
        assert base in stages or re.fullmatch(r"[\w./:-]+@sha256:[0-9a-f]{64}", base), base
        stages.add(stage)
    assert len(re.findall(r"^FROM ", DOCKERFILE.read_text(), re.MULTILINE)) == len(stages) - 1


def test_the_dockerfile_passes_the_lint() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_image_runs_as_a_user_of_its_own() -> None:
    last = DOCKERFILE.read_text().rpartition("\nFROM ")[2]
    assert "\nUSER 1000:1000\n" in last
    assert "\nHEALTHCHECK " in last
