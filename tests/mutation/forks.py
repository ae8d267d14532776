"""Runs something in a fork of this process, and gives what it says: its memory is gone when it ends."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable


class ForkFailedError(Exception):
    """The fork ended by an error, which it has printed."""


def in_fork(work: Callable[[], Iterable[str]]) -> list[str]:
    """The lines that ``work`` yields in a fork.

    Raises:
        ForkFailedError: it ended by an error.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os._exit(_told(work, writing))
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        lines = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    if status:
        raise ForkFailedError(f"a fork ended with {status}")
    return lines


def _told(work: Callable[[], Iterable[str]], writing: int) -> int:
    try:
        with os.fdopen(writing, "w", encoding="utf-8") as pipe:
            pipe.writelines(f"{line}\n" for line in work())
    except BaseException:  # noqa: BLE001 - nothing may return into the parent's code in a fork
        traceback.print_exc()
        return 1
    return 0
