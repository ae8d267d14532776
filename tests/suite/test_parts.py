"""The parts of the platform's life: each is played once, whatever comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from tests.lifecycle import parts


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(parts, "place", lambda: tmp_path)
    return tmp_path


def test_part_is_run_once_and_its_output_is_kept(place: Path) -> None:
    played: list[Path] = []

    def play(directory: Path, console: Console) -> str:
        played.append(directory)
        console.print("deployed")
        return "outcome"

    assert [parts.played("one", play) for _ in range(2)] == ["outcome", "outcome"]
    assert played == [place / "one"]
    assert (parts.screen("one"), parts.played_parts()) == ("deployed\n", ["one"])


def test_failed_part_fails_all_its_users_with_its_reason_and_output() -> None:
    played: list[Path] = []

    def play(directory: Path, console: Console) -> None:
        played.append(directory)
        console.print("second plan")
        raise ValueError("not empty")

    for _ in range(2):
        with pytest.raises(AssertionError, match=r"(?s)one failed:\nsecond plan\n.*ValueError: not empty"):
            parts.played("one", play)
    assert len(played) == 1
