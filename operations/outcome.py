"""How a command ends other than well, and how it says so: one line, an exit code, no traceback."""

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

EXIT_FAILED = 1
EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it; also where the output has lost its reader


class Failed(Exception):
    """What was begun did not succeed (exit code 1). The message says why; a line for a person, or several."""


class Refused(Exception):
    """Bad input or an unmet condition: nothing was begun (exit code 2). The message says what is allowed."""


WIDTH_OF_A_FILE = 200  # columns; a table in a file or a log is not cut to a terminal's width


_lost: set[str] = set()  # the streams, by name


def output_is_lost() -> bool:
    """Whether something printed had nobody to read it: a closed pipe, or a terminal that is gone."""
    return bool(_lost)


class _Output(io.TextIOBase):
    """This process's standard output or error. What nobody can read is dropped, and remembered, and is no error.

    An error would end a command in the middle of a Terraform run, whichever line it was about to print.
    """

    def __init__(self, *, stderr: bool) -> None:
        super().__init__()
        self._name = "stderr" if stderr else "stdout"

    @property
    def _stream(self) -> TextIO:
        stream = getattr(sys, self._name)
        # While rich shows something live, it puts itself in the stream's place, and would be given its own output.
        proxied: TextIO = getattr(stream, "rich_proxied_file", stream)
        return proxied

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The stream's descriptor."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write, unless nobody reads."""
        if self._name not in _lost:
            try:
                return self._stream.write(text)
            except OSError:
                _lose(self._name)
        return len(text)

    def flush(self) -> None:
        """Flush, unless nobody reads."""
        if self._name not in _lost:
            try:
                self._stream.flush()
            except OSError:
                _lose(self._name)


def _lose(name: str) -> None:
    _lost.add(name)
    # What is still buffered would raise again when the interpreter ends.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, getattr(sys, name).fileno())
    os.close(nowhere)


def console(*, stderr: bool = False) -> Console:
    """Where to print: colours only on a terminal, and lines broken only to a terminal's width."""
    output = _Output(stderr=stderr)
    made = Console(file=output, stderr=stderr, highlight=False, soft_wrap=True)  # type: ignore[arg-type]
    if made.is_terminal:
        return made
    return Console(file=output, stderr=stderr, highlight=False, soft_wrap=True, width=WIDTH_OF_A_FILE)  # type: ignore[arg-type]


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn ``Refused``, ``Failed``, interruption and what the machine refuses into a line and an exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the terminal cannot show is no reason to end
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # typer has turned the interruption into it
            _say("interrupted")
        raise
    except BrokenPipeError:  # of a plain print: the console's own output raises none
        _lose("stdout")
        sys.exit(EXIT_INTERRUPTED)
    except (Refused, Failed, KeyboardInterrupt, OSError, subprocess.TimeoutExpired) as error:
        _say("interrupted" if isinstance(error, KeyboardInterrupt) else _in_words(error))
        sys.exit(_code(error))


def _code(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    return EXIT_REFUSED if isinstance(error, Refused) else EXIT_FAILED


def _in_words(error: BaseException) -> str:
    """An error's own message; or what the machine refuses, and of which file or program."""
    if isinstance(error, subprocess.TimeoutExpired):
        program = error.cmd if isinstance(error.cmd, str) else error.cmd[0]
        return f"{program}: no answer within {error.timeout:g} s"
    if isinstance(error, OSError):
        what = error.strerror or str(error)
        return f"{error.filename}: {what}" if error.filename else what
    return str(error)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM is what a job that is cancelled gets, SIGHUP what a closed terminal sends: both end as Ctrl-C does."""
    raise KeyboardInterrupt


def _say(message: str) -> None:
    if message:
        console(stderr=True).print(message, style="red", markup=False)
