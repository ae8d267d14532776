"""The gate in front of checkov: what it lets through and what not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from policy.hcl import with_bare_calls, without_nulls
from policy.scan import Gate, Skip


def report(*, failed: list[tuple[str, str]] = (), passed: list[str] = ()) -> dict[str, Any]:  # type: ignore[assignment]
    return {
        "results": {
            "failed_checks": [{"check_id": c, "resource": r, "check_name": "name"} for c, r in failed],
            "passed_checks": [{"check_id": c, "resource": "x"} for c in passed],
        }
    }


GATE = Gate(
    must_pass=frozenset({"A"}), skips=(Skip(check="B", resources=re.compile(r"aws_x\..*_logs"), reason="because"),)
)
COVERED = ("B", "aws_x.primary_logs")


def test_skip_with_a_reason_passes() -> None:
    assert GATE.problems(report(failed=[COVERED], passed=["A"])) == []


@pytest.mark.parametrize(
    "finding", [("C", "aws_x.primary_logs"), ("B", "aws_x.primary_other"), ("B", "aws_x.a_logs_b")]
)
def test_another_check_or_resource_does_not(finding: tuple[str, str]) -> None:
    assert [line[:2] for line in GATE.problems(report(failed=[COVERED, finding], passed=["A"]))] == [finding]


def test_a_skip_that_nothing_needs_is_a_problem() -> None:
    assert [line[0] for line in GATE.problems(report(passed=["A"]))] == ["B"]


def test_check_that_ran_on_no_resource_is_a_problem() -> None:
    assert [line[0] for line in GATE.problems(report(failed=[COVERED]))] == ["A"]


def test_every_skip_has_a_reason_and_no_check_is_both_skipped_and_required() -> None:
    gate = Gate.read()
    assert all(len(skip.reason) > 20 for skip in gate.skips)
    assert not {skip.check for skip in gate.skips} & gate.must_pass


def test_nulls_are_left_out_and_nothing_else() -> None:
    assert without_nulls('a {\n  b = null\n  c = "x = null"\n  d = 1\n}\n') == 'a {\n  c = "x = null"\n  d = 1\n}\n'


def test_calls_lose_their_quotes_and_nothing_else_does() -> None:
    """Checkov reads nothing of a file in which one attribute is a call with strings in quotes of its own."""
    call = 'jsonencode([{"name" = "web", "host" = aws_rds_cluster.x.endpoint}])'
    assert with_bare_calls(f'a {{\n  b = "${{{call}}}"\n}}\n') == f"a {{\n  b = {call}\n}}\n"
    kept = 'a {\n  b = "${aws_vpc.x.id}"\n  c = "x ${jsonencode([])} y"\n}\n'
    assert with_bare_calls(kept) == kept
