"""The contents of the image start and serve without anything else that is installed here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from operations.deployment import payments_image
from tests.payments.conftest import Platform
from tests.payments.support import REPOSITORY, SERVICE, running

pytestmark = [pytest.mark.requirement("Q1")]

DOCKERFILE = SERVICE / "Dockerfile"
LOCKED = re.compile(r"^([a-z0-9-]+)==(\S+)((?: --hash=sha256:[0-9a-f]{64})+)$")


@pytest.fixture(scope="module")
def installed() -> Path:
    """What the stage ``packages`` installs, for this machine, as rehearsals run it."""
    assert len(payments_image.copies()) == 2
    return payments_image.installed()


def test_image_is_described_as_its_dockerfile_says() -> None:
    image = payments_image.image()
    assert (image.entrypoint, image.command) == (("python", "-m", "payments"), ("serve",))
    assert (image.directory, image.user, image.volumes) == ("/app", 1000, {"/tmp": 0o1777})
    assert image.trusted == ("/etc/ssl/certs/rds-global-bundle.pem",)
    assert image.environment["PYTHONPATH"] == "/app"


def test_contents_of_the_image_serve_on_a_read_only_root(
    installed: Path, service_platform: Platform, tmp_path: Path
) -> None:
    # The interpreter without the packages of this environment or of the machine.
    python = (str(getattr(sys, "_base_executable", sys.executable)), "-S")
    before = sorted(installed.rglob("*"))
    environment = {**service_platform.environment, "PYTHONDONTWRITEBYTECODE": "1"}

    with running(tmp_path, environment, tls=True, python_path=str(installed), command=python) as service:
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


def test_every_package_is_locked_by_hash_at_the_tested_version() -> None:
    lines = [line for line in (SERVICE / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert len(locked()) == len(lines) > 20
    lock = json.loads((SERVICE.parents[1] / "Pipfile.lock").read_text())
    known = {**lock["develop"], **lock["default"]}
    different = {
        name: version for name, version, _ in locked() if name in known and known[name]["version"] != f"=={version}"
    }
    assert different == {}, "make lock writes requirements.txt anew"


def test_every_base_image_is_pinned_by_digest() -> None:
    stages: set[str] = {"scratch"}
    for base, stage in re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE.read_text(), re.MULTILINE):
        assert base in stages or re.fullmatch(r"[\w./:-]+@sha256:[0-9a-f]{64}", base), base
        stages.add(stage)
    assert len(re.findall(r"^FROM ", DOCKERFILE.read_text(), re.MULTILINE)) == len(stages) - 1


def test_dockerfile_passes_hadolint() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_image_runs_as_its_own_user_with_a_health_check() -> None:
    last = DOCKERFILE.read_text().rpartition("\nFROM ")[2]
    assert "\nUSER 1000:1000\n" in last
    assert "\nHEALTHCHECK " in last


def test_build_context_has_every_file_that_the_dockerfile_copies() -> None:
    ignore = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
    assert ignore[0] == "*", "nothing else of the repository goes to the builder"
    kept = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    copied = {
        source
        for line in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
        for source in line.split()
    }
    assert kept == copied
    assert all((REPOSITORY / path).exists() for path in kept)
