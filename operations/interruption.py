"""Interrupting a program that must not simply be killed: it is asked once, and waited for."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from rich.console import Console

from operations.outcome import Failed

# A group of its own: Ctrl-C reaches it through us, once. Terraform takes a second one as the order to drop everything,
# and would leave the state locked.
IN_ITS_OWN_GROUP: dict[str, Any] = {"start_new_session": True, "stdin": subprocess.DEVNULL}


@contextmanager
def passed_on(console: Console) -> Iterator[Callable[[subprocess.Popen[Any]], None]]:
    """Pass the first SIGINT or SIGTERM on to a process, as SIGINT; KeyboardInterrupt once the block has ended.

    The block starts the process (``IN_ITS_OWN_GROUP``), hands it to the function that it is given, and waits for it.
    Terraform, when it is asked to stop, finishes the calls that are under way, writes the state and releases its lock.
    """
    processes: list[subprocess.Popen[Any]] = []
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            console.print("stopping: Terraform finishes what it has begun, writes the state and releases its lock")
            for process in processes:
                process.send_signal(signal.SIGINT)
        elif processes:
            console.print(f"still stopping (process {processes[0].pid})")

    def started(process: subprocess.Popen[Any]) -> None:
        processes.append(process)
        if received:
            process.send_signal(signal.SIGINT)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield started
    except Failed:
        if not received:
            raise  # otherwise it failed because it was asked to stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        raise KeyboardInterrupt
