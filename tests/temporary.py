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

PREFIX = "payment-platform-tests-"
PYTESTS_OWN = "PYTEST_DEBUG_TEMPROOT"  # where pytest makes the folders of tests


def begin() -> None:
    """Give this process, and all that it starts, a temporary folder that ends with it."""
    everybodys = Path(tempfile.gettempdir())
    for left in everybodys.glob(f"{PREFIX}*"):
        if not _runs(left.name.removeprefix(PREFIX)):
            shutil.rmtree(left, ignore_errors=True)
    own = everybodys / f"{PREFIX}{os.getpid()}"
    # Others may pass through, and list nothing: PostgreSQL runs as a user of its own where tests are run by root.
    own.mkdir(exist_ok=True)
    own.chmod(0o711)  # whatever the umask
    os.environ.setdefault(PYTESTS_OWN, str(everybodys))
    os.environ["TMPDIR"] = tempfile.tempdir = str(own)
    atexit.register(_end, own, os.getpid())


def _end(own: Path, process: int) -> None:
    if os.getpid() == process:  # not one that was forked
        shutil.rmtree(own, ignore_errors=True)


def _runs(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        pass
    return True
