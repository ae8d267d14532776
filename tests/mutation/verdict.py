"""What came of a change, and the score of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


class Change(Protocol):
    """A change of what is synthesized (tests/mutation/changes.py) or of code (tests/mutation/code/changes.py)."""

    @property
    def kind(self) -> str:
        """What is changed."""

    @property
    def security(self) -> bool:
        """Whether it bears on security."""


@dataclass(frozen=True)
class Verdict:
    """A change, and the law or test that notices it first; none where it is not noticed."""

    change: Change
    noticed_by: str | None


@dataclass(frozen=True)
class Score:
    """How many of a number of changes were noticed."""

    noticed: int
    made: int

    @property
    def share(self) -> float:
        return self.noticed / self.made if self.made else 1.0

    def __str__(self) -> str:
        return f"{self.noticed:5d} of {self.made:5d}  {self.share:6.1%}"


def score(verdicts: Sequence[Verdict]) -> Score:
    """The score of all."""
    return Score(sum(one.noticed_by is not None for one in verdicts), len(verdicts))


def by_kind(verdicts: Sequence[Verdict]) -> Iterator[tuple[str, Score]]:
    """The score of each kind, by name."""
    for kind in sorted(Counter(one.change.kind for one in verdicts)):
        yield kind, score([one for one in verdicts if one.change.kind == kind])
