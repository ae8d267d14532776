"""Questions to the person at the terminal, before something is changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from operations.outcome import Refused


def refuse_silence(approve: bool) -> None:
    """Make sure that somebody can be asked, unless ``approve`` says that nobody is.

    Raises:
        Refused: there is no terminal.
    """
    if not approve and not sys.stdin.isatty():
        raise Refused("--approve: needed where there is no terminal to ask on")


def agreed(question: str) -> bool:
    """Whether the answer is yes. Raises KeyboardInterrupt where there is none: Ctrl-C, or the end of input."""
    with _answered():
        return typer.confirm(question)


def typed(question: str) -> str:
    """What is typed. Raises as ``agreed``."""
    with _answered():
        return str(typer.prompt(question, default="", show_default=False))


@contextmanager
def _answered() -> Iterator[None]:
    """Ctrl-C at a question is an interruption, and not typer's own end."""
    try:
        yield
    except typer.Abort:
        raise KeyboardInterrupt from None
