"""`make release`: the same command, with nothing taken from a shell's own variables."""

from __future__ import annotations

import shlex
import shutil

import pytest

from tests.operations.test_makefile import make
from tests.release.support import NEW

pytestmark = [
    pytest.mark.requirement("W2.4"),
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
]


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ((f"IMAGE={NEW}",), f"--image {NEW} --environment local --region primary"),
        ((f"IMAGE={NEW}", "ENV=staging", "REGION=recovery"), f"--image {NEW} --environment staging --region recovery"),
        (("ARGS=--resume",), "--environment local --region primary --resume"),
        (("ARGS=--stop", "ENV=staging"), "--environment staging --region primary --stop"),
    ],
)
def test_make_release_is_the_command(given: tuple[str, ...], options: str) -> None:
    # What a shell may have for other purposes.
    result = make("--dry-run", "release", "SERVICE=web", *given, REGION="eu", IMAGE="photo.png", SERVICE="ssh")

    command = next(line for line in result.stdout.splitlines() if "-m operations release" in line)
    assert " ".join(shlex.split(command)).endswith(f"-m operations release web {options}")
