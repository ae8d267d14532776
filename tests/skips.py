"""`pytest --strict-skips`: a test that is skipped for a reason that nobody has listed fails the run, as in CI."""

from __future__ import annotations

import pytest

# Why a test may be skipped, as its skip says it, and why that is right.
LISTED = {
    "no namespaces can be made on this machine": "tasks are containers of Linux; CI has Linux, and lets them be made",
    "make is not installed": "the commands themselves are tested without it; CI has it, as has who types `make test`",
}


class StrictSkips:
    """A plugin that looks at all reports of a run, whichever process they come from."""

    def __init__(self) -> None:
        self._unlisted: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._look_at(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._look_at(report)

    def _look_at(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail") and (reason := reason_of(report)) not in LISTED:
            self._unlisted[report.nodeid] = reason

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._unlisted and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for test, reason in self._unlisted.items():
            terminalreporter.write_line(f"{test}: skipped, and tests/skips.py does not list why: {reason}", red=True)


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """What a skip says, without pytest's own word before it."""
    where_and_why = report.longrepr
    reason = where_and_why[2] if isinstance(where_and_why, tuple) else str(where_and_why)
    return reason.removeprefix("Skipped: ")
