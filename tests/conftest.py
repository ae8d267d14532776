"""What all tests share: one synthesis a run, and the outcome of each test by the requirement row that it proves."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator, Iterator
from typing import Any

import hypothesis
import pytest

import synthesis

synthesis.prepare()  # before any test module imports cdktf

from cdktf import Testing  # noqa: E402

from operations.deployment.synthesized import provider_installation  # noqa: E402
from operations.project import evidence  # noqa: E402
from operations.project.evidence import Outcome, is_below  # noqa: E402
from settings import Settings, load  # noqa: E402
from tests.postgresql import Postgresql, running  # noqa: E402
from tests.synthesized import Synthesized, synthesize  # noqa: E402

# How long an example takes says nothing about the code on a machine that does other things as well.
hypothesis.settings.register_profile("project", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("project")
# A shell's background jobs ignore it, and so would the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
AWS_ENDPOINT_URL = os.environ.get("AWS_ENDPOINT_URL")
Testing.__test__ = False  # CDKTF's class, not a class of tests


@pytest.fixture(scope="session")
def local_settings() -> Settings:
    """The settings of the rehearsal."""
    return load("local")


@pytest.fixture(scope="session")
def platform(local_settings: Settings) -> Synthesized:
    """The rehearsal's platform, synthesized once a test run."""
    return synthesize(local_settings)


@pytest.fixture(scope="session")
def terraform_environment(platform: Synthesized) -> dict[str, str]:
    """The environment in which Terraform finds the platform's provider, from a mirror or the registry."""
    return provider_installation(platform.directory).environment(os.environ)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL with TLS for the whole run. Whoever uses it makes databases and roles of its own."""
    with running() as server:
        yield server


@pytest.fixture(autouse=True)
def each_test_finds_its_own_aws() -> Iterator[None]:
    """Whoever mocks AWS in this process ends it, and no fixture of a whole run points all tests at its own AWS."""
    yield
    if (endpoint := os.environ.get("AWS_ENDPOINT_URL")) != AWS_ENDPOINT_URL:
        pytest.fail(f"AWS_ENDPOINT_URL was {AWS_ENDPOINT_URL} before any test, and is {endpoint} for those to come")
    models: Any = sys.modules.get("moto.core.models")
    if models and models.MockAWS._nested_count:
        models.MockAWS._nested_count = 1
        models.MockAWS().stop()
        pytest.fail("mock_aws was started and not stopped")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rows", help="only tests of these requirement rows, such as W0,W4.3 (a prefix names all below)")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder())


class Recorder:
    """Records what each test that proves a requirement row said.

    Where a run has several processes (pytest -n), the one that gets their reports records; rows come with the reports.
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
        # The longest first: with several processes, the rest goes beside it.
        items.sort(key=lambda item: item.get_closest_marker("lifecycle") is None)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._collected |= set(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties: dict[str, Any] = dict(report.user_properties)
        rows = tuple(properties.get(ROWS, ()))
        if rows and (report.when == "call" or not report.passed):
            passed = report.passed and self._outcomes.get(report.nodeid, NEVER_RUN).passed
            self._outcomes[report.nodeid] = Outcome(test=report.nodeid, rows=rows, passed=passed)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not hasattr(session.config, "workerinput"):
            evidence.record(self._outcomes.values(), collected=self._collected)


ROWS = "requirement rows"
NEVER_RUN = Outcome(test="", rows=(), passed=True)


def rows_of(item: pytest.Item) -> tuple[str, ...]:
    """The requirement rows that a test says it proves."""
    return tuple(row for marker in item.iter_markers("requirement") for row in marker.args)
