"""Interrupting Terraform, which must not simply be killed: it is asked once, and waited for.

Asked by SIGINT it finishes the calls that are under way, writes the state and releases its lock. A second request would
be taken as the order to drop everything. Whatever ends a command is passed on as that one request: Ctrl-C, SIGTERM, a
terminal that is closed (SIGHUP), or an output that nobody reads any more (``| head``, a pager that is left, a ``tee``
that Ctrl-C ended first). The pipe that Terraform writes to is this program's, which reads it to its end: a Terraform
whose reader is gone dies by SIGPIPE, with its state unwritten (hashicorp/terraform#31911).
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from rich.console import Console

from operations.outcome import Failed, output_is_lost

# A group of its own: Ctrl-C on a terminal goes to the whole group, and reaches Terraform through us, once.
IN_ITS_OWN_GROUP: dict[str, Any] = {"start_new_session": True, "stdin": subprocess.DEVNULL}
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Asks a Terraform process to stop when this program is asked to, or when nobody reads its output: once."""

    def __init__(self, console: Console) -> None:
        self.requested = False
        self._console = console
        self._process: subprocess.Popen[Any] | None = None

    def of(self, process: subprocess.Popen[Any]) -> None:
        """Say which process it is about. If a request came before the process was known, it is passed on now."""
        self._process = process
        if self.requested:
            process.send_signal(signal.SIGINT)

    def request(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Handle a signal of ENDING_SIGNALS. Terraform is asked first, whatever becomes of what is printed."""
        if self.requested:
            identity = f" (process {self._process.pid})" if self._process else ""
            self._say(f"still stopping{identity}")
            return
        self.requested = True
        if self._process:
            self._process.send_signal(signal.SIGINT)
        self._say("stopping: Terraform finishes what it has begun, writes the state and releases its lock")

    def check_output(self) -> None:
        """Request a stop if the output has nobody to read it."""
        if output_is_lost() and not self.requested:
            self.request()

    def _say(self, text: str) -> None:
        with contextlib.suppress(RuntimeError, OSError):  # a signal may come in the middle of a line being written
            self._console.print(text)


@contextmanager
def passed_on(console: Console) -> Iterator[Interruption]:
    """Pass the first of ENDING_SIGNALS on to a process, as SIGINT; KeyboardInterrupt once the block has ended.

    The block starts the process (``IN_ITS_OWN_GROUP``), says which one it is, reads its output to the end, with
    ``check_output`` after what it prints itself, and waits for it.
    """
    interruption = Interruption(console)
    before = {number: signal.signal(number, interruption.request) for number in ENDING_SIGNALS}
    try:
        yield interruption
    except Failed:
        if not interruption.requested:
            raise  # otherwise it failed because it was asked to stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if interruption.requested:
        raise KeyboardInterrupt


@contextmanager
def deferred() -> Iterator[None]:
    """Defer an interruption until the block has ended, and raise KeyboardInterrupt then."""
    requested: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: requested.append(number)) for number in ENDING_SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if requested:
        raise KeyboardInterrupt
