"""What all tests share: settings, the platform of each environment, PostgreSQL, and the plugins of a run.

With several processes (pytest -n) this is loaded by the one that only hands out tests, too: nothing here imports cdktf,
which would start Node.
"""

from __future__ import annotations

import functools
import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator
from typing import Any

import botocore.session
import hypothesis
import pytest

import synthesis

synthesis.prepare()  # before any test module imports cdktf

from emulator import process  # noqa: E402
from operations.deployment.synthesized import provider_installation  # noqa: E402
from settings import Settings, load  # noqa: E402
from tests import kept, order, temporary  # noqa: E402
from tests.costs import Costs  # noqa: E402
from tests.lanes import Lanes  # noqa: E402
from tests.postgresql import Postgresql, running  # noqa: E402
from tests.recording import Recorder  # noqa: E402
from tests.skips import StrictSkips  # noqa: E402
from tests.synthesized import Synthesized, synthesize  # noqa: E402
from tests.warm_aws import LocalAws, forks_of  # noqa: E402

# How long an example takes says nothing about the code on a machine that does other things as well.
hypothesis.settings.register_profile("project", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("project")
# A shell's background jobs ignore it, and so would the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# A session reads each service's model anew: for the clients of one release's test, 0.4 s of processor.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
AWS_ENDPOINT_URL = os.environ.get("AWS_ENDPOINT_URL")


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


@pytest.fixture(scope="session")
def empty_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Makes empty local AWSs: ``with empty_aws(directory) as server``."""
    with process.running(tmp_path_factory.mktemp("warm-aws")) as warm:
        yield forks_of(warm)


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
    parser.addoption("--quick", action="store_true", help="leave out what is slow (tests/lanes.py)")
    parser.addoption("--quick-budget", type=float, help="processor seconds that the quick tests may cost together")
    parser.addoption("--anew", action="store_true", help="forget what earlier runs have synthesized")
    parser.addoption("--strict-skips", action="store_true", help="fail where a test is skipped for no listed reason")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder())
    config.pluginmanager.register(Lanes())
    config.pluginmanager.register(Costs())
    if hasattr(config, "workerinput"):
        return
    temporary.begin()
    if config.getoption("--anew"):
        kept.forget()
    if config.getoption("--strict-skips"):
        config.pluginmanager.register(StrictSkips())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is loaded while tests are collected stays to the end: going through it for garbage took a third longer."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: order.place(item.path))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """The quick lane does not wait: a process for each core, as xdist counts them."""
    told = os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS")
    return None if told or config.getoption("--quick") else order.processes()
