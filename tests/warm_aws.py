"""A local AWS for a test or a file, from a warm one: a fork answers in a tenth of a second, a start takes two.

The models of a service are loaded when it is first called, of all services in 6 s of processor, and a fork has those of
its base. So a base that is forked often loads them once, before the fork of WORTH_LOADING.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from emulator import inventory, process
from emulator.clock import DEFAULT_SECONDS_PER_MINUTE
from emulator.process import Server
from tests import costs

WORTH_LOADING = 3  # a single test does without
LocalAws = Callable[..., AbstractContextManager[Server]]
"""``local_aws(directory, seconds_per_minute=0.05)``: an empty local AWS for a ``with`` block."""


def forks_of(warm: Server) -> LocalAws:
    """Makes local AWSs that are empty as ``warm`` is, which nobody else may use."""
    numbers = itertools.count(1)

    @contextlib.contextmanager
    def local_aws(directory: Path, *, seconds_per_minute: float = DEFAULT_SECONDS_PER_MINUTE) -> Iterator[Server]:
        if sys.platform != "linux":  # where a process with threads is not forked
            with process.running(directory, seconds_per_minute=seconds_per_minute) as server:
                yield server
            return
        if next(numbers) == WORTH_LOADING:
            inventory.leftovers(warm.url)  # which calls every service
        with process.forked(warm, directory) as server:
            process.set_clock(server, seconds_per_minute)
            try:
                yield server
            finally:
                costs.add(server.pid)

    return local_aws
