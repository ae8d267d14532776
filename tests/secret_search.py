"""Looks for secrets in all files below a directory, file by file; only the names of those that have one are kept."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import IO

CHUNK = 1 << 20  # bytes
# Programs of hundreds of megabytes each, which nobody writes to.
LEFT_OUT = "providers"


def found_below(directory: Path, secrets: Mapping[str, str]) -> dict[str, list[str]]:
    """The files that have each secret, by the secret's name.

    Zips are unpacked: what is compressed is not found otherwise. A file with several names is read once. Links are not
    followed.

    Raises:
        ValueError: a secret is empty, and so would be everywhere.
    """
    if not all(secrets.values()):
        raise ValueError("an empty secret would be found in every file")
    sought = {name: secret.encode() for name, secret in secrets.items()}
    found: dict[str, list[str]] = {name: [] for name in secrets}
    for path in _files_below(directory):
        for name in _among(path, sought):
            found[name].append(str(path.relative_to(directory)))
    return found


def _files_below(directory: Path) -> Iterator[Path]:
    seen = set()
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink() and LEFT_OUT not in path.parts:
            inode = (path.stat().st_dev, path.stat().st_ino)
            if inode not in seen:
                seen.add(inode)
                yield path


def _among(path: Path, sought: Mapping[str, bytes]) -> set[str]:
    with path.open("rb") as file:
        found = _in_stream(file, sought)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as zipped:
            for member in zipped.infolist():
                with zipped.open(member) as unpacked:
                    found |= _in_stream(unpacked, sought)
    return found


def _in_stream(stream: IO[bytes], sought: Mapping[str, bytes]) -> set[str]:
    kept = max(map(len, sought.values()), default=1) - 1  # a secret may lie across two chunks
    found, before = set(), b""
    while chunk := stream.read(CHUNK):
        text = before + chunk
        found |= {name for name, secret in sought.items() if secret in text}
        before = text[-kept:] if kept else b""
    return found


def found_in(texts: Mapping[str, str], secrets: Collection[str]) -> list[str]:
    """The names of those texts that have one of the secrets."""
    return [name for name, text in texts.items() if any(secret in text for secret in secrets)]
