"""What a command that ends by an error says: one line and a documented exit code, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.requirement("W8.1")

PROGRAM = """
import subprocess
from emulator.process import EmulatorError
from operations.outcome import Failed, Refused, exit_codes

with exit_codes():
    raise {error}
"""


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        ('Failed("the region does not answer")', "the region does not answer", 1),
        ('Refused("count: -1 is not allowed")', "count: -1 is not allowed", 2),
        ('EmulatorError("the local AWS does not answer: timed out")', "the local AWS does not answer: timed out", 1),
        ('FileNotFoundError(2, "No such file", "plan.json")', "plan.json: No such file", 1),
        ('subprocess.TimeoutExpired(["terraform", "plan"], 3)', "terraform: no answer within 3 s", 1),
        ("KeyboardInterrupt", "interrupted", 130),
    ],
)
def test_error_ends_a_command_with_one_line_and_its_code(error: str, line: str, code: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(error=error)], capture_output=True, text=True, check=False
    )

    assert ended.stderr.splitlines() == [line]
    assert ended.returncode == code
