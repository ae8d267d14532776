"""The temporary folder of a test run: whatever its processes leave there goes with it, and they themselves.

Node, jsii, Terraform's providers and CDKTF's test harness each leave folders in the temporary folder that nobody
removes. So a run has one of its own. Folders of tests (``tmp_path``) are pytest's, which keeps those of failed tests.
Where the run is killed, its guardian does the same (tests/guardian.py).
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from emulator import process
from emulator.address import STATE_FILE
from tests import guardian

PARTS = "lifecycle"
"""The folder in it that takes the parts of the platform's life, of which one's local AWS lives as long as the run."""
PREFIX = "payment-platform-tests-"
PYTESTS_OWN = "PYTEST_DEBUG_TEMPROOT"  # where pytest makes the folders of tests


def begin() -> None:
    """Give this process, and all that it starts, a temporary folder that ends with it."""
    everybodys = Path(tempfile.gettempdir())
    for left in everybodys.glob(f"{PREFIX}*"):
        if not _runs(left.name.removeprefix(PREFIX)):
            _remove(left)
    own = everybodys / f"{PREFIX}{os.getpid()}"
    # Others may pass through, and list nothing: PostgreSQL runs as a user of its own where tests are run by root.
    own.mkdir(exist_ok=True)
    own.chmod(0o711)  # whatever the umask
    os.environ.setdefault(PYTESTS_OWN, str(everybodys))
    guards = _guardian(own)
    os.environ["TMPDIR"] = tempfile.tempdir = str(own)
    atexit.register(_end, own, os.getpid(), guards)


def _guardian(own: Path) -> subprocess.Popen[bytes]:
    """Starts it. In a session of its own, as Ctrl-C in a terminal is for the run, and without the run's variables."""
    command = [sys.executable, "-I", "-S", guardian.__file__, str(own)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, env={})


def _end(own: Path, pid: int, guards: subprocess.Popen[bytes]) -> None:
    if os.getpid() != pid:  # one that was forked
        return
    _remove(own)
    guards.terminate()
    guards.wait()


def _remove(folder: Path) -> None:
    for state in folder.glob(f"{PARTS}/*/{STATE_FILE}"):
        if server := process.find(state.parent):
            process.stop(server)
    for command in guardian.end_all(folder):
        print(f"left by the test run, and ended: {command}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        pass
    return True
