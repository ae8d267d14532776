"""Packaging of a Lambda function's folder as a zip with the same bytes on every machine, so that no plan changes.

A folder has handler.py and other files that the function reads. Two files name content from elsewhere:

- requirements.txt, the packages of an index: each locked by version and hash (`--hash=sha256:...`), with its
  dependencies. Wheels are unpacked for the function's own platform, never built. Vendored packages are cached in
  .cache/functions by the hash of the lock, so that the next run needs no network.
- packages.txt, code that the function shares with other programs of this repository: a line for each folder or file, by
  its path from the root. It is added to the zip under its last name: with the line `services/payments/money` the
  handler imports it with `import money`. A file of shared/ keeps its path, as all programs import it by the same name
  and find its data beside it: with the line `shared/metric_names.py` the handler imports it with
  `from shared import metric_names`. Empty lines and comments after `#` are ignored.
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

REPOSITORY = Path(__file__).parents[1]
FUNCTIONS = REPOSITORY / "lambda"
CACHE = REPOSITORY / ".cache" / "functions"
REQUIREMENTS = "requirements.txt"
PACKAGES = "packages.txt"
SHARED = "shared"
PYTHON_VERSION = "3.13"
# The runtime has glibc 2.34 (Amazon Linux 2023); a wheel is named after the oldest that it runs with. pip takes the
# names literally, and no single one is used by all packages.
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
FIRST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows
READABLE_BY_ALL = 0o100644  # a regular file; Lambda runs as a user of its own
UNIX = 3
# Metadata of an installation: source, installer, and hashes of files that are left out.
ABOUT_THE_INSTALLATION = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


class PackagingFailed(Exception):
    """A function's zip cannot be created. The message names the function and the reason."""


def package(folder: Path, archive: Path, cache: Path = CACHE, repository: Path = REPOSITORY) -> Path:
    """Write the zip of the function in ``folder`` to ``archive``, and return it.

    Args:
        folder: such as ``FUNCTIONS / "smoke_test"``.
        archive: its folder is created if missing; an existing file is replaced.
        cache: folder of vendored packages.
        repository: root of the paths in packages.txt.

    Raises:
        PackagingFailed: there is no handler, packages cannot be downloaded, packages.txt names a missing file, or
            a file comes from two sources.
    """
    if not (folder / "handler.py").is_file():
        raise PackagingFailed(f"{folder.name}: no handler.py")
    files = dict(_files(folder))
    requirements = files.pop(REQUIREMENTS, None)
    packages = files.pop(PACKAGES, None)
    if packages:
        files = _together(folder, files, _of_the_repository(packages, repository), "of the repository's packages")
    vendored = _vendored(requirements, cache) if requirements else None
    contents = _digest_of(files, vendored)
    if not (archive.is_file() and _made(archive)[0] == contents):
        if vendored:
            files = _together(folder, files, dict(_of_packages(vendored)), "of a vendored package")
        archive.parent.mkdir(parents=True, exist_ok=True)
        _write(files, archive, contents)
    return archive


def sha256_of(archive: Path) -> bytes:
    """The digest of a zip that `package` created."""
    return bytes.fromhex(_made(archive)[1])


def _digest_of(files: Mapping[str, Path], vendored: Path | None) -> str:
    """Digest of a zip's sources and of this code. A folder of vendored packages is named by its lock and immutable."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update(vendored.name.encode() if vendored else b"")
    for name in sorted(files):
        digest.update(f"\0{name}\0".encode() + hashlib.sha256(files[name].read_bytes()).digest())
    return digest.hexdigest()


def _made(archive: Path) -> tuple[str, str]:
    """Digest of the sources of an existing zip, and its own digest; empty if unknown."""
    try:
        contents, own = _about(archive).read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return "", ""
    return contents, own


def _about(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.made")


def _together(folder: Path, files: Mapping[str, Path], more: Mapping[str, Path], whose: str) -> dict[str, Path]:
    if both := sorted(files.keys() & more.keys()):
        raise PackagingFailed(f"{folder.name}: {', '.join(both)} is a file {whose}, too")
    return {**files, **more}


def _of_the_repository(packages: Path, repository: Path) -> dict[str, Path]:
    """The files that packages.txt names, by their names in the zip."""
    function = packages.parent
    found: dict[str, Path] = {}
    for line in packages.read_text(encoding="utf-8").splitlines():
        name = line.partition("#")[0].strip()
        if not name:
            continue
        path = (repository / name).resolve()
        if not path.exists() or repository.resolve() not in path.parents:
            raise PackagingFailed(f"{function.name}: {PACKAGES}: {name!r} is no folder or file of this repository")
        within = f"{SHARED}/" if path.parent == repository.resolve() / SHARED else ""
        inner = {f"{path.name}/{file}": at for file, at in _files(path)} if path.is_dir() else {path.name: path}
        named = {f"{within}{file}": at for file, at in inner.items()}
        found = _together(function, found, named, f"of another line of {PACKAGES}")
    package = f"{SHARED}/__init__.py"
    if any(name.startswith(f"{SHARED}/") for name in found) and (repository / package).is_file():
        found.setdefault(package, repository / package)
    return found


def _write(files: Mapping[str, Path], archive: Path, contents: str) -> None:
    """Store the files in the order of their names. They are not compressed, as zlib's output differs by version.

    ``contents`` is the digest of the sources, which is stored next to the zip, so that an unchanged zip is reused.
    """
    partial = archive.with_name(f"{archive.name}.{os.getpid()}")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as zipped:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, FIRST_ZIP_TIME)
            entry.external_attr = READABLE_BY_ALL << 16
            entry.create_system = UNIX
            zipped.writestr(entry, files[name].read_bytes())
    own = hashlib.sha256(partial.read_bytes()).hexdigest()
    _about(archive).unlink(missing_ok=True)  # not to speak of another zip, if this ends half-way
    partial.replace(archive)
    partial.write_text(f"{contents} {own}\n", encoding="utf-8")
    partial.replace(_about(archive))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files by their names in the zip, without byte code and hidden files."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
        if path.is_file() and not hidden and path.suffix != ".pyc":
            yield name.as_posix(), path


def _of_packages(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files of vendored packages, without those that depend on the installation folder."""
    for name, path in _files(folder):
        first, _, last = name.partition("/")
        record = first.endswith(".dist-info") and last in ABOUT_THE_INSTALLATION
        # bin holds the commands of packages, with the path of the Python that unpacked them.
        if not record and first != "bin":
            yield name, path


def _vendored(requirements: Path, cache: Path) -> Path:
    """The folder with the packages of a lock; pip is run only if it does not exist."""
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
        raise PackagingFailed(f"{requirements.parent.name}: its packages cannot be had:\n{result.stderr.strip()}")


def _move(target: Path, kept: Path) -> None:
    """Move the finished result to its name atomically; another process may have done the same first."""
    try:
        target.rename(kept)
    except OSError:
        if not kept.is_dir():
            raise
        shutil.rmtree(target)
