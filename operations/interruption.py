"""Interruption of Terraform, which must not be killed: it gets one SIGINT and is waited for.

After a SIGINT it finishes the calls in progress, writes the state and releases its lock; after a second one it aborts.
Every interruption of a command is forwarded as that one signal: Ctrl-C, SIGTERM, a closed terminal (SIGHUP), or an
output without a reader (``| head``, a pager that was quit, a ``tee`` that Ctrl-C ended first). Terraform's output goes
to this program, which reads it to its end: a Terraform without a reader dies of SIGPIPE, with its state unwritten
(hashicorp/terraform#31911).
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

# A process group of its own: Ctrl-C on a terminal signals the whole group; Terraform gets it from us, once.
IN_ITS_OWN_GROUP: dict[str, Any] = {"start_new_session": True, "stdin": subprocess.DEVNULL}
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Interrupts a Terraform process once, when this program is interrupted or its output has no reader."""

    def __init__(self, console: Console) -> None:
        self.requested = False
        self._console = console
        self._process: subprocess.Popen[Any] | None = None

    def of(self, process: subprocess.Popen[Any]) -> None:
        """Set the process. An earlier interruption is forwarded now."""
        self._process = process
        if self.requested:
            process.send_signal(signal.SIGINT)

    def request(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Handle a signal of ENDING_SIGNALS. Terraform is interrupted first, before anything is printed."""
        if self.requested:
            identity = f" (process {self._process.pid})" if self._process else ""
            self._say(f"still stopping{identity}")
            return
        self.requested = True
        if self._process:
            self._process.send_signal(signal.SIGINT)
        self._say("stopping: Terraform finishes what it has begun, writes the state and releases its lock")

    def check_output(self) -> None:
        """Interrupt if the output has no reader."""
        if output_is_lost() and not self.requested:
            self.request()

    def _say(self, text: str) -> None:
        with contextlib.suppress(RuntimeError, OSError):  # a signal may come in the middle of a line being written
            self._console.print(text)


@contextmanager
def passed_on(console: Console) -> Iterator[Interruption]:
    """Forward the first of ENDING_SIGNALS to a process, as SIGINT; raise KeyboardInterrupt after the block.

    The block starts the process (``IN_ITS_OWN_GROUP``), sets it, reads its output to the end, with
    ``check_output`` after what it prints itself, and waits for it.
    """
    interruption = Interruption(console)
    before = {number: signal.signal(number, interruption.request) for number in ENDING_SIGNALS}
    try:
        yield interruption
    except Failed:
        if not interruption.requested:
            raise  # otherwise it failed because of the interruption
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
