"""Errors of commands: one line, an exit code, no traceback."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

from rich.console import Console

from emulator.process import EmulatorError

EXIT_FAILED = 1
EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it; also where the output has lost its reader


class Failed(Exception):
    """The command was started and failed (exit code 1). The message tells the user why, in one or more lines."""


class Refused(Exception):
    """Invalid input or an unmet condition: nothing was started (exit code 2). The message tells what is allowed."""


WIDTH_OF_A_FILE = 200  # columns; a table in a file or a log is not truncated to a terminal's width


_lost: set[str] = set()  # the streams, by name


def output_is_lost() -> bool:
    """Whether output had no reader: the pipe or the terminal was closed."""
    return bool(_lost)


class _Output(io.TextIOBase):
    """This process's standard output or error. Output without a reader is dropped and noted, and raises no error.

    An error would end a command in the middle of a Terraform run.
    """

    def __init__(self, *, stderr: bool) -> None:
        super().__init__()
        self._name = "stderr" if stderr else "stdout"

    @property
    def _stream(self) -> TextIO:
        stream = getattr(sys, self._name)
        # While rich has a live display, it replaces the stream by itself and would get its own output.
        proxied: TextIO = getattr(stream, "rich_proxied_file", stream)
        return proxied

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's encoding."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The stream's descriptor."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write, unless there is no reader."""
        if self._name not in _lost:
            try:
                return self._stream.write(text)
            except OSError:
                _lose(self._name)
        return len(text)

    def flush(self) -> None:
        """Flush, unless there is no reader."""
        if self._name not in _lost:
            try:
                self._stream.flush()
            except OSError:
                _lose(self._name)


def _lose(name: str) -> None:
    _lost.add(name)
    # Buffered output would raise the error again at the interpreter's exit.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, getattr(sys, name).fileno())
    os.close(nowhere)


def console(*, stderr: bool = False) -> Console:
    """The console to print to: colours and line breaks by width only on a terminal."""
    output = _Output(stderr=stderr)
    made = Console(file=output, stderr=stderr, highlight=False, soft_wrap=True)  # type: ignore[arg-type]
    if made.is_terminal:
        return made
    return Console(file=output, stderr=stderr, highlight=False, soft_wrap=True, width=WIDTH_OF_A_FILE)  # type: ignore[arg-type]


@contextmanager
def exit_codes() -> Iterator[None]:
    """Convert refusals, failures, interruption, errors of the system and the local AWS to a line and an exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character that the terminal cannot show is no error
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # typer has converted the interruption
            _say("interrupted")
        raise
    except BrokenPipeError:  # raised by a plain print; the console's own output raises none
        _lose("stdout")
        sys.exit(EXIT_INTERRUPTED)
    except (Refused, Failed, EmulatorError, KeyboardInterrupt, OSError, subprocess.TimeoutExpired) as error:
        _say("interrupted" if isinstance(error, KeyboardInterrupt) else _in_words(error))
        sys.exit(_code(error))


def _code(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    return EXIT_REFUSED if isinstance(error, Refused) else EXIT_FAILED


def _in_words(error: BaseException) -> str:
    """An error's own message; for an error of the operating system the reason and the file or program."""
    if isinstance(error, subprocess.TimeoutExpired):
        program = error.cmd if isinstance(error.cmd, str) else error.cmd[0]
        return f"{program}: no answer within {error.timeout:g} s"
    if isinstance(error, OSError):
        what = error.strerror or str(error)
        return f"{error.filename}: {what}" if error.filename else what
    return str(error)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """End as by Ctrl-C: a cancelled job gets SIGTERM, and a closed terminal sends SIGHUP."""
    raise KeyboardInterrupt


def _say(message: str) -> None:
    if message:
        console(stderr=True).print(message, style="red", markup=False)
