"""A local AWS for what the commands do to AWS, and a way to run them as a person does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from emulator import process
from settings import Settings
from tests.operations.state_bucket import World
from tests.operations.support import Commands
from tests.warm_aws import LocalAws


@pytest.fixture(scope="session")
def local_aws(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Server]:
    with empty_aws(tmp_path_factory.mktemp("operations-local-aws")) as server:
        yield server


@pytest.fixture
def run(local_aws: process.Server) -> Commands:
    return Commands(local_aws)


@pytest.fixture
def world(local_aws: process.Server, local_settings: Settings) -> World:
    return World(local_aws, local_settings)


@pytest.fixture
def intercepted() -> Callable[..., None]:
    """Puts a function into a client's calls, to stand for what the local AWS cannot be brought to do."""

    def at(client: Any, event: str, react: Callable[..., object]) -> None:
        client.meta.events.register(event, react)

    return at
