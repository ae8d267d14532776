"""`make mutate ARGS=--python`: draws changes of code, lets tests judge them, and shows the score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.mutation.changes import sample
from tests.mutation.code.changes import CodeChange, changes_of_file, files
from tests.mutation.code.equivalents import is_equivalent
from tests.mutation.code.judging import judge
from tests.mutation.verdict import Score, Verdict, by_kind, score


def drawn(*, share: float, seed: int, kind: str | None, under: str) -> list[CodeChange]:
    """A share of the changes of each kind, of the files whose path has ``under`` in it."""
    changes = [change for file in files() if under in file for change in changes_of_file(file)]
    return sample([change for change in changes if not is_equivalent(change)], share=share, seed=seed, kind=kind)


def judged(changes: Sequence[CodeChange], *, seconds: float, rounds: int) -> list[Verdict]:
    """The verdicts; each change that nobody notices is printed as soon as that is known."""
    verdicts = []
    in_order = sorted(changes, key=lambda change: (change.file, change.start))
    for verdict in judge(in_order, seconds=seconds, rounds=rounds):
        verdicts.append(verdict)
        if not verdict.noticed_by:
            print(f"not noticed: {verdict.change}", flush=True)
    return verdicts


def show(verdicts: Sequence[Verdict]) -> None:
    """The table."""
    print(f"{'changes of code':32s}{score(verdicts)}")
    for name, one in (*by_kind(verdicts), *_by_file(verdicts)):
        print(f"  {name:60s}{one}")


def _by_file(verdicts: Sequence[Verdict]) -> Iterator[tuple[str, Score]]:
    changed: list[tuple[str, Verdict]] = [
        (one.change.file, one) for one in verdicts if isinstance(one.change, CodeChange)
    ]
    for file in sorted({file for file, _ in changed}):
        yield file, score([one for name, one in changed if name == file])
