"""Interrupting a program that must not simply be killed: it is asked once, and waited for."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from rich.console import Console

from operations.outcome import Failed

# A group of its own: Ctrl-C reaches it through us, once. Terraform takes a second one as the order to drop everything,
# and would leave the state locked.
IN_ITS_OWN_GROUP: dict[str, Any] = {"start_new_session": True, "stdin": subprocess.DEVNULL}


class Interruption:
    """Asks a process to stop when this one is asked to, once."""

    def __init__(self, console: Console) -> None:
        self.requested = False
        self._console = console
        self._process: subprocess.Popen[Any] | None = None

    def of(self, process: subprocess.Popen[Any]) -> None:
        """Say which process it is about. If a request came before the process was known, it is passed on now."""
        self._process = process
        if self.requested:
            process.send_signal(signal.SIGINT)

    def request(self, _signal: int, _frame: FrameType | None) -> None:
        """Handle SIGINT or SIGTERM."""
        if self.requested:
            identity = f" (process {self._process.pid})" if self._process else ""
            self._console.print(f"still stopping{identity}")
            return
        self.requested = True
        self._console.print("stopping: Terraform finishes what it has begun, writes the state and releases its lock")
        if self._process:
            self._process.send_signal(signal.SIGINT)


@contextmanager
def passed_on(console: Console) -> Iterator[Interruption]:
    """Pass the first SIGINT or SIGTERM on to a process, as SIGINT; KeyboardInterrupt once the block has ended.

    The block starts the process (``IN_ITS_OWN_GROUP``), says which one it is, and waits for it. Terraform, when it is
    asked to stop, finishes the calls that are under way, writes the state and releases its lock.
    """
    interruption = Interruption(console)
    before = {number: signal.signal(number, interruption.request) for number in (signal.SIGINT, signal.SIGTERM)}
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
