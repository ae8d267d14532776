"""The folder of all servers of this process, and who ends them and removes it however the process ends."""

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
# Waits for the end of what it reads, which the process holds open for as long as it lives.
_KEEPER = """
cat >/dev/null
for file in "$0"/*/data/postmaster.pid; do
    [ -e "$file" ] && kill -QUIT "$(head -n 1 "$file")" 2>/dev/null
done
until rm -rf "$0" 2>/dev/null; do sleep 0.1; done
"""


class Folder:
    """Made when it is first needed; in a fork a new one."""

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
        """Another folder in it, for one server."""
        with self._lock:
            if self._path is None:
                self._path = Path(tempfile.mkdtemp(prefix="local-aws-databases-"))
                give_away(self._path)
                # A socket and no pipe: a fork closes the sockets that it inherits.
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
        """End all servers at once and remove their data."""
        with self._lock:
            if self._held is None or self._keeper is None:
                return
            self._held.shutdown(socket.SHUT_RDWR)
            self._held.close()
            with contextlib.suppress(subprocess.TimeoutExpired):  # it goes on by itself
                self._keeper.wait(SECONDS_TO_END)


def remove(path: Path) -> None:
    """Remove the folder of a server that has ended."""
    shutil.rmtree(path, ignore_errors=True)


FOLDER = Folder()
"""That of this process."""
