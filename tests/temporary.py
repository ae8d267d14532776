"""The temporary folder of a test run: whatever its processes leave there goes with it.

Node, jsii, Terraform's providers and CDKTF's test harness each leave folders in the temporary folder that nobody
removes. So a run has one of its own. Folders of tests (``tmp_path``) are pytest's, which keeps those of failed tests.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from emulator import process
from emulator.address import STATE_FILE

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
    os.environ["TMPDIR"] = tempfile.tempdir = str(own)
    atexit.register(_end, own, os.getpid())


def _end(own: Path, pid: int) -> None:
    if os.getpid() == pid:  # not one that was forked
        _remove(own)


def _remove(folder: Path) -> None:
    for state in folder.glob(f"{PARTS}/*/{STATE_FILE}"):
        if server := process.find(state.parent):
            process.stop(server)
    shutil.rmtree(folder, ignore_errors=True)


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        pass
    return True
