"""The temporary folder of a run: its own, which ends with it, and which other users' programs come through."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from emulator import process
from tests import temporary
from tests.warm_aws import LocalAws

PROJECT = Path(__file__).parents[2]
RUN = """
import os, pathlib, tempfile
from tests import temporary
temporary.begin()
print(tempfile.mkdtemp(), os.environ["TMPDIR"])
"""


def run_in(folder: Path) -> list[str]:
    """Where a process that begins a run in this temporary folder makes folders; it has ended then."""
    variables = {name: value for name, value in os.environ.items() if name != temporary.PYTESTS_OWN}
    command = [sys.executable, "-c", RUN]
    ended = subprocess.run(
        command, cwd=PROJECT, env={**variables, "TMPDIR": str(folder)}, capture_output=True, text=True, check=True
    )
    return ended.stdout.split()


def test_temporary_files_of_a_run_are_deleted_at_its_end(tmp_path: Path) -> None:
    made, folder = run_in(tmp_path)
    assert Path(made).parent == Path(folder)
    assert Path(folder).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_of_a_killed_run_are_deleted_by_the_next(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f"{temporary.PREFIX}{ended.pid}" / "left").mkdir(parents=True)
    (tmp_path / f"{temporary.PREFIX}{os.getpid()}").mkdir()  # of one that runs
    run_in(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{temporary.PREFIX}{os.getpid()}"]


def test_other_users_come_through_and_see_no_names() -> None:
    """PostgreSQL, which does not run as root."""
    own = Path(tempfile.gettempdir())
    assert own.name.startswith(temporary.PREFIX)
    assert stat.S_IMODE(own.stat().st_mode) == 0o711


def test_a_local_aws_that_all_processes_of_a_run_share_ends_with_the_run(empty_aws: LocalAws, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with empty_aws(folder / temporary.PARTS / "deployed") as server:
        assert process.find(server.directory) == server
        temporary._remove(folder)
        assert not folder.exists()
        with pytest.raises(process.EmulatorError, match="does not answer"):
            process.set_clock(server, 1.0)
