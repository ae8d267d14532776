"""One local AWS for all releases; each test has a service of its own in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator import process
from emulator.address import environment
from tests.release.support import World
from tests.warm_aws import LocalAws


@pytest.fixture(scope="session")
def local_aws(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Server]:
    with empty_aws(tmp_path_factory.mktemp("release-local-aws")) as server:
        yield server


@pytest.fixture
def pointed_at_local_aws(local_aws: process.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process's own AWS clients find the local AWS as the command does: by the environment alone."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environment(local_aws.url).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def world(local_aws: process.Server, pointed_at_local_aws: None, tmp_path: Path) -> World:
    return World(local_aws, tmp_path)


@pytest.fixture
def slow_world(local_aws: process.Server, pointed_at_local_aws: None, tmp_path: Path) -> World:
    """One whose canary lasts until something ends it."""
    return World(local_aws, tmp_path, canary_minutes=2880)
