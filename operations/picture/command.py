"""`make picture`: draws the architecture of what a plan, or the configuration of an environment, would build.

Exit codes: 0 drawn, 2 nothing that can be read, or bad settings.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rich.console import Console

from operations.outcome import Refused
from operations.picture.contents import picture
from operations.picture.model import Picture, counted
from operations.picture.plan import read
from operations.picture.svg import svg
from operations.synthesized import PROJECT, absolute, synthesize
from settings import SettingsError, load

STANDARD_INPUT = "-"
PICTURE = PROJECT / "docs" / "architecture.svg"
"""What the README shows: the environment that has most in it."""


def run(source: str | None, environment: str, output: Path, console: Console) -> None:
    """Draw ``source``, or ``environment`` where there is none, into the file ``output``.

    Args:
        source: a file of terraform show -json or a cdk.tf.json, ``-`` for standard input, or None.
        environment: what is synthesized where there is no source.
        output: the SVG file.
        console: where to say what was drawn, and how many of which types were not.

    Raises:
        Refused: there is nothing that can be read, or no place to write to.
        Failed: the environment could not be synthesized.
    """
    drawn = picture(read(*_text(source, environment)))
    try:
        output.write_text(svg(drawn), encoding="utf-8")
    except OSError as error:
        raise Refused(f"--output: {output}: {error.strerror}; a file in a folder that exists is allowed") from error
    console.print(f"{output}: {drawn.title}", markup=False)
    _say_rest(drawn, console)


def _text(source: str | None, environment: str) -> tuple[str, str]:
    if source is None:
        return _synthesized(environment), environment
    if source == STANDARD_INPUT:
        return sys.stdin.read(), "standard input"
    try:
        return Path(source).read_text(encoding="utf-8"), source
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{source}: cannot be read ({error}); a file of terraform show -json is allowed") from error


def _synthesized(environment: str) -> str:
    try:
        load(environment)
    except SettingsError as error:
        raise Refused(str(error)) from error
    with tempfile.TemporaryDirectory() as directory:
        stack = synthesize(absolute(environment), Path(directory))
        return (stack / "cdk.tf.json").read_text(encoding="utf-8")


def _say_rest(drawn: Picture, console: Console) -> None:
    if drawn.rest:
        console.print(f"not drawn: {counted(sum(drawn.rest.values()), 'resource')}", markup=False)
    for type_, number in drawn.rest.items():
        console.print(f"{number:5} {type_}", markup=False)
