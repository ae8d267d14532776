"""The pages of faults: each fault of each review has an end, and the tests of its kind exist."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGES: dict[str, dict[str, list[int | str]]] = {
    "platform-faults.md": {
        "compute": [*range(1, 11), 12, 13, 15],
        "data": [*range(1, 8), 9, 10, 11, *range(13, 20), *range(22, 25)],
        "edge": [*range(1, 15), 16, 17, *range(19, 23)],
    },
    "command-faults.md": {"command": [*range(1, 5), *range(6, 17), *(f"17{part}" for part in "abcdefghijklmn")]},
    "payments-service-faults.md": {"service": [*range(1, 16)]},
}
"""The numbers that each review has given, by the page that has its faults."""
OUTCOMES = ("Mended", "Refused: ", "Decided by an account: ", "Open: ")


@dataclass(frozen=True)
class Row:
    """A row of the page."""

    id: str
    fault: str
    outcome: str
    tests: tuple[str, ...]


def rows(page: str) -> list[Row]:
    """Those of all tables of a page."""
    text = (PROJECT / "docs" / page).read_text(encoding="utf-8")
    cells = [
        [one.strip() for one in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")
    ]
    return [
        Row(id_, fault, outcome, () if tests.strip(" |") == "-" else tuple(tests.strip(" |").split("<br>")))
        for id_, fault, outcome, tests in cells
        if re.match(r"\w+ \d", id_)
    ]


ROWS = [row for page in PAGES for row in rows(page)]


@pytest.mark.parametrize("page", PAGES)
def test_every_fault_of_each_review_has_a_row_and_no_other(page: str) -> None:
    expected = [f"{review} {number}" for review, numbers in PAGES[page].items() for number in numbers]
    assert [one.id for one in rows(page)] == expected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_fault_has_an_end_and_the_tests_of_its_law(row: Row) -> None:
    assert row.outcome.startswith(OUTCOMES), row
    assert row.tests or not row.outcome.startswith("Mended"), "what is mended has a law"
    for test in row.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (PROJECT / "tests" / file).read_text(encoding="utf-8"), test
