"""Child processes that end with this one, in whatever way it ends."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping, Sequence

# The command ends when its standard input is closed, as it is when this process ends in any way.
UNTIL_THE_END = '"$@" </dev/null & child=$!; cat >/dev/null; kill -9 $child'


def run(command: Sequence[str], variables: Mapping[str, str], *, folder: str | None = None) -> socket.socket:
    """Run a command until the socket that is returned is closed, as at the end of this process."""
    lifeline, inside = socket.socketpair()
    with inside:
        subprocess.Popen(
            ["/bin/sh", "-c", UNTIL_THE_END, "sh", *command],
            stdin=inside.fileno(),
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath), **variables},
        )
    return lifeline
