"""What a test run records for `make requirements`, in one process and in several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.skips import LISTED

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

@pytest.mark.requirement("W0.5")
def test_that_is_skipped(): pytest.skip("of no mind to")

def test_of_no_row(): pass
"""


def recorded(folder: Path, *options: str) -> tuple[dict[str, tuple[list[str], bool]], str]:
    """What a run of these tests with the project's own conftest records, and what it said."""
    (folder / "test_some.py").write_text(TESTS)
    code, said = run_in(folder, *options)
    assert code == 1, said
    outcomes = json.loads((folder / "outcomes.json").read_text())
    return {one["test"].partition("::")[2]: (one["rows"], one["passed"]) for one in outcomes}, said


def run_in(folder: Path, *options: str) -> tuple[int, str]:
    """The exit code of a run of the tests in a folder with the project's own conftest, and what it said."""
    (folder / "conftest.py").write_text(
        "from pathlib import Path\n"
        "from operations.project import evidence\n"
        f"evidence.record.__kwdefaults__['path'] = Path({str(folder / 'outcomes.json')!r})\n"
        "evidence.PROJECT = Path(__file__).parent\n"
        "from tests.conftest import *\n"
    )
    command = [sys.executable, "-m", "pytest", "-v", "--rootdir", str(folder), "-c", str(REPOSITORY / "pyproject.toml")]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", *options, str(folder)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("options", [(), ("-n", "1", "--dist", "loadfile")])
def test_each_test_of_a_row_is_recorded_with_its_outcome(tmp_path: Path, options: tuple[str, ...]) -> None:
    outcomes, _ = recorded(tmp_path, *options)
    assert outcomes == {
        "test_good": (["W0.1"], True),
        "test_bad": (["W0.2", "W0.3"], False),
        "test_bad_at_its_end": (["W0.4"], False),
    }


def test_skip_keeps_the_recorded_outcome(tmp_path: Path) -> None:
    recorded(tmp_path)
    before = json.loads((tmp_path / "outcomes.json").read_text())
    passed = {"test": "test_some.py::test_that_is_skipped", "rows": ["W0.5"], "passed": True}
    (tmp_path / "outcomes.json").write_text(json.dumps([*before, passed]))
    outcomes, _ = recorded(tmp_path)
    assert outcomes["test_that_is_skipped"] == (["W0.5"], True)


@pytest.mark.parametrize(("listed", "options"), [(True, ()), (False, ()), (False, ("-n", "1"))])
def test_a_skip_fails_a_strict_run_unless_its_reason_is_listed(
    tmp_path: Path, listed: bool, options: tuple[str, ...]
) -> None:
    reason = next(iter(LISTED)) if listed else "of no mind to"
    (tmp_path / "test_skipped.py").write_text(f"import pytest\n\ndef test_it(): pytest.skip({reason!r})\n")
    code, said = run_in(tmp_path, "--strict-skips", *options)
    assert code == (0 if listed else 1)
    assert (f"test_skipped.py::test_it: skipped, and tests/skips.py does not list why: {reason}" in said) is not listed
