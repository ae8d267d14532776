"""A run that is killed leaves nothing running: its guardian ends what it has started, and what that has started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import guardian

REPOSITORY = Path(__file__).parents[2]
CONFTEST = "from tests.conftest import *\n"
# A local AWS that a session shares, a fork of it, PostgreSQL, and a program that does not end when it is asked to.
TESTS = """
import json, os, signal, subprocess, sys, time
from pathlib import Path

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"

def test_waits_until_it_is_killed(empty_aws, postgresql, tmp_path):
    lock = (postgresql.folder / "data" / "postmaster.pid").read_text()
    stubborn = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, start_new_session=True)
    stubborn.stdout.readline()
    with empty_aws(tmp_path / "fork") as fork:
        pids = [fork.pid, int(lock.splitlines()[0]), stubborn.pid]
        file = Path(__file__).with_name("pids.json")
        file.with_suffix(".new").write_text(json.dumps({"folder": os.environ["TMPDIR"], "pids": pids}))
        file.with_suffix(".new").rename(file)
        time.sleep(600)
"""
SECONDS = 90.0


@dataclass(frozen=True)
class Begun:
    """The temporary folder of a run, and the processes of each kind that it has started."""

    folder: str
    pids: list[int]


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"after {SECONDS:g} s still not: {what}"
        time.sleep(0.1)


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended may still wait for its parent to take note."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_run_that_is_killed_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_some.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "--rootdir", str(tmp_path), "-c", str(REPOSITORY / "pyproject.toml")]
    variables = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    written = tmp_path / "pids.json"
    with (tmp_path / "said").open("w") as said:
        run = subprocess.Popen(
            [*command, "-p", "no:cacheprovider", "-n", "0", str(tmp_path)],
            cwd=REPOSITORY, env=variables, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip
        try:
            until(lambda: written.exists() or run.poll() is not None, "its test runs")
            assert run.poll() is None, (tmp_path / "said").read_text()
            begun = Begun(**json.loads(written.read_text()))
            assert set(begun.pids) <= set(guardian._processes_of(Path(begun.folder)))
        finally:
            run.send_signal(signal.SIGKILL)
            run.wait()
    until(lambda: not Path(begun.folder).exists(), "its folder is removed")
    assert [pid for pid in begun.pids if runs(pid)] == []
