"""The rehearse-environments command: the shipped settings in one account, deployed, operated and destroyed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from emulator import process
from operations.outcome import Failed, Refused
from operations.project_root import PROJECT
from operations.rehearsal.course import Course, Event, chosen
from operations.rehearsal.environments.account import Account
from operations.rehearsal.environments.events import EVENTS, Operator, begin

DIRECTORY = PROJECT / ".local-environments"


@dataclass(frozen=True)
class EnvironmentsRehearsal:
    """Rehearses in a local AWS of its own, which keeps its files in ``directory``."""

    console: Console
    directory: Path = DIRECTORY

    def run(self, names: Sequence[str], *, port: int) -> None:
        """Let the events happen. Where none is named, all do, and the local AWS ends; else it stays for others.

        Raises:
            Refused: an event is unknown, or the port is in use.
            Failed: an event did not end well. The local AWS stays as it is.
        """
        events = chosen(names, EVENTS)
        operator = begin(Account(self.directory, self._server(port)))
        course: Course[Operator] = Course(console=self.console)
        failure = course.happen(events, operator)
        self.console.print(table_of(events, course))
        self.console.print(commands_table(operator.seconds))
        if failure:
            raise Failed(failure)
        if not names:
            self.end()

    def end(self) -> None:
        """Stop the local AWS, whose state is in memory only, and remove its files."""
        if server := process.find(self.directory):
            process.stop(server)
            self.console.print(f"stopped the local AWS at {server.url}")
        if self.directory.exists():
            shutil.rmtree(self.directory)

    def _server(self, port: int) -> process.Server:
        if server := process.find(self.directory):
            self.console.print(f"the local AWS runs already at {server.url}")
            return server
        try:
            return process.start(self.directory, port=port)
        except process.EmulatorError as error:
            raise Refused(f"--port: {port} is not allowed; {error}") from error


def table_of(events: Sequence[Event[Operator]], course: Course[Operator]) -> Table:
    """A row for each event: its wall time, and what was seen."""
    table = Table("event", "seconds", "seen", box=None, pad_edge=False)
    for event in events:
        seconds = f"{course.seconds[event.name]:.0f}" if event.name in course.seconds else "-"
        table.add_row(event.meaning, seconds, course.seen.get(event.name, "-"))
    return table


def commands_table(seconds: Mapping[tuple[str, str], float]) -> Table:
    """The last wall time of each command, in seconds, for each environment."""
    environments = list(dict.fromkeys(name for name, _ in seconds))
    table = Table("command", *environments, box=None, pad_edge=False)
    for command in dict.fromkeys(command for _, command in seconds):
        times = (seconds.get((name, command)) for name in environments)
        table.add_row(command, *("-" if one is None else f"{one:.0f}" for one in times))
    return table
