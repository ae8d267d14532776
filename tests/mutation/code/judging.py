"""Lets tests judge changes of code, in a copy of the checkout: the checkout itself is never changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.mutation.code.changes import PROJECT, CodeChange
from tests.mutation.code.judges import imports_of, judges_of
from tests.mutation.verdict import Verdict

LINKED = (".venv", "node_modules")
KEPT = (".cache/functions", ".cache/images")  # locked packages, each under a name of its content
SERVER = "tests.mutation.code.server"
Options = tuple[str, ...]
QUICK: Options = ("--quick",)
SLOW: Options = ("-m", "slow and not lifecycle")
FILES_A_ROUND = 4
SLACK = 3.0  # times what a run of unchanged code takes, and
SECONDS_OF_UNCHANGED = 240.0
SECONDS_TO_BEGIN = 40.0  # for the import of tests and PostgreSQL's start


class NobodyJudgesError(Exception):
    """No test that passes on the unchanged code judges a file."""


@contextmanager
def copied(project: Path = PROJECT) -> Iterator[Path]:
    """A copy of what the repository has and of what is new in the work tree; what is installed is linked."""
    listed = ["git", "-C", str(project), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True).stdout.decode().split("\0")
    with tempfile.TemporaryDirectory(prefix="payment-platform-mutation-") as directory:
        copy = Path(directory, "copy")
        for name in filter(None, names):
            if (project / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(project / name, copy / name)
        kept = [path.relative_to(project) for name in KEPT for path in (project / name).glob("*")]
        for path in (*map(Path, LINKED), *kept):
            if (project / path).exists():
                (copy / path).parent.mkdir(parents=True, exist_ok=True)
                (copy / path).symlink_to((project / path).resolve())
        Path(directory).chmod(0o711)  # PostgreSQL is another user's where tests are run by root
        yield copy


@dataclass
class Judging:
    """Judges changes in a copy; each round of tests may take ``seconds`` of the processor, without the change."""

    copy: Path
    seconds: float
    rounds: int
    _server: subprocess.Popen[str] = field(init=False)
    _took: dict[tuple[str, Options], float] = field(default_factory=dict)
    _waits: dict[tuple[str, Options], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._imports = imports_of(self.copy)
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHONPATH"))}
        self._server = subprocess.Popen(
            [sys.executable, "-m", SERVER],
            cwd=self.copy,
            env={**variables, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End its process."""
        assert self._server.stdin  # a pipe
        self._server.stdin.close()
        self._server.wait()

    def judge(self, change: CodeChange) -> Verdict:
        """Who notices the change, where anybody does.

        In rounds: the quick tests of the nearest files, those of the next, then the nearest that start processes.

        Raises:
            NobodyJudgesError: no test of the file's passes before it is changed.
        """
        path = self.copy / change.file
        original = path.read_bytes()
        nearest = [tests for _, tests in judges_of(change.file, self._imports, self.copy)]
        near, far = nearest[:FILES_A_ROUND], nearest[FILES_A_ROUND : 2 * FILES_A_ROUND]
        asked = 0
        for named, options in ((near, QUICK), (far, QUICK), (near, SLOW))[: self.rounds]:
            files = list(self._within(named, options))  # which it may have to try on what is not changed
            asked += len(files)
            path.write_bytes(change.of(original))
            try:
                failed = self._failed(files, options) if files else None
            finally:
                path.write_bytes(original)
            if failed:
                return Verdict(change, failed)
        if not asked:
            raise NobodyJudgesError(change.file)
        return Verdict(change, None)

    def _within(self, named: list[str], options: Options) -> Iterator[str]:
        """As many files as may be run in the time that there is, from the first."""
        left = self.seconds
        for tests in named:
            took = self._seconds_of(tests, options) if left > 0 else left
            if 0 < took <= left:
                yield tests
                left -= took

    def _seconds_of(self, tests: str, options: Options) -> float:
        """What a file takes on unchanged code; for ever, where it fails, takes too long, or nothing in it is run."""
        if (tests, options) not in self._took:
            answer = self._ask([tests], options, SECONDS_OF_UNCHANGED)
            judges = answer["failed"] is None and answer["passed"]
            self._took[tests, options] = answer["processor"] if judges else float("inf")
            self._waits[tests, options] = answer["seconds"]
            if answer["failed"]:
                print(f"judges nothing, as it fails before a change: {tests} ({answer['failed']})", flush=True)
        return self._took[tests, options]

    def _failed(self, files: list[str], options: Options) -> str | None:
        limit = SECONDS_TO_BEGIN + SLACK * sum(self._waits[file, options] for file in files)
        failed: str | None = self._ask(files, options, limit)["failed"]
        return failed

    def _ask(self, files: list[str], options: Options, limit: float) -> dict[str, Any]:
        assert self._server.stdin and self._server.stdout  # noqa: PT018 - both are pipes
        log = str(self.copy.parent / "judged.log")
        asked = {"files": files, "options": options, "limit": limit, "log": log}
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        answer: dict[str, Any] = json.loads(self._server.stdout.readline())
        return answer


def judge(changes: Iterable[CodeChange], *, seconds: float, rounds: int = 3) -> Iterator[Verdict]:
    """The verdict of each change, as it comes."""
    with copied() as copy:
        judging = Judging(copy, seconds, rounds)
        try:
            for change in changes:
                yield judging.judge(change)
        finally:
            judging.close()
