"""A local AWS for what the commands do to AWS, and a way to run them as a person does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator import process
from tests.operations.support import Commands


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Server]:
    with process.running(tmp_path_factory.mktemp("operations-local-aws")) as server:
        yield server


@pytest.fixture
def run(local_aws: process.Server) -> Commands:
    return Commands(local_aws)
