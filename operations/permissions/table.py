"""Which step used which statement, and why the others are there."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from emulator.process import Statement
from emulator.record import RecordedUse
from operations.permissions.life import DEPLOY

REASONS = Path(__file__).with_name("unused.toml")


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why statements are there that no step uses: their owners and names by pattern."""

    owner: str
    statement: str
    reason: str

    def covers(self, one: Statement) -> bool:
        """Whether it speaks of a statement."""
        return fnmatchcase(one.owner, self.owner) and fnmatchcase(one.statement, self.statement)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A statement that allows, the steps that used it, and those that it was needed in."""

    statement: Statement
    used: tuple[str, ...]
    needed: tuple[str, ...]
    reason: str = ""


def read_reasons(file: Path = REASONS) -> list[Reason]:
    """The reasons in the tree."""
    return [Reason(**one) for one in tomllib.loads(file.read_text(encoding="utf-8"))["unused"]]


def rows(statements: Iterable[Statement], uses: Sequence[RecordedUse], reasons: Sequence[Reason]) -> list[Row]:
    """A row for each statement that allows something."""
    steps: dict[tuple[str, str, str], dict[str, bool]] = {}
    for use in uses:
        of = steps.setdefault((use.kind, use.document, use.statement), {})
        name = use.step or DEPLOY
        of[name] = of.get(name, False) or use.needed
    return [_row(one, steps.get((one.kind, one.document, one.statement), {}), reasons) for one in _allowing(statements)]


def _allowing(statements: Iterable[Statement]) -> list[Statement]:
    return [one for one in statements if one.effect == "Allow"]


def _row(one: Statement, steps: dict[str, bool], reasons: Sequence[Reason]) -> Row:
    reason = next((found.reason for found in reasons if found.covers(one)), "") if not steps else ""
    needed = tuple(name for name, is_needed in steps.items() if is_needed)
    return Row(statement=one, used=tuple(steps), needed=needed, reason=reason)


def unexplained(table: Sequence[Row]) -> list[str]:
    """A line for each statement that no step uses and no reason covers."""
    bare = [row.statement for row in table if not row.used and not row.reason]
    return [f"no step uses, and no reason covers: {one.owner}: {one.statement} ({one.kind})" for one in bare]


def idle(table: Sequence[Row], reasons: Sequence[Reason]) -> list[str]:
    """A line for each reason that covers no unused statement."""
    unused = [row.statement for row in table if not row.used]
    bare = [one for one in reasons if not any(one.covers(statement) for statement in unused)]
    return [f"covers no unused statement: {one.owner}: {one.statement}" for one in bare]
