"""The recorder of a session: on a real terminal, as text, and nothing where a step failed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from operations.project.session import STEPS, Step, StepFailed, record, shown
from tests.operations.support import REPOSITORY

pytestmark = pytest.mark.requirement("W8.2")


def test_a_session_is_written_as_a_terminal_shows_it(tmp_path: Path) -> None:
    page = tmp_path / "session.md"
    steps = [
        Step(
            "Look", "test -t 1 && tput cols 2>/dev/null; printf '\\033[32mgreen\\033[0m\\n1 of 2\\r2 of 2\\r\\ndone\\n'"
        ),
        Step("Be refused", "echo no; exit 2", code=2),
    ]
    record(steps, page, tmp_path)
    text = page.read_text(encoding="utf-8")
    assert "## Look" in text
    assert "100\ngreen\n2 of 2\ndone\n```" in text
    assert "exit code 2." in text
    assert "\x1b" not in text


def test_nothing_is_written_where_a_step_fails(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"exit code 1, and not 0\nlast words"):
        record([Step("Fail", "echo last words; exit 1")], tmp_path / "session.md", tmp_path)
    assert not (tmp_path / "session.md").exists()


def test_page_has_no_folder_of_the_machine_that_recorded_it(tmp_path: Path) -> None:
    page = tmp_path / "session.md"
    record([Step("Look", "pwd; echo its provider from the mirror /opt/plugins")], page, tmp_path.resolve())
    text = page.read_text(encoding="utf-8")
    assert "~/payment-platform\nits provider from the mirror ~/mirror\n" in text
    assert str(tmp_path) not in text


def test_step_that_does_not_end_is_hung_up_and_fails(tmp_path: Path) -> None:
    step = Step("Wait for what never comes", "echo begun; until false; do sleep 0.05; done")
    with pytest.raises(StepFailed, match=r"exit code -1, and not 0\nbegun"):
        record([step], tmp_path / "session.md", tmp_path, seconds_to_end=0.5)


def test_a_line_that_is_rewritten_is_there_once() -> None:
    assert shown("a\r\n\r\x1b[2Kb 1\r\x1b[2Kb 2\r\n\r\n") == ["a", "b 2"]


def test_a_picture_that_is_drawn_again_is_there_once_as_it_was_last() -> None:
    first = "head\r\n\x1b[32m10 %\x1b[0m\r\nlong line of the first\r\n"
    again = "\x1b[1A\x1b[2K\x1b[1A\x1b[2K100 %\r\nshort\r\n"
    assert shown(first + again + "end\r\n") == ["head", "100 %", "short", "end"]
    assert shown("over there\rhere\x1b[K\r\n1\r\n2\x1b[1A\x1b[J!\r\n") == ["here", "1!"]


def test_each_command_of_the_session_is_one_of_make() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE))
    used = {word for step in STEPS for word in re.findall(r"make (?:-s )?([a-z-]+)", step.line)}
    assert used <= targets
    assert used >= {"setup", "deploy-local", "pay", "release", "failover", "destroy-local"}
