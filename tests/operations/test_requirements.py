"""The table of requirements: rows, what keeps them, what proves them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from operations.outcome import Failed
from operations.project import evidence, requirements
from operations.project.evidence import Outcome, is_below
from operations.project.requirements import Row, as_markdown, look_at, read_rows

ROWS = "## W\n- W1.1 First.\n- W1.2 Second: with `code`.\n- W10.1 Tenth.\n- not a row\n"


def outcome(test: str, *rows: str, passed: bool = True) -> Outcome:
    return Outcome(test=test, rows=rows, passed=passed)


def test_rows_are_read_in_their_order() -> None:
    assert [(row.id, row.promise) for row in read_rows(ROWS)] == [
        ("W1.1", "First."),
        ("W1.2", "Second: with `code`."),
        ("W10.1", "Tenth."),
    ]


def test_every_row_of_the_project_is_read() -> None:
    rows = {row.id for row in read_rows(requirements.ROWS.read_text())}
    assert {"W0.1", "W9.1", "P1.1", "P6.4", "Q1"} <= rows


@pytest.mark.parametrize(
    ("row", "chosen", "expected"),
    [
        ("W1.1", ["W1"], True),
        ("W1.1", ["W1.1"], True),
        ("W10.1", ["W1"], False),
        ("W1.10", ["W1.1"], False),
        ("W1.1", ["P1", "W1"], True),
    ],
)
def test_a_prefix_names_all_rows_below_it(row: str, chosen: list[str], expected: bool) -> None:
    assert is_below(row, chosen) is expected


def test_a_row_is_ok_with_a_resource_and_only_passing_tests() -> None:
    resource = Counter({"aws_vpc": 2})
    assert Row("W1", "p", resource, [outcome("t", "W1")]).line == "W1  tested  2 resources  1 tests"
    assert Row("W1", "p", resource, []).state == "no test"
    assert Row("W1", "p", Counter(), [outcome("t", "W1")]).state == "no resource"
    assert Row("W1", "p", resource, [outcome("t", "W1"), outcome("u", "W1", passed=False)]).state == "failed"


def test_resources_and_tests_come_to_the_rows_that_they_name() -> None:
    rows = read_rows(ROWS)
    look_at(rows, {"W1.1": Counter({"aws_vpc": 1})}, [outcome("t", "W1.1", "W1.2")])
    assert [row.line for row in rows] == [
        "W1.1  tested  1 resources  1 tests",
        "W1.2  no resource  0 resources  1 tests",
        "W10.1  no test  0 resources  0 tests",
    ]
    page = as_markdown(rows)
    assert "| W1.1 | First. | tested |" in page
    assert "| W1.2 | Second: with `code`. | no resource |" in page


def test_long_lists_are_folded_behind_their_count() -> None:
    few, many = ([outcome(f"tests/unit/test_a.py::t{n}", "W1") for n in range(count)] for count in (3, 4))
    resources = Counter({"aws_vpc": 1})
    page = as_markdown([Row("W1", "p", resources, few), Row("W2", "p", Counter({"a": 9}), [])])
    assert "| unit/test_a.py::t0<br>unit/test_a.py::t1<br>unit/test_a.py::t2 |" in page
    page = as_markdown([Row("W1", "p", resources, many), Row("W2", "p", Counter({"a": 9}), [])])
    assert "| <details><summary>4 tests</summary>unit/test_a.py::t0<br>" in page


def test_test_without_a_requirement_is_named() -> None:
    with pytest.raises(Failed, match="t proves 'W99', which is no row"):
        look_at(read_rows(ROWS), {}, [outcome("t", "W99")])


def test_outcomes_are_kept_over_runs_except_of_removed_tests(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "outcomes.json"
    here, gone = "tests/operations/test_requirements.py", "tests/unit/test_gone.py"
    first = [outcome(f"{here}::a", "W1"), outcome(f"{here}::b", "W1"), outcome(f"{gone}::c", "W1")]
    evidence.record(first, collected=[one.test for one in first], path=file)
    evidence.record([outcome(f"{here}::a", "W1", passed=False)], collected=[f"{here}::a"], path=file)
    assert [(one.test, one.passed) for one in evidence.read(file)] == [(f"{here}::a", False)]
    evidence.record([], collected=["tests/unit/test_keys.py::x"], path=file)
    assert [one.test for one in evidence.read(file)] == [f"{here}::a"]  # another file's run says nothing of it


def test_an_unknown_row_is_refused_in_one_line() -> None:
    app = Typer()
    app.command()(requirements.requirements)
    ended = CliRunner().invoke(app, ["--rows", "W99"])
    assert ended.exit_code == 2
    assert "'W99' is not allowed" in ended.stderr
