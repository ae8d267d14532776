"""The rehearse-api command: clients pay while the payment API is operated, and each payment is counted at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from emulator import running
from operations.outcome import Failed, Refused
from operations.payment_api.local import LocalPaymentApi, seconds_table
from operations.payment_api.pay import DeployedApi
from operations.payment_api.rehearsal.doors import KeyedDoor
from operations.payment_api.rehearsal.events import EVENTS, Operator
from operations.rehearsal.command import SECONDS_WITHOUT_AN_END, Books, charges_of, course_of, idle, table_of
from operations.rehearsal.course import Course, chosen
from operations.rehearsal.customers import Customers, read_statuses


@dataclass(frozen=True)
class ApiRehearsal:
    """Rehearses with a number of clients on what deploy-api-local made, which is deployed if it is not yet."""

    local: LocalPaymentApi
    console: Console

    def run(self, clients: int, pause: float, names: Sequence[str], *, port: int | None = None) -> None:
        """Let the events happen while the clients pay; ``pause`` is in seconds, between two payments of one.

        Where no event is named, all happen, and everything is destroyed at the end.

        Raises:
            Refused: an event is unknown, or the port is in use.
            Failed: an event did not end well, a payment was lost, not charged, charged twice or refused, or something
                is left.
        """
        events = chosen(names, EVENTS)
        deployed = self._deploy(port)
        api = DeployedApi.find(self.local.directory)
        running.ring_alarms(api.server)
        operator = Operator(local=self.local, api=api, deployed=deployed)
        door = KeyedDoor.of(operator.client)
        crowd = Customers(door, [operator.client.key] * clients, pause=pause)
        crowd.begin("start")
        course: Course[Operator] = course_of(crowd, self.console)
        failure = course.happen(events, operator)
        crowd.phase = "end"
        payments = crowd.end()
        self.console.print(f"{len(payments)} payments were sent; reading what became of each ...")
        read_statuses(door, payments, SECONDS_WITHOUT_AN_END)
        self.console.print(table_of(events, payments, crowd.tries, course))
        self.console.print(seconds_table(self.local.seconds))
        books = Books.compare(payments, charges_of(api.run_acquirer()))
        if problems := ([failure] if failure else []) + [
            *idle([one.name for one in events], crowd.tries),
            *books.problems(),
        ]:
            raise Failed("\n".join(problems))
        self.console.print("each payment was accepted, answered, and charged once")
        if not names:
            self.local.destroy()

    def _deploy(self, port: int | None) -> dict[str, str]:
        """The physical ids of what is deployed."""
        try:
            api = DeployedApi.find(self.local.directory)
        except Refused:
            return self.local.deploy(port)
        cdk = self.local.cdk(self.local.directory / "settings.toml", api.server, api.settings)
        return self.local.deployed(api.server, cdk)
