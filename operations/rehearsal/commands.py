"""The project's commands in a rehearsal: as operators run them, pointed at a local AWS by their environment alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping

from emulator import process
from operations.outcome import Failed
from operations.project_root import PROJECT

LINES_OF_A_FAILURE = 8


def run(
    server: process.Server,
    *arguments: str,
    expected: int = 0,
    at: str = "",
    then: Callable[[], None] = lambda: None,
    said: int = LINES_OF_A_FAILURE,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run one of the commands, and do something at the first line with ``at``; returns what it printed.

    ``said`` is how many of its last lines are in the message of a failure, ``variables`` what the command has beside an
    administrator's access, such as the session of a role.

    Raises:
        Failed: it ended with another exit code.
    """
    command = subprocess.Popen(
        [sys.executable, "-u", "-m", "operations", *arguments],
        cwd=PROJECT,
        env={**process.complete_environment(server.url), **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    with command:
        for line in command.stdout or ():
            lines.append(line.rstrip())
            if at and at in line:
                at = ""
                then()
    if command.returncode != expected:
        last = "\n".join(lines[-said:])
        raise Failed(f"{' '.join(arguments)}: exit code {command.returncode}, expected {expected}:\n{last}")
    return "\n".join(lines)
