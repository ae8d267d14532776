"""Makes a Lambda function's zip from its folder: the same bytes on every machine, so that no plan changes by itself.

A folder holds handler.py, what else the function reads, and requirements.txt if it needs packages: each locked by
version and hash (`--hash=sha256:...`), with all that it needs itself. Wheels are unpacked for the function's own
platform, never built. What was vendored once is kept in .cache/functions by its lock's hash.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from operations.outcome import Failed

FUNCTIONS = Path(__file__).parents[1] / "lambda"
CACHE = Path(__file__).parents[1] / ".cache" / "functions"
REQUIREMENTS = "requirements.txt"
PYTHON_VERSION = "3.13"
# The runtime has glibc 2.34 (Amazon Linux 2023); a wheel is named after the oldest that it runs with. pip takes the
# names literally, and no single one is used by all packages.
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
FIRST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows
READABLE_BY_ALL = 0o100644  # a regular file; Lambda runs as a user of its own
UNIX = 3
# What an installation says of itself: where from, by whom, and the hashes of files that are left out.
ABOUT_THE_INSTALLATION = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def package(folder: Path, archive: Path, cache: Path = CACHE) -> Path:
    """Write the zip of the function in ``folder`` to ``archive``, and return it.

    Args:
        folder: such as ``FUNCTIONS / "smoke_test"``.
        archive: its folder is made if it does not exist; a file that is there is replaced.
        cache: where vendored packages are kept.

    Raises:
        Failed: there is no handler, the packages cannot be had, or one has a file of the function's own name.
    """
    if not (folder / "handler.py").is_file():
        raise Failed(f"{folder.name}: no handler.py")
    own = dict(_files(folder))
    requirements = own.pop(REQUIREMENTS, None)
    vendored = dict(_of_packages(_vendored(requirements, cache))) if requirements else {}
    if both := sorted(own.keys() & vendored.keys()):
        raise Failed(f"{folder.name}: {', '.join(both)} is a file of a vendored package, too")
    archive.parent.mkdir(parents=True, exist_ok=True)
    _write({**vendored, **own}, archive)
    return archive


def _write(files: Mapping[str, Path], archive: Path) -> None:
    """Store the files in the order of their names. They are not compressed: what zlib makes differs by its version."""
    partial = archive.with_name(f"{archive.name}.{os.getpid()}")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as zipped:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, FIRST_ZIP_TIME)
            entry.external_attr = READABLE_BY_ALL << 16
            entry.create_system = UNIX
            zipped.writestr(entry, files[name].read_bytes())
    partial.replace(archive)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files by their names in the zip, without byte code and what is hidden."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
        if path.is_file() and not hidden and path.suffix != ".pyc":
            yield name.as_posix(), path


def _of_packages(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files of vendored packages, without what depends on where they were unpacked."""
    for name, path in _files(folder):
        first, _, last = name.partition("/")
        record = first.endswith(".dist-info") and last in ABOUT_THE_INSTALLATION
        # bin holds the commands of packages, with the path of the Python that unpacked them.
        if not record and first != "bin":
            yield name, path


def _vendored(requirements: Path, cache: Path) -> Path:
    """The folder with the packages of a lock; pip is asked only if there is none yet."""
    options = [
        *(f"--platform={platform}" for platform in PLATFORMS),
        f"--python-version={PYTHON_VERSION}",
        "--implementation=cp",
        "--only-binary=:all:",
        "--require-hashes",
        "--no-deps",
        "--no-compile",
    ]
    digest = hashlib.sha256("\n".join([*options, requirements.read_text(encoding="utf-8")]).encode()).hexdigest()
    kept = cache / digest
    if kept.is_dir():
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="unfinished-") as unfinished:
        target = Path(unfinished) / "packages"
        _install([*options, f"--target={target}", f"--requirement={requirements}"], requirements)
        _move(target, kept)
    return kept


def _install(options: list[str], requirements: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise Failed(f"{requirements.parent.name}: its packages cannot be had:\n{result.stderr.strip()}")


def _move(target: Path, kept: Path) -> None:
    """Give what is finished its name, in one step; another process may have been quicker, with the same."""
    try:
        target.rename(kept)
    except OSError:
        if not kept.is_dir():
            raise
        shutil.rmtree(target)
