"""Deletion of statements, one at a time: the step that needed each must miss it, and the refusal must name it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from emulator import process
from emulator.process import Statement
from emulator.record import RecordedRefusal, read_refusals
from operations.outcome import Failed, Refused
from operations.permissions.life import STEPS, Life, Step, take
from operations.permissions.table import Row
from operations.reasons import sample

QUICK = ("plan", "pay", "rotation", "export", "release", "failover", "rollback", "lost-region")
"""Steps by their time, the shortest first: a statement is missed in the first that needs it."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Which statements are deleted: of those that a later step needs a ``share`` (0 to 1), chosen by ``seed``."""

    share: float
    seed: int

    def of(self, table: Sequence[Row]) -> Iterator[tuple[Row, Step]]:
        """The rows, each with the step that is taken without its statement."""
        needed = [(row, step) for row in table if (step := _first(row))]
        yield from sample(needed, self.share, self.seed)


def _first(row: Row) -> Step | None:
    name = next((one for one in QUICK if one in row.needed), "")
    return next((step for step in STEPS if step.name == name), None)


@dataclass(frozen=True, kw_only=True)
class Missed:
    """What came of a step without a statement: whether it failed, and what was refused meanwhile."""

    statement: Statement
    step: str
    failed: bool
    refusals: tuple[RecordedRefusal, ...]

    @property
    def named(self) -> str:
        """The missing permission that a refusal by a policy of this kind names; empty where none does."""
        return next((one.missing for one in self.refusals if one.refused_by == self.statement.kind), "")

    @property
    def problem(self) -> str:
        """What is wrong with it; empty where the deletion was noticed."""
        return "" if self.named else f"nobody missed {self._what} in {self.step!r}"

    @property
    def text(self) -> str:
        """It in words."""
        outcome = "failed" if self.failed else "went on"
        return f"without {self._what}: {self.step} {outcome}; {self.named or 'nothing was refused'}"

    @property
    def _what(self) -> str:
        return f"{self.statement.statement} of {self.statement.owner}"


def strike(statement: Statement, step: Step, life: Life) -> Missed:
    """Take a step without a statement, which is restored after it."""
    server, before = life.server, len(read_refusals(life.server.directory))
    process.strike(server, statement)
    failed = False
    try:
        take(step, life)
    except (Failed, Refused, process.EmulatorError):
        failed = True
    finally:
        process.strike(server)
    refusals = tuple(read_refusals(server.directory)[before:])
    return Missed(statement=statement, step=step.name, failed=failed, refusals=refusals)
