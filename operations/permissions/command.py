"""The test-permissions command: the life of the platform with every permission enforced, and what it used of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from emulator import process
from emulator.record import read_refusals, read_uses
from operations.deployment.local import LocalDeployment
from operations.outcome import Failed
from operations.permissions.life import DEPLOY, DESTROY, STEPS, Life, take
from operations.permissions.sample import Missed, Sample, strike
from operations.permissions.table import REASONS, Row, idle, rows, unexplained
from operations.project_root import PROJECT
from operations.reasons import read_reasons
from operations.rehearsal.course import chosen
from settings import Settings

DIRECTORY = PROJECT / ".local-aws" / "permissions"
TASKS = 2


@dataclass(frozen=True)
class PermissionsTest:
    """A life of the platform in a local AWS of its own."""

    settings: Settings
    console: Console
    directory: Path = DIRECTORY
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, only: Sequence[str], *, keep: bool, sample: Sample) -> None:
        """Deploy, take the steps (those of ``only``, where it names any), destroy unless ``keep``, and print the table.

        Before the destruction the statements of ``sample`` are deleted, one by one, and the step that needed each is
        taken again.

        Raises:
            Refused: a step is unknown, or the machine lacks something.
            Failed: a step failed, or a deleted statement was not missed; of a whole life, also that no step uses a
                statement and no reason covers it, or that a reason covers no unused one.
        """
        steps = chosen(only, STEPS)
        deployment = LocalDeployment(self.console, self.directory, tasks=TASKS, by_deploy_role=True)
        life = Life(settings=self.settings, deployment=deployment, console=self.console)
        if process.find(self.directory) is None:
            deployment.deploy(process.free_port())
            self.seconds[DEPLOY] = sum(deployment.seconds.values())
        failures = [failure for step in steps if (failure := self._taken(step.name, life))]
        reasons = read_reasons(REASONS)
        statements = process.statements(life.server)
        table = rows(statements, read_uses(self.directory), reasons)
        failures += [problem for missed in self._missed(table, life, sample) if (problem := missed.problem)]
        if not keep:
            process.begin_step(life.server, DESTROY)
            deployment.empty()
            table = rows(statements, read_uses(self.directory), reasons)
            deployment.abandon()
        self._report(table)
        if not (only or keep):
            failures += unexplained(table) + idle(table, reasons)
        if failures:
            raise Failed("\n".join(failures))

    def _taken(self, name: str, life: Life) -> str:
        (step,) = [one for one in STEPS if one.name == name]
        before = len(read_refusals(self.directory))
        try:
            self.seconds[name] = take(step, life)
        except (Failed, process.EmulatorError) as failure:
            missing = [f"  {one.missing}" for one in read_refusals(self.directory)[before:]]
            return "\n".join([f"{name}: {failure}", *missing])
        self.console.print(f"{name}: {step.meaning}: {self.seconds[name]:.0f} s", markup=False)
        return ""

    def _missed(self, table: Sequence[Row], life: Life, sample: Sample) -> list[Missed]:
        found = []
        for row, step in sample.of(table):
            missed = strike(row.statement, step, life)
            self.console.print(missed.text, markup=False, soft_wrap=True)
            found.append(missed)
        return found

    def _report(self, table: Sequence[Row]) -> None:
        shown = Table("whose", "statement", "used by (needed by those in capitals)", box=None, pad_edge=False)
        for row in sorted(table, key=lambda one: (one.statement.owner, one.statement.statement)):
            steps = ", ".join(name.upper() if name in row.needed else name for name in row.used)
            shown.add_row(row.statement.owner, row.statement.statement, steps or f"none: {row.reason or 'no reason'}")
        self.console.print(shown)
        used = Counter("needed" if row.needed else "used" if row.used else "unused" for row in table)
        for kind in sorted({row.statement.kind for row in table}):
            of = [row for row in table if row.statement.kind == kind]
            self.console.print(f"{kind}: {len(of)} statements that allow, {sum(bool(row.used) for row in of)} used")
        self.console.print(
            f"{len(table)} statements that allow: {used['needed']} needed by a step, {used['used']} used where another "
            f"allows, too, {used['unused']} by none"
        )
