"""docs/platform-faults.md: each fault of the three reviews has an end, and the tests of its kind exist."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
REVIEWS = {
    "compute": [*range(1, 11), 12, 13, 15],
    "data": [*range(1, 8), 9, 10, 11, *range(13, 20), *range(22, 25)],
    "edge": [*range(1, 15), 16, 17, *range(19, 23)],
}
"""The numbers that each review has given."""
OUTCOMES = ("Mended", "Refused: ", "Decided by an account: ", "Open: ")


@dataclass(frozen=True)
class Row:
    """A row of the page."""

    id: str
    fault: str
    outcome: str
    tests: tuple[str, ...]


def rows() -> list[Row]:
    """Those of all three tables."""
    text = (PROJECT / "docs/platform-faults.md").read_text(encoding="utf-8")
    cells = [
        [one.strip() for one in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")
    ]
    return [
        Row(id_, fault, outcome, () if tests.strip(" |") == "-" else tuple(tests.strip(" |").split("<br>")))
        for id_, fault, outcome, tests in cells
        if re.match(r"\w+ \d", id_)
    ]


ROWS = rows()


def test_every_fault_of_each_review_has_a_row_and_no_other() -> None:
    expected = [f"{review} {number}" for review, numbers in REVIEWS.items() for number in numbers]
    assert [one.id for one in ROWS] == expected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_fault_has_an_end_and_the_tests_of_its_law(row: Row) -> None:
    assert row.outcome.startswith(OUTCOMES), row
    assert row.tests or not row.outcome.startswith("Mended"), "what is mended has a law"
    for test in row.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (PROJECT / "tests" / file).read_text(encoding="utf-8"), test
