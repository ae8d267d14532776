"""The service writes no file: its task has a read-only root, and volumes that belong to root (Q1, W1.5)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from modules.services.task import SCRATCH
from tests.payments.conftest import Platform
from tests.payments.support import SERVICE, running

pytestmark = [pytest.mark.requirement("Q1"), pytest.mark.requirement("W1.5")]

WRITING_NOTHING = Path(__file__).with_name("writing_nothing.py")


def test_service_that_can_write_no_file_accepts_payments_by_tls(service_platform: Platform, tmp_path: Path) -> None:
    command = (sys.executable, "-B", str(WRITING_NOTHING))
    with running(tmp_path, service_platform.environment, tls=True, command=command) as service:
        assert service.create().status_code == 202
        assert service.stop() == 0


@pytest.mark.parametrize("code", ["open('x', 'w')", "import os; os.mkdir('x')", "import tempfile; tempfile.mkdtemp()"])
def test_process_that_writes_is_refused(tmp_path: Path, code: str) -> None:
    (tmp_path / "writer.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-B", WRITING_NOTHING, "-m", "writer"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.search("PermissionError|No usable temporary directory", done.stderr)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["writer.py"]


def test_image_declares_the_scratch_volumes_of_the_task_as_writable_by_its_user() -> None:
    """Else Fargate mounts them as root's, 0755: the permissions are those that the image gives the folder.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
    """
    stage = (SERVICE / "Dockerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    before_user, user, _ = stage.partition("\nUSER ")
    assert user
    for path in SCRATCH.values():
        assert re.search(rf"^RUN .*chmod 1777 {path}\b", before_user, re.MULTILINE), path
        assert f'"{path}"' in "".join(re.findall(r"^VOLUME (.*)$", before_user, re.MULTILINE)), path
