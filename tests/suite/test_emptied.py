"""No vacuous test: on a platform and payment API with nothing in them, what speaks of their resources fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import synthesized
from tests.suite import emptied

REPOSITORY = Path(__file__).parents[2]
FOLDERS = ("unit", "platform", "policy", "payment_api", "iam")
# Who asks for what is synthesized and rightly passes without it, by why.
PASSES = {
    "tests/policy/test_order.py::test_rule_that_no_resource_is_under_is_refused": "its own rule names no resource",
}
LEAST = 700  # tests: fewer are a selection that has gone wrong


@pytest.mark.slow
def test_no_test_of_what_is_synthesized_passes_on_nothing(tmp_path: Path) -> None:
    """Who fails or cannot begin has noticed. Half a minute of processor: nothing is synthesized."""
    report = tmp_path / "report"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "--tb=no", "-r", "N", "-p", "no:cacheprovider"]
    command += ["-p", emptied.__name__, *(f"tests/{folder}" for folder in FOLDERS)]
    variables = os.environ | {emptied.REPORT: str(report)}
    subprocess.run(command, cwd=REPOSITORY, env=variables, capture_output=True, check=False)
    outcomes = [line.split(" ", 1) for line in report.read_text(encoding="utf-8").splitlines()]
    passed = {test for outcome, test in outcomes if outcome == "passed"}
    assert passed - PASSES.keys() == set()
    assert passed >= PASSES.keys(), "an exception that is needed no more"
    assert len({test for _, test in outcomes}) >= LEAST


def test_import_of_the_plugin_changes_no_synthesis_of_this_process() -> None:
    assert synthesized.synthesize is not emptied._synthesize
