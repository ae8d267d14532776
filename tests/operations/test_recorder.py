"""What a test run records for `make requirements`, in one process and in several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TESTS = """
import pytest

@pytest.mark.requirement("W0.1")
def test_good(): pass

@pytest.mark.requirement("W0.2", "W0.3")
def test_bad(): assert False

@pytest.fixture
def broken():
    yield
    raise OSError

@pytest.mark.requirement("W0.4")
def test_bad_at_its_end(broken): pass

def test_of_no_row(): pass

@pytest.mark.lifecycle
def test_that_comes_first(): pass
"""


def recorded(folder: Path, *options: str) -> tuple[dict[str, tuple[list[str], bool]], str]:
    """What a run of these tests with the project's own conftest records, and what it said."""
    (folder / "conftest.py").write_text(
        "from pathlib import Path\n"
        "from operations import evidence\n"
        f"evidence.record.__kwdefaults__['path'] = Path({str(folder / 'outcomes.json')!r})\n"
        "evidence.PROJECT = Path(__file__).parent\n"
        "from tests.conftest import *\n"
    )
    (folder / "test_some.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-v", "--rootdir", str(folder), "-c", str(REPOSITORY / "pyproject.toml")]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", *options, str(folder)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    outcomes = json.loads((folder / "outcomes.json").read_text())
    return {one["test"].partition("::")[2]: (one["rows"], one["passed"]) for one in outcomes}, done.stdout


@pytest.mark.parametrize("options", [(), ("-n", "2", "--dist", "loadfile")])
def test_each_test_of_a_row_is_recorded_with_what_it_said(tmp_path: Path, options: tuple[str, ...]) -> None:
    outcomes, _ = recorded(tmp_path, *options)
    assert outcomes == {
        "test_good": (["W0.1"], True),
        "test_bad": (["W0.2", "W0.3"], False),
        "test_bad_at_its_end": (["W0.4"], False),
    }


def test_the_longest_tests_come_first(tmp_path: Path) -> None:
    _, said = recorded(tmp_path)
    order = [
        line.split("::")[1].split(" ")[0] for line in said.splitlines() if "test_some.py::" in line and "%]" in line
    ]
    assert order[0] == "test_that_comes_first"
