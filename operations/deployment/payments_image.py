"""The contents of the payments service's image, made on this machine as its Dockerfile makes them.

There is no Docker here: the packages are those of requirements.txt for this machine's Python, the copies and the rest
are read in the Dockerfile. What is made lies in ``.cache/images`` under a name of its own for each content, so that a
rehearsal and its tests install it once.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from emulator.runtime.tasks.image import Image
from operations.project_root import PROJECT

SERVICE = PROJECT / "services" / "payments"
DOCKERFILE = SERVICE / "Dockerfile"
REQUIREMENTS = SERVICE / "requirements.txt"
INSTALLED = "/install"
"""The folder of the stage ``packages`` that the last stage copies."""
WHERE = "/app"
PYTHON = "/image/bin/python"
PATH = "/image/bin:/usr/local/bin:/usr/bin:/bin"


def image() -> Image:
    """The image, installed on this machine if it is not yet.

    Raises:
        subprocess.CalledProcessError: a package could not be installed; pip has said why.
    """
    last = DOCKERFILE.read_text(encoding="utf-8").rpartition("\nFROM ")[2].replace("\\\n", " ")
    modes = {path: int(mode, 8) for mode, path in re.findall(r"^RUN chmod ([0-7]+) (/\S+)$", last, re.MULTILINE)}
    return Image(
        folders={WHERE: str(installed())},
        entrypoint=tuple(json.loads(_said(last, "ENTRYPOINT"))),
        command=tuple(json.loads(_said(last, "CMD"))),
        environment={"PATH": PATH, **dict(one.split("=", 1) for one in _said(last, "ENV").split())},
        directory=_said(last, "WORKDIR"),
        user=int(_said(last, "USER").partition(":")[0]),
        volumes={path: modes.get(path, 0o755) for path in json.loads(_said(last, "VOLUME"))},
        trusted=tuple(re.findall(r"^ADD \S+ https://truststore\S+ (/\S+)$", last, re.MULTILINE)),
        python=PYTHON,
    )


def installed() -> Path:
    """The folder with what the stage ``packages`` installs, for this machine."""
    return made("payments", _digest(DOCKERFILE, REQUIREMENTS, *sorted(_sources())), _copy)


def copies() -> list[tuple[list[str], str]]:
    """What the Dockerfile copies into the packages: the paths in the repository, and where they go."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    found = re.findall(rf"^COPY (?!--)(.+) ({INSTALLED}/\S+)$", text, re.MULTILINE)
    return [(sources.split(), target) for sources, target in found]


def made(name: str, digest: str, make: Callable[[Path], None]) -> Path:
    """The folder of this name and content in ``.cache/images``; made there if it is not yet."""
    folder = PROJECT / ".cache" / "images" / f"{name}-{digest[:16]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="installing-") as scratch:
        made = Path(scratch) / "install"
        make(made)
        made.chmod(0o755)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was quicker
                raise
    return folder


def _install(folder: Path) -> None:
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "-qq", "--no-compile", "--no-deps", "--only-binary=:all:",
            "--require-hashes", f"--target={folder}", "-r", str(REQUIREMENTS),
        ],
        check=True,
    )  # fmt: skip
    _compile(folder)


def _copy(folder: Path) -> None:
    """The packages, which change seldom, and what the repository has besides."""
    shutil.copytree(made("packages", _digest(REQUIREMENTS), _install), folder, copy_function=os.link)
    for sources, target in copies():
        place = folder / target.removeprefix(f"{INSTALLED}/")
        for source in sources:
            if (PROJECT / source).is_dir():
                shutil.copytree(PROJECT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(PROJECT / source, place)
        _compile(place)


def _compile(folder: Path) -> None:
    arguments = ["-m", "compileall", "-q", "--invalidation-mode=unchecked-hash", str(folder)]
    subprocess.run([sys.executable, *arguments], check=True)


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256(f"{sys.version}{os.uname().machine}".encode())
    for path in paths:
        digest.update(str(path.relative_to(PROJECT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    for sources, _ in copies():
        for source in sources:
            path = PROJECT / source
            found = path.rglob("*") if path.is_dir() else [path]
            yield from (one for one in found if one.is_file() and "__pycache__" not in one.parts)


def _said(stage: str, instruction: str) -> str:
    (found,) = re.findall(rf"^{instruction} (.+)$", stage, re.MULTILINE)
    return str(found)
