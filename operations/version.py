"""The version of this checkout: the newest heading of CHANGELOG.md, and the commit where it is known."""

from __future__ import annotations

import re
import subprocess

from operations.project_root import PROJECT

SECONDS_FOR_GIT = 5.0


def version() -> str:
    """Such as ``1.2.0 (0123abc)``; ``unreleased`` before the first version."""
    changelog = PROJECT / "CHANGELOG.md"
    newest = re.search(r"^## \[(.+?)\]", changelog.read_text(encoding="utf-8"), re.MULTILINE)
    commit = _commit()
    return f"{newest[1].lower() if newest else 'unreleased'}{f' ({commit})' if commit else ''}"


def _commit() -> str:
    try:
        said = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=SECONDS_FOR_GIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):  # a checkout may come without git
        return ""
    return said.stdout.strip()
