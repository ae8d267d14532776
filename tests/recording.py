"""Records what each test that proves a requirement row said, for `make requirements`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from operations.project import evidence
from operations.project.evidence import Outcome, is_below

ROWS = "requirement rows"
NEVER_RUN = Outcome(test="", rows=(), passed=True)


class Recorder:
    """A plugin. Where a run has several processes (pytest -n), the one that gets their reports records.

    A test that was skipped has said nothing: what it said before still holds.
    """

    def __init__(self) -> None:
        self._collected: set[str] = set()
        self._outcomes: dict[str, Outcome] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        self._collected |= {item.nodeid for item in items}
        for item in items:
            item.user_properties.append((ROWS, rows_of(item)))
        if chosen := config.getoption("--rows"):
            dropped = [item for item in items if not any(is_below(row, chosen.split(",")) for row in rows_of(item))]
            config.hook.pytest_deselected(items=dropped)
            items[:] = [item for item in items if item not in dropped]
        yield

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._collected |= set(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties: dict[str, Any] = dict(report.user_properties)
        rows = tuple(properties.get(ROWS, ()))
        if rows and not report.skipped and (report.when == "call" or not report.passed):
            passed = report.passed and self._outcomes.get(report.nodeid, NEVER_RUN).passed
            self._outcomes[report.nodeid] = Outcome(test=report.nodeid, rows=rows, passed=passed)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not hasattr(session.config, "workerinput"):
            evidence.record(self._outcomes.values(), collected=self._collected)


def rows_of(item: pytest.Item) -> tuple[str, ...]:
    """The requirement rows that a test says it proves."""
    return tuple(row for marker in item.iter_markers("requirement") for row in marker.args)
