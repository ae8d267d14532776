"""Which step used which statement, and why the others are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.process import Statement
from emulator.record import RecordedUse
from operations.permissions.life import DEPLOY
from operations.reasons import Reason

REASONS = Path(__file__).with_name("unused.toml")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A statement that allows, the steps that used it, and those that it was needed in."""

    statement: Statement
    used: tuple[str, ...]
    needed: tuple[str, ...]
    reason: str = ""


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
    reason = next((found.reason for found in reasons if _covers(found, one)), "") if not steps else ""
    needed = tuple(name for name, is_needed in steps.items() if is_needed)
    return Row(statement=one, used=tuple(steps), needed=needed, reason=reason)


def _covers(reason: Reason, one: Statement) -> bool:
    return reason.covers(owner=one.owner, statement=one.statement)


def unexplained(table: Sequence[Row]) -> list[str]:
    """A line for each statement that no step uses and no reason covers."""
    bare = [row.statement for row in table if not row.used and not row.reason]
    return [f"no step uses, and no reason covers: {one.owner}: {one.statement} ({one.kind})" for one in bare]


def idle(table: Sequence[Row], reasons: Sequence[Reason]) -> list[str]:
    """A line for each reason that covers no unused statement."""
    unused = [row.statement for row in table if not row.used]
    bare = [one for one in reasons if not any(_covers(one, statement) for statement in unused)]
    return [f"covers no unused statement: {one}" for one in bare]
