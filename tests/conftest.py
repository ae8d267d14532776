"""What all tests share: one synthesis a run, and the outcome of each test by the requirement row that it proves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import synthesis

synthesis.prepare()  # before any test module imports cdktf

from cdktf import Testing  # noqa: E402

from settings import Settings, load  # noqa: E402
from tests.synthesized import Synthesized, synthesize  # noqa: E402

REPOSITORY = Path(__file__).parents[1]
Testing.__test__ = False  # CDKTF's class, not a class of tests
OUTCOMES = REPOSITORY / ".cache" / "test-outcomes.json"


@pytest.fixture(scope="session")
def local_settings() -> Settings:
    """The settings of the rehearsal."""
    return load("local")


@pytest.fixture(scope="session")
def platform(local_settings: Settings) -> Synthesized:
    """The rehearsal's platform, synthesized once a test run."""
    return synthesize(local_settings)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rows", help="only tests of these requirement rows, such as W0,W4.3 (a prefix names all below)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = config.getoption("--rows")
    if chosen:
        keep = [item for item in items if any(is_below(row, chosen.split(",")) for row in rows_of(item))]
        config.hook.pytest_deselected(items=[item for item in items if item not in keep])
        items[:] = keep


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note on the report which rows the test proves, so that it outlives the item."""
    report = yield
    report.user_properties.append(("rows", rows_of(item)))  # type: ignore[attr-defined]
    return report


class Outcomes:
    """Keeps the last outcome of every test that proves a row, over test runs, for `make requirements`."""

    def __init__(self) -> None:
        self._outcomes: dict[str, dict[str, object]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        rows = dict(report.user_properties).get("rows")
        if rows and (report.when == "call" or report.outcome != "passed"):
            self._outcomes[report.nodeid] = {"rows": rows, "outcome": report.outcome}

    def pytest_sessionfinish(self) -> None:
        known = json.loads(OUTCOMES.read_text()) if OUTCOMES.exists() else {}
        OUTCOMES.parent.mkdir(exist_ok=True)
        OUTCOMES.write_text(json.dumps(known | self._outcomes, indent=1, sort_keys=True))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Outcomes())


def rows_of(item: pytest.Item) -> list[str]:
    """The requirement rows that a test says it proves."""
    return [row for marker in item.iter_markers("requirement") for row in marker.args]


def is_below(row: str, chosen: list[str]) -> bool:
    """Whether a row is one of those chosen, or below one: W4.3 is below W4, W10 is not below W1."""
    return any(row == prefix or row.startswith(f"{prefix}.") for prefix in chosen)
