"""The process of one container, as the local AWS controls it: started, sent commands, stopped, and waited for."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from emulator.runtime.tasks.box import Box

ROOT = Path(__file__).parents[3]
THREAD = "(task)"
"""Suffix of the names of threads that read from a task: a fork of the local AWS does not have them."""
SECONDS_FOR_A_PROBE = 5.0
_MESSAGE_BYTES = 65_536
_LOG_BYTES = 65_536


class Process:
    """A container. Threads of its own read its messages and its output."""

    def __init__(self, box: Box, name: str, *, log: Callable[[list[str]], None], ended: Callable[[int], None]) -> None:
        """Start it. ``log`` is called with lines of its output, ``ended`` once with its exit code."""
        self.port: int | None = None
        self._log, self._ended = log, ended
        self._ready = threading.Event()
        self._answers: dict[int, tuple[int, str]] = {}
        self._answered = threading.Condition()
        self._numbers = 0
        self._control, inside = socket.socketpair()
        with tempfile.NamedTemporaryFile("w", prefix="task-", suffix=".json", encoding="utf-8", delete=False) as file:
            file.write(box.to_json())  # readable by its owner only
        self._file = Path(file.name)
        with inside:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "emulator.runtime.tasks.container", file.name],
                cwd=ROOT,
                env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=inside.fileno(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        for target, what in ((self._hear, "heard"), (self._read, "read")):
            threading.Thread(target=target, name=f"{name} {what} {THREAD}", daemon=True).start()

    @property
    def pid(self) -> int:
        """The id of the outer process."""
        return self._process.pid

    def wait_until_started(self, seconds: float) -> bool:
        """Whether it has started within so many seconds."""
        return self._ready.wait(seconds) and self.port is not None

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL after the box's stop time; ``ended`` is called when it has ended."""
        self._say({"do": "stop"})

    def kill(self) -> None:
        """Kill it at once."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)

    def run(self, command: tuple[str, ...], seconds: float) -> tuple[int, str] | None:
        """The exit code and output of a command in the container; None where it did not end in time."""
        return self._ask({"do": "run", "command": command, "seconds": seconds}, seconds)

    def is_listening(self) -> bool:
        """Whether a process of the container accepts connections on the container's port."""
        said = self._ask({"do": "probe"}, SECONDS_FOR_A_PROBE)
        return said is not None and said[0] == 0

    def _ask(self, asked: dict[str, Any], seconds: float) -> tuple[int, str] | None:
        with self._answered:
            self._numbers += 1
            number = self._numbers
        self._say({**asked, "id": number})
        with self._answered:
            self._answered.wait_for(lambda: number in self._answers, seconds + 1)
            return self._answers.pop(number, None)

    def _say(self, asked: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # it has ended
            self._control.sendall(json.dumps(asked).encode() + b"\n")

    def _hear(self) -> None:
        for said in self._lines():
            if "port" in said:
                self.port = said["port"]
                self._file.unlink()
                self._ready.set()
            if "id" in said:
                with self._answered:
                    self._answers[said["id"]] = (said["code"], said["output"])
                    self._answered.notify_all()
        code = self._process.wait()
        self._control.close()
        self._file.unlink(missing_ok=True)
        self._ready.set()
        self._ended(code)

    def _lines(self) -> Iterator[dict[str, Any]]:
        rest = b""
        with contextlib.suppress(OSError):
            while content := self._control.recv(_MESSAGE_BYTES):
                *lines, rest = (rest + content).split(b"\n")
                yield from (json.loads(line) for line in lines)

    def _read(self) -> None:
        assert self._process.stdout  # noqa: S101 (it was started with a pipe)
        descriptor, rest = self._process.stdout.fileno(), b""
        while True:
            content = os.read(descriptor, _LOG_BYTES)
            *lines, rest = (rest + content).split(b"\n")
            if not content and rest:
                lines.append(rest)
            if lines:
                self._log([line.decode(errors="replace") for line in lines if line])
            if not content:
                return
