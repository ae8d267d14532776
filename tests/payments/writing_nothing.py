"""Runs a module as `python writing_nothing.py -m MODULE ARGUMENTS` would, and refuses to open any file for writing.

So a process runs in a task whose root is read-only and whose volumes belong to root: with no folder of its own.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook; devices and the process's own descriptors are no files."""
    if event == "open":
        path, _, flags = arguments
        own = isinstance(path, int) or str(path).startswith(("/dev/", "/proc/self/fd/"))
        if not own and isinstance(flags, int) and flags & WRITING:
            raise PermissionError(f"{path} is opened for writing")
    elif event in {"os.mkdir", "tempfile.mkstemp", "tempfile.mkdtemp"}:
        raise PermissionError(f"{event}: {arguments}")


if __name__ == "__main__":
    _, option, module, *arguments = sys.argv
    if option != "-m":
        raise SystemExit("usage: writing_nothing.py -m MODULE ARGUMENTS")
    sys.path[0] = str(Path.cwd())  # as with -m
    sys.argv = [module, *arguments]
    sys.addaudithook(_refuse)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
