"""The quick lane: `pytest --quick` leaves out what is slow, by what its functions and fixtures call, not by a list.

Slow is who starts a process, a local AWS or Terraform, or synthesizes a platform of changed settings; and who says so
(`@pytest.mark.slow`), as it computes for long. Each run says what the quick tests cost. With --quick-budget it fails
where that is more: a lane that nobody watches is soon no quick one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from tests import costs

# What makes slow whoever calls it, by module and name.
SLOW_CALLS = {
    "subprocess": {"run", "Popen", "check_output", "check_call"},
    "emulator.process": {"start", "running"},
    "operations.deployment.synthesized": {"synthesize"},
    "tests.synthesized": {"synthesize"},
    "tests.backups": {"synthesize_backups"},
}
# Fixtures that do so once for all: the platform as it is shipped.
QUICK_FIXTURES = {"platform"}
BEGUN = pytest.StashKey[float]()
ENDED = pytest.StashKey[float]()
SHOWN = 10  # of the dearest tests, where the lane costs too much


def why_slow(item: pytest.Item) -> str | None:
    """What makes a test slow; nothing, if it is quick."""
    if item.get_closest_marker("slow") or item.get_closest_marker("lifecycle"):
        return "it says so"
    if not isinstance(item, pytest.Function):
        return None
    return next((call for function in _functions(item) if (call := _slow_call(function, set()))), None)


def _functions(item: pytest.Function) -> Iterator[Callable[..., Any]]:
    """The test's own function, and those of its fixtures."""
    yield item.function
    definitions: dict[str, Any] = item._fixtureinfo.name2fixturedefs
    for name in item.fixturenames:
        if name not in QUICK_FIXTURES:
            yield from (definition.func for definition in definitions.get(name, ()))


def _slow_call(function: Any, seen: set[Any]) -> str | None:
    """The slow call that a function makes by itself, or by other functions of tests."""
    function = getattr(function, "__wrapped__", function)
    if not isinstance(function, FunctionType) or function in seen:
        return None
    seen.add(function)
    for name, value in _named(function):
        module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "") or ""
        if isinstance(value, ModuleType):
            if called := SLOW_CALLS.get(module, set()) & _names(function.__code__):
                return f"{module}.{min(called)}"
        elif getattr(value, "__name__", name) in SLOW_CALLS.get(module, set()):
            return f"{module}.{value.__name__}"
        elif module.startswith("tests.") and (found := _slow_call_of(value, seen)):
            return found
    return None


def _slow_call_of(value: Any, seen: set[Any]) -> str | None:
    """That of a function, or of a class's methods."""
    methods = vars(value).values() if isinstance(value, type) else [value]
    functions = [getattr(one, "__func__", one) for one in methods]
    return next((call for one in functions if (call := _slow_call(one, seen))), None)


def _named(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """What the names in a function's code mean in its module."""
    for name in _names(function.__code__):
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _names(code: CodeType) -> set[str]:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*map(_names, inner))


class Lanes:
    """A plugin that marks slow tests, leaves them out where asked to, and counts what the quick ones cost."""

    def __init__(self) -> None:
        self._quick: dict[str, float] = {}
        self._over = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        slow = {item for item in items if why_slow(item)}
        for item in slow:
            item.add_marker(pytest.mark.slow)
        if config.getoption("--quick"):
            config.hook.pytest_deselected(items=list(slow))
            items[:] = [item for item in items if item not in slow]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        item.stash[BEGUN] = costs.processor_seconds()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        if nextitem is None:  # what ends now has been there for all tests, with the processes that they have shared
            item.stash[ENDED] = costs.processor_seconds()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "teardown":
            ended = item.stash.get(ENDED, costs.processor_seconds())
            report.user_properties.append((costs.COST, ended - item.stash.get(BEGUN, ended)))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """In the process that the others report to."""
        if "slow" not in report.keywords and (cost := costs.of(report)) is not None:
            self._quick[report.nodeid] = cost

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        budget = session.config.getoption("--quick-budget")
        self._over = budget is not None and sum(self._quick.values()) > budget
        if self._over and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        if self._quick:
            line = f"quick lane: {len(self._quick)} tests, {sum(self._quick.values()):.0f} processor seconds"
            budget = config.getoption("--quick-budget")
            terminalreporter.write_line(line if budget is None else f"{line} of {budget:.0f}", red=self._over)
        if self._over:
            for test, cost in sorted(self._quick.items(), key=lambda one: -one[1])[:SHOWN]:
                terminalreporter.write_line(f"  {cost:5.1f} s  {test}")
