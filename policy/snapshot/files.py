"""The files of docs/snapshot: what they are to be, what they are, and how they differ."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from operations.project_root import PROJECT
from policy.closed_world.worlds import PAYMENT_API, PLATFORM
from policy.snapshot import text
from policy.snapshot.blocks import Blocks

FOLDER = PROJECT / "docs" / "snapshot"
ENVIRONMENTS = ("local", "staging", "production")


class Place(NamedTuple):
    """The folder of a world's files, and the environment that is whole there: what the others differ from least."""

    folder: str
    whole: str


PLACES = {PLATFORM: Place("platform", "production"), PAYMENT_API: Place("payment-api", "staging")}


def expected(world: str, environments: Mapping[str, Blocks]) -> dict[str, str]:
    """The text of each file of a world, by its path within the world's folder."""
    base = PLACES[world].whole
    files = {f"{noun}.txt": one for noun, one in text.whole(environments[base]).items()}
    for name in environments.keys() - {base}:
        differences = text.differences(environments[base], environments[name])
        files |= {f"{name}/{noun}.txt": one for noun, one in differences.items()}
    return files


def committed(world: str, folder: Path = FOLDER) -> dict[str, str]:
    """The text of each file that is there."""
    own = folder / PLACES[world].folder
    return {str(path.relative_to(own)): path.read_text(encoding="utf-8") for path in own.rglob("*.txt")}


def write(world: str, files: Mapping[str, str], folder: Path = FOLDER) -> None:
    """Make the files of a world these, and no others."""
    own = folder / PLACES[world].folder
    for name in committed(world, folder).keys() - files.keys():
        (own / name).unlink()
    for name, one in files.items():
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(one, encoding="utf-8")


def difference(there: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[str]:
    """The lines of a diff from the files that are there to those that are wanted."""
    for name in sorted(there.keys() | wanted.keys()):
        before, after = (files.get(name, "").splitlines() for files in (there, wanted))
        yield from difflib.unified_diff(before, after, name, name, n=2, lineterm="")
