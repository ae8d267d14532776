"""Removes the registry from Pipfile locks: `python -m operations.project.lock_files Pipfile.lock`.

Each user's pip configuration names the registry, and hashes verify packages from any registry. `pipenv lock` writes its
default source nevertheless.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def without_registry(lock: dict[str, Any]) -> dict[str, Any]:
    """``lock`` with an empty list of sources and no package that names one."""
    return {
        section: content | {"sources": []}
        if section == "_meta"
        else {name: _without_index(package) for name, package in content.items()}
        for section, content in lock.items()
    }


def _without_index(package: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in package.items() if key != "index"}


def main(paths: list[str]) -> None:
    """Rewrite the lock files at ``paths`` in place, in pipenv's own layout."""
    for path in map(Path, paths):
        lock = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(without_registry(lock), indent=4, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
