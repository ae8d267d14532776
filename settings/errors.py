"""Errors in settings, as lines that a person can act on.

Every problem of a settings file is one line: the field, the value that was found and what is allowed. All problems of a
file are reported at once. No line contains a Python type name, a traceback or a link to a library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from settings.former_keys import FORMER_KEYS

LONGEST_VALUE_SHOWN = 80  # characters; a pasted document in a field must not fill the screen


class SettingsError(Exception):
    """The settings cannot be used. ``lines`` holds one line for each problem, without a line break in it."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(_one_line(line) for line in lines)
        super().__init__("\n".join(self.lines))


def describe(error: ValidationError, source: str) -> SettingsError:
    """Convert pydantic's errors to a SettingsError; each line begins with ``source``, the file's name."""
    return SettingsError([f"{source}: {_line(problem)}" for problem in error.errors(include_url=False)])


def _line(problem: Mapping[str, Any]) -> str:
    field = ".".join(str(part) for part in problem["loc"])
    kind = problem["type"]
    if kind == "missing":
        return f"{field}: not set; it is required"
    if kind == "extra_forbidden" and problem["loc"][-1] in FORMER_KEYS:
        return f"{field}: is now called {FORMER_KEYS[problem['loc'][-1]]}; rename the key, its value means the same"
    if kind == "extra_forbidden":
        return f"{field}: {_shown(problem['input'])} is not a known setting; see docs/settings.md for those that are"
    if kind == "value_error" and isinstance(problem["input"], Mapping):
        message = str(problem["ctx"]["error"])  # a rule over several fields names them and their values itself
        return f"{field}.{message}" if field else message
    return f"{field or 'settings'}: {_shown(problem['input'])} is not allowed; {_allowed(problem)}"


def _allowed(problem: Mapping[str, Any]) -> str:
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    # pydantic's own messages say what is allowed in the form "Input should be ..."
    message = str(problem["msg"])
    return message[:1].lower() + message[1:]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE_SHOWN else text[:LONGEST_VALUE_SHOWN] + "..."


def _one_line(text: str) -> str:
    """A value may hold any character: those that would break or restyle a terminal's line are shown escaped."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
