"""A local AWS by whose clock a short wait (the start of the tasks) passes at once, and the longest one lasts minutes.

A release stands still where a test wants to look at it, and goes on when the clock is set to run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from emulator import process
from emulator.process import Server
from emulator.record import read_violations
from tests.emulator.release_support import Make
from tests.emulator.support import client_for
from tests.warm_aws import LocalAws

STANDING, RUNNING = 0.05, 0.00005
"""Seconds a minute: the longest wait takes 144 seconds, or a seventh of one."""


@pytest.fixture(scope="module")
def server(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with empty_aws(tmp_path_factory.mktemp("releases"), seconds_per_minute=STANDING) as running:
        yield running
        assert read_violations(running.directory) == []


@pytest.fixture
def client(server: Server) -> Make:
    process.set_clock(server, STANDING)
    return client_for(server)


@pytest.fixture
def run(server: Server) -> Callable[[], None]:
    return lambda: process.set_clock(server, RUNNING)
