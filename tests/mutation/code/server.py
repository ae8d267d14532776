"""Runs files of tests, each time in a fork of this process, which has imported all that no change touches.

It is started in a copy of the checkout. A line of JSON from its standard input asks, one to its standard output
answers.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emulator.runtime.postgresql import give_away

# What takes longest to import.
LIBRARIES = (
    "alembic.command",
    "aws_lambda_powertools",
    "boto3",
    "cryptography.x509",
    "fastapi",
    "httpx",
    "hypothesis",
    "joserfc.jwt",
    "moto",
    "moto.backends",
    "opentelemetry.sdk.trace",
    "pg8000.native",
    "psycopg_pool",
    "pydantic_settings",
    "schemathesis",
    "uvicorn",
    "xdist.plugin",
    "emulator.process",
    "operations.deployment.synthesized",
    "settings",
)
CHANGED = ("payments", "shared", "rehearsal", "tests")
SECONDS_TO_END = 20
# Tests that ask for these look at what is synthesized from the code, which takes longer than all others.
SYNTHESIZED = {"platform", "synthesize", "templates"}
ENDED = "the tests' process, which it ends or keeps from ending"


@dataclass(frozen=True)
class Warm:
    """What is there for all forks: a local AWS, and an initialized cluster of PostgreSQL with its password."""

    aws: dict[str, str]
    cluster: Path
    password: str

    def use(self) -> None:
        """Let this process's tests begin with a copy of the cluster."""

        from tests import postgresql

        def copy(binaries: Path, data: Path, password_file: Path) -> None:
            shutil.copytree(self.cluster, data)
            give_away(*data.parent.rglob("*"))

        postgresql.new_password = lambda: self.password
        postgresql.initialize = copy


@contextmanager
def _warm() -> Iterator[Warm]:
    from tests import postgresql
    from tests.payments.conftest import local_aws

    # No TemporaryDirectory, which forks would remove when they end.
    folder, password = Path(tempfile.mkdtemp()), postgresql.new_password()
    try:
        folder.chmod(0o711)  # PostgreSQL is another user's where tests are run by root
        (folder / "password").write_text(password, encoding="utf-8")
        (folder / "cluster").mkdir()
        give_away(folder / "cluster", folder / "password")
        postgresql.initialize(postgresql.find_binaries(), folder / "cluster", folder / "password")
        with local_aws() as aws:
            yield Warm(aws, folder / "cluster", password)
    finally:
        shutil.rmtree(folder)


class Heard:
    """A plugin: runs the files in the order that they were asked for, and says which test failed first."""

    def __init__(self, files: list[str], warm: Warm) -> None:
        self._warm = warm
        self.order = {str(Path(file).resolve()): index for index, file in enumerate(files)}
        self.failed: str | None = None
        self.passed = 0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, None, None]:
        yield
        items[:] = [item for item in items if SYNTHESIZED.isdisjoint(getattr(item, "fixturenames", ()))]
        items.sort(key=lambda item: self.order.get(str(item.path), len(self.order)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Any:
        """The local AWS of the payments service's tests is there: each test has queues and secrets of its own."""
        if (fixturedef.argname, fixturedef.baseid) != ("aws", "tests/payments"):
            return None
        fixturedef.cached_result = (self._warm.aws, fixturedef.cache_key(request), None)
        return self._warm.aws

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.passed += report.when == "call" and report.passed
        if report.failed:
            self.failed = self.failed or report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid


def _run(files: list[str], options: list[str], warm: Warm) -> dict[str, Any]:
    heard = Heard(files, warm)
    from tests import costs

    begun, processor = time.monotonic(), costs.processor_seconds()
    warm.use()
    command = ["-q", "-x", "-n", "0", "--tb=short", "-p", "no:cacheprovider", *options, *files]
    code = pytest.main(command, plugins=[heard])
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED} and not heard.failed:
        heard.failed = f"pytest, which ends with {int(code)}"
    took = {"seconds": time.monotonic() - begun, "processor": costs.processor_seconds() - processor}
    return {"failed": heard.failed, "passed": heard.passed, **took}


def forked(asked: dict[str, Any], warm: Warm) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _in_fork(asked, warm, writing)
    os.close(writing)
    answered = _read(reading, asked["limit"])
    if answered is None:
        # Its guardian (tests/guardian.py) ends what it leaves.
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    _wait(child)
    return answered or {"failed": ENDED, "passed": 0, "seconds": 0.0, "processor": 0.0}


def _wait(child: int) -> None:
    """Until it has ended, which it does soon, or is made to."""
    deadline = time.monotonic() + SECONDS_TO_END
    while not os.waitpid(child, os.WNOHANG)[0]:
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return
        time.sleep(0.01)


def _in_fork(asked: dict[str, Any], warm: Warm, writing: int) -> None:
    os.setsid()
    with open(asked["log"], "wb") as file, open(os.devnull, "rb") as nothing:  # noqa: PTH123 - descriptors are wanted
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    code = 1
    try:
        answer = _run(asked["files"], asked["options"], warm)
        sys.stdout.flush()
        os.write(writing, json.dumps(answer).encode())
        code = 0
    finally:
        with suppress(Exception):
            atexit._run_exitfuncs()
        os._exit(code)


def _read(reading: int, limit: float) -> dict[str, Any] | None:
    """The fork's answer; none where it takes longer than the limit."""
    deadline, read = time.monotonic() + limit, b""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while (left := deadline - time.monotonic()) > 0:
            if select.select([pipe], [], [], left)[0]:
                more = pipe.read(65536)
                if not more:
                    break
                read += more
            if read.endswith(b"}"):
                break
    with suppress(ValueError):
        answer: dict[str, Any] = json.loads(read)
        return answer
    return None


def serve() -> None:
    """Answer until the standard input ends."""
    sys.path.insert(0, "services/payments")
    for library in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(library)
    with _warm() as warm:
        for name in [name for name in sys.modules if name.split(".")[0] in CHANGED]:
            del sys.modules[name]
        for line in sys.stdin:
            print(json.dumps(forked(json.loads(line), warm)), flush=True)


if __name__ == "__main__":
    serve()
