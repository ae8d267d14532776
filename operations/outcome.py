"""How a command ends other than well, and how it says so: one line, an exit code, no traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console

EXIT_FAILED = 1
EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it


class Failed(Exception):
    """What was begun did not succeed (exit code 1). The message says why; a line for a person, or several."""


class Refused(Exception):
    """Bad input or an unmet condition: nothing was begun (exit code 2). The message says what is allowed."""


WIDTH_OF_A_FILE = 200  # columns; a table in a file or a log is not cut to a terminal's width


def console(*, stderr: bool = False) -> Console:
    """Where to print: colours only on a terminal, and lines broken only to a terminal's width."""
    made = Console(stderr=stderr, highlight=False, soft_wrap=True)
    return made if made.is_terminal else Console(stderr=stderr, highlight=False, soft_wrap=True, width=WIDTH_OF_A_FILE)


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn ``Refused``, ``Failed`` and interruption into a message on standard error and an exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except Refused as refusal:
        _say(str(refusal))
        sys.exit(EXIT_REFUSED)
    except Failed as failure:
        _say(str(failure))
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        _say("interrupted")
        sys.exit(EXIT_INTERRUPTED)
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # typer has turned the interruption into it
            _say("interrupted")
        raise


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM is what CI sends to a job that it cancels: it ends a command as Ctrl-C does."""
    raise KeyboardInterrupt


def _say(message: str) -> None:
    if message:
        console(stderr=True).print(message, style="red", markup=False)
