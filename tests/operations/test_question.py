"""A question at the terminal: no answer is an interruption, and progress is told on a terminal that draws nothing."""

from __future__ import annotations

import io
from typing import Any

import pytest
import typer
from rich.console import Console

from operations import question
from operations.deployment import terraform
from operations.outcome import Refused


@pytest.mark.parametrize("ask", [question.agreed, question.typed])
def test_ctrl_c_at_a_question_is_an_interruption(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise typer.Abort

    monkeypatch.setattr(typer, "confirm", interrupted)
    monkeypatch.setattr(typer, "prompt", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ask("Deploy this?")


def test_question_without_a_terminal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    question.refuse_silence(approve=True)
    with pytest.raises(Refused, match="--approve: needed"):
        question.refuse_silence(approve=False)


def test_dumb_terminal_gets_lines_instead_of_a_progress_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(terraform, "SECONDS_BETWEEN_LINES", 0.0)
    said = io.StringIO()
    console = Console(file=said, force_terminal=True, width=80)
    with terraform._shown(console, "apply", terraform.Progress()) as show:
        show()
        show()
    assert said.getvalue().count("apply preparing") == 3
