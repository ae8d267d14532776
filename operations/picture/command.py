"""`make picture`: draws the architecture of a plan, or of the configuration of an environment.

Exit codes: 0 drawn, 1 not drawn, 2 unreadable input, invalid settings, or missing Node packages.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rich.console import Console

from operations.deployment.synthesized import absolute, synthesize
from operations.outcome import Refused
from operations.picture.contents import picture
from operations.picture.graph import graph
from operations.picture.model import Picture, counted
from operations.picture.plan import read
from operations.picture.svg import svg
from operations.picture.tables import page_with_tables
from operations.project_root import PROJECT
from settings import SettingsError, load

STANDARD_INPUT = "-"
PICTURE = PROJECT / "docs" / "architecture.svg"
"""The environment of the README's picture: the one with the most resources."""
PAGE = PICTURE.with_suffix(".md")
"""The page with the tables."""


def run(source: str | None, environment: str, output: Path | None, console: Console) -> None:
    """Draw ``source``, or ``environment`` without one, and print how many resources of which types are not drawn.

    Args:
        source: a file of terraform show -json or a cdk.tf.json, ``-`` for standard input, or None.
        environment: the environment that is synthesized without a source.
        output: the SVG file, or None: docs/architecture.svg, and without a source also the tables in
            docs/architecture.md.
        console: the console to print to.

    Raises:
        Refused: the source cannot be read, the output cannot be written, or Node packages are missing.
        Failed: the environment could not be synthesized, or the graph could not be drawn.
    """
    text, name = _text(source, environment)
    drawn = picture(read(text, name))
    _write(output or PICTURE, svg(graph(drawn)))
    if output is None and source is None:
        _write(PAGE, page_with_tables(PAGE.read_text(encoding="utf-8"), text, name))
    console.print(drawn.title, markup=False)
    _say_rest(drawn, console)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"--output: {path}: {error.strerror}; a file in a folder that exists is allowed") from error


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
