"""The life of the platform on a local AWS, step by step, each by the role that takes it on AWS."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.console import Console

from emulator import process
from operations.deployment import drift
from operations.deployment.local import LocalDeployment
from operations.outcome import Failed, Refused
from operations.pay.command import Payer
from operations.pay.platform import Platform, front_door
from operations.rehearsal.course import Event
from operations.rehearsal.customers import Customers
from operations.rehearsal.events import EVENTS, Operator, until
from settings import Settings

DEPLOY, DESTROY = "deploy", "destroy"
CURRENCY, AMOUNT = "USD", 1000
ROLLBACK = "rollback"
CUSTOMERS, SECONDS_BETWEEN_PAYMENTS = 6, 0.2


@dataclass(frozen=True, kw_only=True)
class Life:
    """A deployed platform, of which steps are taken."""

    settings: Settings
    deployment: LocalDeployment
    console: Console

    @property
    def server(self) -> process.Server:
        """The local AWS.

        Raises:
            Refused: none runs.
        """
        if server := process.find(self.deployment.directory):
            return server
        raise Refused("no local AWS runs: nothing is deployed")

    def operator(self) -> Operator:
        """Whoever operates the platform: with the role that deploys."""
        platform = Platform.find(self.settings, self.deployment.directory)
        role = self.deployment.as_role("deploy")
        return Operator(platform=platform, environment=self.deployment.environment, variables=role)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of the life: its name, as the record and ``--only`` have it, what it is, and what takes it."""

    name: str
    meaning: str
    take: Callable[[Life], None]


def _plan(life: Life) -> None:
    """A reviewer's plan, and a refresh that looks for drift; neither finds anything."""
    found = life.deployment.terraform_as("plan").plan(refresh=False, lock=False)
    if found:
        raise Failed("a reviewer's plan is not empty:\n" + "\n".join(found))
    with drift.planned(life.deployment.terraform_as("drift")):
        pass


def _pay(life: Life) -> None:
    Payer(life.settings, life.deployment.directory, life.console).pay(AMOUNT, CURRENCY)


def _export(life: Life) -> None:
    """Let RDS take its nightly snapshot, and wait for the workflow that exports it."""
    server, names = life.server, life.settings.names
    region = life.settings.primary.name
    process.set_clock(server, 0.1)
    process.take_snapshot(server, region, names.of("database"))
    states = life.operator().platform.client("stepfunctions")
    machine = f"arn:aws:states:{region}:{names.account_id}:stateMachine:{names.of('snapshot-export')}"

    def ended() -> bool:
        statuses = [one["status"] for one in states.list_executions(stateMachineArn=machine)["executions"]]
        if "FAILED" in statuses or "TIMED_OUT" in statuses:
            raise Failed("the export of a snapshot failed")
        return bool(statuses) and set(statuses) == {"SUCCEEDED"}

    until(ended, "the export of a snapshot has succeeded")
    process.set_clock(server, 1.0)


def _operate(event: Event[Operator], life: Life) -> None:
    """Let an event of the rehearsal happen; with customers where its alarm is on what these are answered."""
    operator = life.operator()
    with _paying(life, operator) if event.name == ROLLBACK else contextlib.nullcontext():
        event.happen(operator)


@contextlib.contextmanager
def _paying(life: Life, operator: Operator) -> Iterator[None]:
    platform = operator.platform
    keys = [platform.new_key(f"customers-of-{ROLLBACK}")] * CUSTOMERS
    crowd = Customers(front_door(life.settings, platform.server), keys, pause=SECONDS_BETWEEN_PAYMENTS)
    crowd.begin(ROLLBACK)
    try:
        yield
    finally:
        crowd.end()


OF_OPERATORS = tuple(
    Step(name=one.name, meaning=one.meaning, take=functools.partial(_operate, one))
    for one in EVENTS
    if one.name not in {"quiet", "tasks-killed"}
)
STEPS = (
    Step(name="plan", meaning="a reviewer plans, and the night looks for drift", take=_plan),
    Step(name="pay", meaning="a merchant is made, and a payment is settled", take=_pay),
    Step(name="export", meaning="the night's snapshot is exported", take=_export),
    *OF_OPERATORS,
)
"""What follows the deployment, in the order in which it happens."""


def take(step: Step, life: Life) -> float:
    """Take a step under its name; the seconds that it took."""
    process.begin_step(life.server, step.name)
    began = time.monotonic()
    step.take(life)
    return time.monotonic() - began
