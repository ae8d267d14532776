"""The lifetime of a local AWS: its state file, locked while it runs, and its end at a signal."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn, TextIO

from werkzeug.serving import BaseWSGIServer

from emulator.address import STATE_FILE

SECONDS_TO_LOCK = 2.0


class CannotServeError(Exception):
    """The server cannot start; the message is one line for a person."""


def lock_state(directory: Path) -> TextIO:
    """The state file of a server's directory, locked for as long as it is open.

    Raises:
        CannotServeError: the directory belongs to a server that runs.
    """
    directory.mkdir(parents=True, exist_ok=True)
    state = (directory / STATE_FILE).open("a+", encoding="utf-8")
    deadline = time.monotonic() + SECONDS_TO_LOCK
    while True:
        try:
            fcntl.flock(state, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return state
        except OSError:
            # Somebody who only looks (emulator.process.find) holds it for a moment.
            if time.monotonic() > deadline:
                raise CannotServeError(f"a local AWS already runs in {directory}") from None
            time.sleep(0.05)


def write_state(state: TextIO, url: str) -> None:
    """Say in a locked state file where this process serves."""
    state.truncate(0)
    state.write(json.dumps({"pid": os.getpid(), "url": url}))
    state.flush()


def end_at_a_signal(server: BaseWSGIServer) -> NoReturn:
    """Wait for SIGTERM or SIGINT, which every thread blocks, and end the process with exit code 0."""
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.shutdown()
    server.server_close()
    _end_what_runs()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: the interpreter would first wait for every thread that moto started and left behind.
    os._exit(0)


def _end_what_runs() -> None:
    from emulator.runtime.databases.clusters import SERVERS
    from emulator.runtime.execution_environments import ENVIRONMENTS
    from emulator.runtime.tasks.keeper import KEEPER

    KEEPER.end_all()
    ENVIRONMENTS.end_all()
    SERVERS.end()
