"""The quick lane: what is slow is found by what it calls, and what the quick tests cost is known."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from emulator import process
from tests.lanes import _slow_call
from tests.suite.test_recorder import run_in
from tests.synthesized import Synthesized, synthesize

TESTS = """
import subprocess
import sys
import pytest

@pytest.fixture
def started(): return subprocess.run([sys.executable, "--version"], check=True)

@pytest.fixture
def asks(started): return started

def helper(): return [subprocess.run([sys.executable, "--version"], check=True) for _ in range(1)]

def test_quick(): sum(range(2_000_000))

def test_slow_by_a_fixtures_fixture(asks): pass

def test_slow_by_itself(): subprocess.run([sys.executable, "--version"], check=True)

@pytest.mark.slow
def test_slow_by_its_word(): pass
"""


def starts_a_local_aws() -> None:
    process.start(Path())


def changes_settings() -> list[Synthesized]:
    return [synthesize(one) for one in ()]  # type: ignore[var-annotated]


class Command:
    def run(self) -> None:
        subprocess.run(["true"], check=True)


def by_a_method() -> None:
    Command().run()


def by_another() -> None:
    by_a_method()


def neither() -> str:
    return Path("run").name


@pytest.mark.parametrize(
    ("function", "call"),
    [
        (starts_a_local_aws, "emulator.process.start"),
        (changes_settings, "tests.synthesized.synthesize"),
        (by_a_method, "subprocess.run"),
        (by_another, "subprocess.run"),
        (neither, None),
    ],
)
def test_a_slow_call_is_found_wherever_tests_make_it(function: object, call: str | None) -> None:
    assert _slow_call(function, set()) == call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "test_some.py").write_text(TESTS)
    return tmp_path


def test_quick_lane_runs_quick_tests_only_and_reports_their_cost(folder: Path) -> None:
    code, said = run_in(folder, "--quick")
    assert (code, "1 passed, 3 deselected" in said) == (0, True), said
    assert "quick lane: 1 tests, 0 processor seconds" in said


@pytest.mark.parametrize("options", [(), ("-n", "1")])
def test_a_lane_over_its_budget_fails_and_names_the_dearest(folder: Path, options: tuple[str, ...]) -> None:
    code, said = run_in(folder, "--quick-budget", "0", *options)
    assert (code, "4 passed" in said) == (1, True), said
    assert "s  test_some.py::test_quick" in said
    assert "s  test_some.py::test_slow" not in said
