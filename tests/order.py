"""Which tests a run begins and ends with, so that its processes end at about the same time.

With several processes each takes the next file (`--dist loadfile`): one of minutes that begins last keeps a process at
work when the others have ended. What takes longest comes first, and what looks at all parts of the platform's life
last.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

TESTS = Path(__file__).parent
# The one that deploys for all parts, and what occupies the other processes until it has: who asks for the deployment
# before waits for it, and does nothing else.
FIRST = (
    "lifecycle/test_end.py",
    "operations/test_surroundings.py",
    "emulator/test_terraform.py",
    "release/test_watching.py",
    "lifecycle/test_payment_api.py",
)
# What begins in a fork of the deployment, which is there by then, and what else would keep a process at the end.
NEXT = (
    "lifecycle/test_changes.py",
    "lifecycle/test_failover.py",  # and test_release.py looks at the same part
    # Minutes, or more than half of one, each: what comes after them takes seconds.
    "operations/test_without_make.py",
    "failover/test_crashes.py",
    "rotation/test_crashes.py",
    "suite/test_emptied.py",
    "processing/test_load.py",
    "operations/test_leaving_cdktf.py",
    "operations/test_drift.py",
    "policy/test_hcl.py",
)
LAST = ("lifecycle/test_record.py",)


def place(file: Path) -> int:
    """Where a file of tests comes in; files of the same place stay in their order."""
    names: Sequence[str] = (*FIRST, *NEXT)
    name = file.relative_to(TESTS).as_posix() if file.is_relative_to(TESTS) else ""
    if name in LAST:
        return len(names) + 1
    return names.index(name) if name in names else len(names)


def processes() -> int:
    """How many processes run all tests: one for each core, and two for what waits."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return cores + 2
