"""One local AWS for all failovers; each test has a platform of its own in it, whose tasks answer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from emulator import process
from emulator.address import environment
from emulator.runtime import stand_in
from tests.failover.epochs import make_function
from tests.failover.support import IMAGE, World
from tests.warm_aws import LocalAws


@pytest.fixture(scope="session")
def local_aws(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Server]:
    directory = tmp_path_factory.mktemp("failover-local-aws")
    with empty_aws(directory, seconds_per_minute=0.05) as server:
        yield server


class KeepsClients(boto3.Session):
    """A session whose clients are made once: to make one takes longer than most calls."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, Any] = {}

    def client(self, service_name: str, *arguments: Any, **options: Any) -> Any:
        key = f"{service_name} {options.get('region_name')} {vars(options.get('config', object))}"
        if key not in self._kept:
            make: Any = super().client
            self._kept[key] = make(service_name, *arguments, **options)
        return self._kept[key]


@pytest.fixture(scope="session")
def session(local_aws: process.Server) -> KeepsClients:
    """The command's, for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(local_aws, patch)
        return KeepsClients()


def point_at(server: process.Server, patch: pytest.MonkeyPatch) -> None:
    """Let AWS clients find the local AWS as the command's do: by the environment alone."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    for name, value in environment(server.url).items():
        patch.setenv(name, value)


@pytest.fixture
def tasks(local_aws: process.Server) -> Iterator[stand_in.StandIn]:
    """Who answers for the tasks of both regions."""
    with stand_in.serving(local_aws, IMAGE) as standing:
        yield standing


@pytest.fixture
def world(
    local_aws: process.Server,
    tasks: stand_in.StandIn,
    session: KeepsClients,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[World]:
    point_at(local_aws, monkeypatch)
    monkeypatch.setattr(boto3, "Session", lambda: session)
    made = World(local_aws, tmp_path)
    make_function(made)
    yield made
    process.set_clock(local_aws, 0.05)
    for region in ("us-east-2", "us-west-2"):
        process.restore_region(local_aws, region)
