"""Interrupting Terraform, which must not simply be killed: it is asked once, and waited for.

Asked by SIGINT it finishes the calls that are under way, writes the state and releases its lock. cdktf-cli, when it is
asked, kills its Terraform at once, which leaves the state locked: so the request goes past it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from operations.outcome import Failed

# A group of its own: Ctrl-C reaches it through us, once. Terraform takes a second one as the order to drop everything,
# and would leave the state locked.
IN_ITS_OWN_GROUP: dict[str, Any] = {"start_new_session": True, "stdin": subprocess.DEVNULL}


class Interruption:
    """Asks the Terraform that a process is, or has started, to stop when this program is asked to: once."""

    def __init__(self, console: Console) -> None:
        self.requested = False
        self._console = console
        self._process: subprocess.Popen[Any] | None = None

    def of(self, process: subprocess.Popen[Any]) -> None:
        """Say which process it is about. If a request came before the process was known, it is passed on now."""
        self._process = process
        if self.requested:
            _ask_to_stop(process)

    def request(self, _signal: int, _frame: FrameType | None) -> None:
        """Handle SIGINT or SIGTERM."""
        if self.requested:
            identity = f" (process {self._process.pid})" if self._process else ""
            self._console.print(f"still stopping{identity}")
            return
        self.requested = True
        self._console.print("stopping: Terraform finishes what it has begun, writes the state and releases its lock")
        if self._process:
            _ask_to_stop(self._process)


def _ask_to_stop(process: subprocess.Popen[Any]) -> None:
    below = _terraforms_below(process.pid)
    if not below:
        process.send_signal(signal.SIGINT)
    for pid in below:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)


def _terraforms_below(pid: int) -> list[int]:
    """The ids of the Terraform processes that a process has started, itself or through others."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,comm="], capture_output=True, text=True, check=True)
    children: dict[int, list[tuple[int, str]]] = {}
    for child, parent, name in (line.split(maxsplit=2) for line in listing.stdout.splitlines()):
        children.setdefault(int(parent), []).append((int(child), Path(name).name))

    def below(parent: int) -> Iterator[int]:
        for child, name in children.get(parent, []):
            if name == "terraform":
                yield child
            yield from below(child)

    return list(below(pid))


@contextmanager
def passed_on(console: Console) -> Iterator[Interruption]:
    """Pass the first SIGINT or SIGTERM on to a process, as SIGINT; KeyboardInterrupt once the block has ended.

    The block starts the process (``IN_ITS_OWN_GROUP``), says which one it is, and waits for it.
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


@contextmanager
def deferred() -> Iterator[None]:
    """Defer an interruption until the block has ended: KeyboardInterrupt then, if SIGINT or SIGTERM came meanwhile."""
    requested: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: requested.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if requested:
        raise KeyboardInterrupt
