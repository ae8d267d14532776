"""What tests synthesize is kept on disk: the next process that wants it from the same sources and settings reads it.

A synthesis takes 3 s of processor in a process that has made none before, and the unit tests want some fifty. Each is
kept under .cache/syntheses by a digest of all that it reads; tests/suite/test_kept.py holds SOURCES against the files
that a synthesis opens. `pytest --anew` begins with none, as CI does.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
CACHE = PROJECT / ".cache" / "syntheses"
# What a synthesis reads of the project. What it reads elsewhere (Python's and Node's packages) the locks name.
SOURCES = (
    "modules",
    "stacks",
    "settings",
    "synthesis",
    "lambda",
    "shared",
    "services/payments",
    "tests/backups.py",
    "tests/kept.py",
    "tests/synthesized.py",
    "Pipfile.lock",
    "package-lock.json",
)
MOST_DIGESTS = 3  # of sources, the last used: of each there are some fifty syntheses of 2 MB


def directory_of(kind: str, key: str, synthesize: Callable[[Path], None]) -> Path:
    """The directory into which ``synthesize`` has written, now or earlier. Nobody may write into it.

    Args:
        kind: what is synthesized, for those who look into the cache.
        key: all that it depends on beside the sources.
        synthesize: writes into the directory that it is given.
    """
    sources = CACHE / digest_of_sources()
    directory = sources / f"{kind}-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    with _locked(directory):
        if not directory.exists():
            unfinished = directory.with_suffix(f".{os.getpid()}")
            try:
                synthesize(unfinished)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
            if _digest_of_sources() != sources.name:
                return unfinished  # somebody has edited them meanwhile: it is nobody's but this process's
            unfinished.rename(directory)
    return directory


def forget() -> None:
    """Remove all that was kept."""
    shutil.rmtree(CACHE, ignore_errors=True)


@functools.cache
def digest_of_sources() -> str:
    """A digest of all sources, as they were when this process first asked."""
    found = _digest_of_sources()
    (CACHE / found).mkdir(parents=True, exist_ok=True)
    os.utime(CACHE / found)
    by_use = sorted((path for path in CACHE.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in by_use[:-MOST_DIGESTS]:
        shutil.rmtree(path, ignore_errors=True)
    return found


def files_of_sources() -> Iterator[Path]:
    """The files that the digest is of."""
    for name in SOURCES:
        place = PROJECT / name
        yield from [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())


def _digest_of_sources() -> str:
    found = hashlib.sha256(sys.version.encode())
    for path in files_of_sources():
        if "__pycache__" not in path.parts:
            found.update(f"\0{path.relative_to(PROJECT)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:32]


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One process at a time makes a directory; the others wait for it."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# Asked at once, so that it is of those sources that this process imports.
digest_of_sources()
