"""Evidence for requirement rows: the last outcome of every test that names a row.

The test run records it (tests/conftest.py), `make requirements` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from operations.project_root import PROJECT

OUTCOMES = PROJECT / ".cache" / "test-outcomes.json"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Outcome of a test's last run."""

    test: str
    rows: tuple[str, ...]
    passed: bool


def is_below(row: str, chosen: Iterable[str]) -> bool:
    """Whether a row is one of those chosen, or below one: W4.3 is below W4, W10 is not below W1."""
    return any(row == prefix or row.startswith(f"{prefix}.") for prefix in chosen)


def read(path: Path = OUTCOMES) -> list[Outcome]:
    """All outcomes, by the name of the test; none if no test was ever run."""
    if not path.exists():
        return []
    return [
        Outcome(test=one["test"], rows=tuple(one["rows"]), passed=one["passed"]) for one in json.loads(path.read_text())
    ]


def record(new: Iterable[Outcome], *, collected: Collection[str], path: Path = OUTCOMES) -> None:
    """Merge new outcomes into older ones, without those of removed tests.

    ``collected`` is every test of the files of this run: an older outcome of such a file whose test is not among them,
    or of a file that no longer exists, is dropped.
    """
    tests, files = set(collected), {_file(name) for name in collected}
    older = [one for one in read(path) if one.test in tests or _file(one.test) not in files]
    there = {file: (PROJECT / file).exists() for file in {_file(one.test) for one in older}}
    outcomes = {one.test: one for one in older if there[_file(one.test)]}
    outcomes |= {one.test: one for one in new}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([asdict(outcomes[test]) for test in sorted(outcomes)], indent=1) + "\n")


def _file(test: str) -> str:
    return test.partition("::")[0]
