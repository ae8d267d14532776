"""What each file of tests costs: the closing lines of a run name the dearest, by processor and wall time.

A test costs what its process takes and what those take that it starts and waits for. A forked local AWS is nobody's
child, so whoever ends one adds what it took. What is ended after a process's last test has been there for all of its
tests and is no file's.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

COST = "processor seconds"
SHOWN = 10
_TIMES = slice(11, 15)  # utime, stime, cutime and cstime, of the fields behind the name (proc_pid_stat(5))
_added: list[float] = []


class Costs:
    """A plugin. Where a run has several processes (pytest -n), the one that gets their reports counts."""

    def __init__(self) -> None:
        self._processor: Counter[str] = Counter()
        self._wall: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = report.nodeid.partition("::")[0]
        self._processor[file] += of(report) or 0.0  # type: ignore[assignment]
        self._wall[file] += report.duration  # type: ignore[assignment]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if len(self._processor) > 1:  # of one file pytest says itself how long it took
            together = sum(self._processor.values())
            terminalreporter.write_line(f"dearest files, of {together:.0f} processor seconds:")
            for file, seconds in self._processor.most_common(SHOWN):
                terminalreporter.write_line(f"  {seconds:6.1f} s, {self._wall[file]:6.1f} s of wall  {file}")


def of(report: pytest.TestReport) -> float | None:
    """The processor seconds of a test, of which its last report tells."""
    found = dict(report.user_properties).get(COST)
    return None if found is None else float(str(found))


def processor_seconds() -> float:
    """Of this process, of those that it has started and that have ended, and of those that were added."""
    return sum(os.times()[:4]) + sum(_added)


def add(pid: int) -> None:
    """Add what a process that is no child of this one has taken so far. Only where there is such a file: on Linux."""
    stat = Path("/proc") / str(pid) / "stat"
    if stat.exists():
        times = stat.read_text().rpartition(")")[2].split()[_TIMES]
        _added.append(sum(map(int, times)) / os.sysconf("SC_CLK_TCK"))
