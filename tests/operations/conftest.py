"""A local AWS for what the commands do to AWS, and a way to run them as a person does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator import process

REPOSITORY = Path(__file__).parents[2]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Server]:
    with process.running(tmp_path_factory.mktemp("operations-local-aws")) as server:
        yield server


@pytest.fixture
def command(local_aws: process.Server) -> Command:
    """Runs `python -m operations ...` against the local AWS."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "operations", *arguments],
            cwd=REPOSITORY,
            env=process.complete_environment(local_aws.url, {**os.environ, **variables}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
