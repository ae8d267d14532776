"""Records a session on a terminal as text: `python -m operations.project.session`, which writes docs/session.md.

Each step is a line of shell that a new user would type, run on a terminal of 100 columns; what it prints is written as
the terminal shows it in the end. A quarter of an hour on two cores: the whole platform is deployed to the local AWS,
paid through, released, rolled back, failed over and destroyed. A step that fails, or has not ended after an hour, ends
the session, and nothing is written.
"""

from __future__ import annotations

import os
import pty
import re
import signal
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path

from operations.project_root import PROJECT

PAGE = PROJECT / "docs" / "session.md"
COLUMNS, ROWS = 100, 40
LOCAL = 'eval "$(make -s env ENV=local)"'
IMAGE = f"123456789012.dkr.ecr.us-east-2.amazonaws.com/payments/local/payments@sha256:{'1' * 64}"
CONTROL = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[()][A-Z0-9]|[=>78])|[\r\n\b]")
HEAD = """# A session

What a new user types and sees, from a fresh clone to nothing left. Recorded by `python -m operations.project.session`.
"""


@dataclass(frozen=True)
class Step:
    """A line of shell, why it is typed, and the exit code that is right."""

    why: str
    line: str
    code: int = 0


STEPS = (
    Step("Install what is locked", "make setup"),
    Step("Deploy the whole platform to a local AWS", "make deploy-local"),
    Step("Send a payment through it", "make pay"),
    Step("Release another image of the service", f"{LOCAL}; make release ENV=local SERVICE=payments IMAGE={IMAGE}"),
    Step(
        "Begin the next release, and stop it: it is rolled back",
        f"{LOCAL}; make release ENV=local SERVICE=payments IMAGE={IMAGE.replace('1' * 64, '2' * 64)} & "
        "until make -s release ENV=local SERVICE=payments ARGS=--stop 2>&1 | grep 'rolled back'; "
        "do sleep 1; done; wait",
    ),
    Step("Fail over to the other region", f"{LOCAL}; make failover ENV=local TO=recovery ARGS=--approve"),
    Step("Pay again, from there", "make pay"),
    Step("Destroy all of it", "make destroy-local"),
)


SECONDS_TO_END = 3600.0
CHECKOUT = "~/payment-platform"


class StepFailed(Exception):
    """A step ended with another exit code than was right. The message has both, and what it printed last."""


def record(
    steps: Sequence[Step], page: Path, folder: Path = PROJECT, *, seconds_to_end: float = SECONDS_TO_END
) -> None:
    """Run the steps in a folder, and write the page. A step that takes longer than ``seconds_to_end`` is ended.

    Raises:
        StepFailed: one ended otherwise than it should; the page is not written.
    """
    parts = [HEAD, *(_recorded(step, folder, seconds_to_end) for step in steps)]
    page.write_text("\n".join(parts), encoding="utf-8")


def _recorded(step: Step, folder: Path, seconds_to_end: float) -> str:
    began = time.monotonic()
    code, printed = run(step.line, folder, seconds_to_end)
    lines = [_anywhere(line, folder) for line in shown(printed)]
    if code != step.code:
        raise StepFailed(f"{step.line}: exit code {code}, and not {step.code}\n" + "\n".join(lines[-20:]))
    text = "\n".join([f"$ {step.line}", *lines]).replace("```", "'''")
    return f"## {step.why}\n\n```console\n{text}\n```\n\n{time.monotonic() - began:.0f} s, exit code {code}.\n"


def _anywhere(line: str, folder: Path) -> str:
    """A line without the folders of the machine that recorded it."""
    return re.sub(r"(from the mirror) \S+", r"\1 ~/mirror", line.replace(str(folder), CHECKOUT))


def run(line: str, folder: Path, seconds_to_end: float) -> tuple[int, str]:
    """Run a line of shell on a terminal of its own; returns the exit code and all that it wrote to it.

    After ``seconds_to_end`` it is hung up: the terminal's processes get SIGHUP, as if the window was closed.
    """
    pid, terminal = pty.fork()
    if not pid:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup has it ignore
        os.chdir(folder)
        ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        variables = {**os.environ, "TERM": "xterm", "COLUMNS": str(COLUMNS)}
        os.execvpe("bash", ["bash", "-c", line], variables)  # noqa: S606 - a line of shell is what is recorded
    hanging_up = threading.Timer(seconds_to_end, os.killpg, (pid, signal.SIGHUP))
    hanging_up.start()
    written = b"".join(_read(terminal))
    os.close(terminal)
    hanging_up.cancel()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), written.decode(errors="replace")


def _read(terminal: int) -> Iterable[bytes]:
    while True:
        try:
            content = os.read(terminal, 65_536)
        except OSError:  # Linux says so where the last process has closed the terminal
            return
        if not content:
            return
        yield content


def shown(written: str) -> list[str]:
    """What stays on the terminal: what is written over again and again is there once, as it was last.

    Of the terminal's controls those count that move within what is written or erase it: carriage return, backspace,
    cursor up, erase in line, erase below. Colours and all others change no text.
    """
    screen = _Screen([""])
    for text, control in _pieces(written):
        screen.write(text)
        screen.obey(control)
    lines = [line.rstrip() for line in screen.lines]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _pieces(written: str) -> Iterable[tuple[str, str]]:
    """Text, and the control that follows it."""
    begin = 0
    for found in CONTROL.finditer(written):
        yield written[begin : found.start()], found.group()
        begin = found.end()
    yield written[begin:], ""


@dataclass
class _Screen:
    """A terminal without an end of its lines: a line is as long as what is written."""

    lines: list[str]
    row: int = 0
    column: int = 0

    def write(self, text: str) -> None:
        if not text:
            return
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + text + line[self.column + len(text) :]
        self.column += len(text)

    def obey(self, control: str) -> None:
        if control == "\r":
            self.column = 0
        elif control == "\b":
            self.column = max(0, self.column - 1)
        elif control == "\n":
            self.row += 1
            self.lines += [""] * (self.row + 1 - len(self.lines))
        elif control.startswith("\x1b["):
            self._edit(control[2:-1], control[-1])

    def _edit(self, count: str, what: str) -> None:
        if what == "A":
            self.row = max(0, self.row - int(count or 1))
        elif what == "K":
            self.lines[self.row] = self.lines[self.row][: self.column] if count in {"", "0"} else ""
        elif what == "J" and count in {"", "0"}:
            self.lines[self.row :] = [self.lines[self.row][: self.column]]


if __name__ == "__main__":
    try:
        record(STEPS, PAGE)
    except StepFailed as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)
