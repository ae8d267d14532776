"""The folder of all servers of this process, and the watchdog that stops them and removes it when the process ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from emulator.runtime.postgresql import give_away

SECONDS_TO_END = 5.0
# Waits for the end of its input, which this process holds open while it runs.
_KEEPER = """
cat >/dev/null
for file in "$0"/*/data/postmaster.pid; do
    [ -e "$file" ] && kill -QUIT "$(head -n 1 "$file")" 2>/dev/null
done
until rm -rf "$0" 2>/dev/null; do sleep 0.1; done
"""


class Folder:
    """A folder that is created when it is first needed; a fork creates its own."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._path: Path | None = None
        self._held: socket.socket | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._made = 0

    def new(self) -> Path:
        """A new folder in it, for one server."""
        with self._lock:
            if self._path is None:
                self._path = Path(tempfile.mkdtemp(prefix="local-aws-databases-"))
                give_away(self._path)
                # A socket and not a pipe, because a fork closes the sockets that it inherits.
                self._held, waits = socket.socketpair()
                with waits:
                    self._keeper = subprocess.Popen(
                        ["sh", "-c", _KEEPER, str(self._path)], stdin=waits.fileno(), start_new_session=True, cwd="/"
                    )
            self._made += 1
            path = self._path / str(self._made)
        path.mkdir(mode=0o700)
        give_away(path)
        return path

    def end(self) -> None:
        """Stop all servers at once and remove their data."""
        with self._lock:
            if self._held is None or self._keeper is None:
                return
            self._held.shutdown(socket.SHUT_RDWR)
            self._held.close()
            with contextlib.suppress(subprocess.TimeoutExpired):  # the watchdog continues by itself
                self._keeper.wait(SECONDS_TO_END)


def remove(path: Path) -> None:
    """Remove the folder of a stopped server."""
    shutil.rmtree(path, ignore_errors=True)


FOLDER = Folder()
"""The folder of this process."""
