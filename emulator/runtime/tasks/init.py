"""The first process of a container: it starts the command and ends with it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any, NoReturn

from emulator.runtime.tasks import namespaces
from emulator.runtime.tasks.box import Box

MESSAGE_BYTES = 65_536
SECONDS_TO_CONNECT = 2.0
SECONDS_BETWEEN_LOOKS = 0.5
MOST_OUTPUT_BYTES = 16_384
NOT_FOUND = 127
_KILLED = 128


class Init:
    """Handles the JSON requests of the outer process: ``run``, ``connect``, ``signal``, ``kill``."""

    def __init__(self, box: Box, outer: socket.socket) -> None:
        self._box, self._outer = box, outer
        self._checks: dict[int, tuple[int, float, int]] = {}
        """The running health checks by process id: the request's id, the deadline, and the file of the output."""

    def run(self) -> NoReturn:
        """Run the command to its end; this process ends with its exit code."""
        heard, says = os.pipe()
        for descriptor in (heard, says):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(says, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._command = self._start(self._box.command)
        while True:
            ready, _, _ = select.select([self._outer.fileno(), heard], [], [], SECONDS_BETWEEN_LOOKS)
            if heard in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(heard, MESSAGE_BYTES)
            self._reap()
            if self._outer.fileno() in ready:
                content = self._outer.recv(MESSAGE_BYTES)
                if not content:
                    os._exit(_KILLED + signal.SIGKILL)  # all processes of the namespace end with its first one
                self._obey(json.loads(content))

    def _start(self, command: tuple[str, ...], output: int | None = None) -> int:
        pid = os.fork()
        if pid:
            return pid
        try:
            self._outer.close()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores the last two
                signal.signal(number, signal.SIG_DFL)
            if output is not None:
                os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
                for descriptor in (1, 2):
                    os.dup2(output, descriptor)
            os.closerange(3, 64)
            namespaces.drop_privileges(self._box.user)
            os.chdir(self._box.directory)
            os.execvpe(command[0], list(command), dict(self._box.environment))  # noqa: S606 (the command itself)
        except OSError as error:
            print(f"{command[0]}: {error}", file=sys.stderr, flush=True)
        os._exit(NOT_FOUND)

    def _obey(self, asked: dict[str, Any]) -> None:
        if asked["do"] == "kill":
            os._exit(_KILLED + signal.SIGKILL)
        if asked["do"] == "signal":
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._command, asked["number"])
        elif asked["do"] == "connect":
            self._connect(asked)
        else:
            output = os.memfd_create("output")
            pid = self._start(tuple(asked["command"]), output)
            self._checks[pid] = (asked["id"], time.monotonic() + asked["seconds"], output)

    def _connect(self, asked: dict[str, Any]) -> None:
        said = json.dumps({"id": asked["id"]}).encode()
        try:
            opened = socket.create_connection(("127.0.0.1", asked["port"]), SECONDS_TO_CONNECT)
        except OSError:
            self._outer.send(said)
            return
        opened.settimeout(None)
        socket.send_fds(self._outer, [said], [opened.fileno()])
        opened.close()

    def _reap(self) -> None:
        """Reap ended processes: the command, which ends the container, a health check, or an orphan."""
        for pid, (_, until, _) in list(self._checks.items()):
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            code = _KILLED + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            if pid == self._command:
                os._exit(code)
            if pid in self._checks:
                number, _, output = self._checks.pop(pid)
                text = os.pread(output, MOST_OUTPUT_BYTES, 0).decode(errors="replace")
                os.close(output)
                self._outer.send(json.dumps({"id": number, "code": code, "output": text}).encode())
