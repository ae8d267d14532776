"""The parts of the platform's life: each is played once a run, by the process whose test asks for it first.

What came of a part is kept in the run's own folder, with all that it said and the record of its local AWS, so that
tests of several files and processes look at one deployment (tests/temporary.py ends the folder and what runs there).
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import pickle
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from emulator import process
from emulator.process import Server
from operations.deployment.local import LocalDeployment
from tests import costs
from tests.temporary import PARTS

Outcome = TypeVar("Outcome")
SCREEN = "screen.txt"
WIDTH = 160  # characters


@dataclass(frozen=True)
class _Failure:
    text: str


def played(name: str, play: Callable[[Path, Console], Outcome]) -> Outcome:
    """What came of a part: played now, or before by whichever process; others wait for it meanwhile.

    Args:
        name: of the part, and of its directory.
        play: is given a directory and a console, and returns what tests look at (which must be picklable).
    """
    with _locked(name):
        kept = place() / f"{name}.pickle"
        if not kept.exists():
            kept.write_bytes(pickle.dumps(_ended(place() / name, play)))
        ended: Outcome | _Failure = pickle.loads(kept.read_bytes())
    if isinstance(ended, _Failure):
        raise AssertionError(f"{name} failed:\n{ended.text}")  # also for those who asked later
    return ended


def place() -> Path:
    """The folder of all parts of this run."""
    folder = Path(tempfile.gettempdir()) / PARTS
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def played_parts() -> list[str]:
    """The names of the parts that have been played."""
    return sorted(path.stem for path in place().glob("*.pickle"))


def screen(name: str) -> str:
    """All that a part that has been played said."""
    return (place() / name / SCREEN).read_text(encoding="utf-8")


@contextlib.contextmanager
def forked(deployed: Server, directory: Path, console: Console) -> Iterator[tuple[LocalDeployment, Server]]:
    """The deployed platform for one part alone, which may change or destroy it; its record begins here."""
    deployment = LocalDeployment(console, directory)
    if sys.platform != "linux":  # where a process with threads is not forked
        deployment.deploy(process.free_port())
        found = process.find(directory)
        assert found is not None
        server = found
    else:
        with _locked("fork"):  # one that is under way refuses another
            server = process.fork(deployed, directory)
        for name in ("cdktf.out", "terraform"):
            (directory / name).symlink_to(deployed.directory / name)
    try:
        yield deployment, server
    finally:
        costs.add(server.pid)
        process.stop(server)


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    with (place() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ended(directory: Path, play: Callable[[Path, Console], Any]) -> Any:
    directory.mkdir()
    said = io.StringIO()
    try:
        return play(directory, Console(file=said, width=WIDTH))
    except Exception:  # noqa: BLE001 - it is raised for each test that looks at the part
        return _Failure(f"{said.getvalue()}\n{traceback.format_exc()}")
    finally:
        (directory / SCREEN).write_text(said.getvalue(), encoding="utf-8")
