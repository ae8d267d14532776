"""Reasons why there is something that no rehearsal needs, in tables that a person keeps."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

UNUSED, REASON = "unused", "reason"
Thing = TypeVar("Thing")


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why things are there, whose members match all of these patterns."""

    patterns: Mapping[str, str]
    reason: str

    def covers(self, **members: str) -> bool:
        """Whether it speaks of a thing with these members."""
        return all(fnmatchcase(members[name], pattern) for name, pattern in self.patterns.items())

    def __str__(self) -> str:
        """Of which things, as the file says it."""
        return ": ".join(self.patterns.values())


def read_reasons(file: Path) -> list[Reason]:
    """The reasons in a file."""
    tables: list[dict[str, str]] = tomllib.loads(file.read_text(encoding="utf-8"))[UNUSED]
    return [
        Reason(patterns={name: value for name, value in one.items() if name != REASON}, reason=one[REASON])
        for one in tables
    ]


def sample(things: Sequence[Thing], share: float, seed: int) -> list[Thing]:
    """A ``share`` (0 to 1) of things, chosen by ``seed``."""
    return random.Random(seed).sample(things, round(len(things) * share))  # noqa: S311 (a sample, no secret)
