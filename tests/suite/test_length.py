"""Length of the Python files: at most 400 lines, so that a file is read as one thing."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_LINES = 400


def test_no_python_file_is_longer_than_the_limit() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    lengths = {
        name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in listed if (ROOT / name).exists()
    }
    assert len(lengths) > 500  # else the list is not that of the repository
    longer = {name: length for name, length in lengths.items() if length > MOST_LINES}
    assert not longer, f"longer than {MOST_LINES} lines; split by noun: {longer}"
