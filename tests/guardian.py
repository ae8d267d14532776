"""The guardian of a test run: a process that ends what a run has started where the run is killed and cannot.

Local AWSs, their forks and PostgreSQL are sessions of their own and outlive whoever started them. A run's processes are
known by the temporary folder that they inherit (tests/temporary.py); PostgreSQL, which inherits no variables, by its
data directory in it. Linux only: elsewhere a run that is killed leaves them.

`python -I -S tests/guardian.py FOLDER` waits until its parent ends. It imports Python's own library only, to be quick.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
DATA_DIRECTORY_LOCK = "postmaster.pid"  # in each data directory of PostgreSQL, which is its server's working directory
SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_TO_END = 5.0  # at SIGTERM, before SIGKILL


def end_all(folder: Path) -> list[str]:
    """End the processes of a run, by SIGTERM and those that stay by SIGKILL, and return the command of each."""
    ended: dict[int, str] = {}
    for sent in (signal.SIGTERM, signal.SIGKILL):
        told: set[int] = set()
        deadline = time.monotonic() + SECONDS_TO_END
        while (found := set(_processes_of(folder))) and time.monotonic() < deadline:
            for pid in found - told:
                ended.setdefault(pid, _command(pid))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sent)
            told |= found
            time.sleep(SECONDS_BETWEEN_LOOKS)
    return list(ended.values())


def _processes_of(folder: Path) -> Iterator[int]:
    for process in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if int(process.name) != os.getpid() and (_inherits(process, folder) or _serves_from(process, folder)):
                yield int(process.name)


def _inherits(process: Path, folder: Path) -> bool:
    temporary = f"TMPDIR={folder}".encode()
    variables = (process / "environ").read_bytes().split(b"\0")
    return any(one == temporary or one.startswith(temporary + b"/") for one in variables)


def _serves_from(process: Path, folder: Path) -> bool:
    working = (process / "cwd").readlink()
    return working.is_relative_to(folder) and (working / DATA_DIRECTORY_LOCK).exists()


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return str(pid)


def main(folder: Path) -> None:
    """Wait until the run has ended; end what is left of it, and remove its folder."""
    run = os.getppid()
    while os.getppid() == run:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    end_all(folder)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
