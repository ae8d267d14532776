"""What happens to the environments in a rehearsal, by the commands of their operators."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from dataclasses import dataclass, field

from emulator import process
from emulator.runtime import stand_in
from operations.outcome import EXIT_REFUSED, Failed
from operations.rehearsal import commands
from operations.rehearsal.course import Event
from operations.rehearsal.environments.account import PRODUCTION, PULL_REQUEST, STAGING, Account, Shipped
from settings.database import RecoveryMode

SERVICE = "web"
EMPTY = "No changes."
"""What Terraform prints of a plan without changes."""
HIDDEN = "# ("
"""The beginning of Terraform's lines on what has not changed."""
SECONDS_PER_MINUTE = 0.05
"""Of releases and failovers: nobody pays meanwhile."""
LINES_OF_A_FAILURE = 60
UNPROTECTED = "protected = false"


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Operates the environments."""

    account: Account
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    """Wall time by environment and command."""

    def run(self, shipped: Shipped, command: str, *options: str, path: str = "", expected: int = 0) -> str:
        """Run a command for an environment, by default with its own settings file; what it printed.

        Raises:
            Failed: it ended with another exit code.
        """
        file = path or self.account.settings_file(shipped)
        arguments = _arguments(command, file, options)
        began = time.monotonic()
        try:
            return commands.run(self.account.server, *arguments, expected=expected, said=LINES_OF_A_FAILURE)
        finally:
            self.seconds[shipped.name, command] = time.monotonic() - began

    def refuse_changes(self, shipped: Shipped) -> None:
        """Make sure that a plan of an environment is empty.

        Raises:
            Failed: it is not.
        """
        said = self.run(shipped, "diff")
        if EMPTY not in said:
            lines = (line.strip() for line in said.splitlines())
            changes = [one for one in lines if one.startswith(("# ", "Plan:")) and not one.startswith(HIDDEN)]
            raise Failed(f"the plan of {shipped.name} is not empty:\n" + "\n".join(changes))

    def images(self, shipped: Shipped) -> set[str]:
        """The images of an environment's services."""
        return {one.image for one in self.account.settings(shipped).services.values()}


def _arguments(command: str, file: str, options: tuple[str, ...]) -> list[str]:
    """Those of a command: most take the environment first, those with an argument of their own as an option."""
    if command in ("release", "failover"):
        return [command, *options, "--environment", file]
    return [command, file, *options]


def _deploy(operator: Operator, *, shipped: Shipped, beside: Shipped | None) -> str:
    """From nothing to an empty second plan; what it is beside has an empty plan then, too."""
    account = operator.account
    settings = account.settings(shipped)
    account.make_zone(settings.domain.name)
    account.make_linked_role()
    operator.run(shipped, "bootstrap")
    operator.run(shipped, "preflight")
    account.remember(shipped)
    operator.run(shipped, "deploy", "--approve")
    operator.refuse_changes(shipped)
    if beside:
        operator.refuse_changes(beside)
    account.refuse_violations()
    return "plan empty" + (f", {beside.name}'s too" if beside else "")


def _release(operator: Operator, *, shipped: Shipped) -> str:
    """Release another image by a canary; the plan is empty then."""
    image = operator.account.settings(shipped).services[SERVICE].image.partition("@")[0]
    released = f"{image}@sha256:{os.urandom(32).hex()}"
    with stand_in.serving(operator.account.server, released):
        operator.run(shipped, "release", SERVICE, "--image", released)
    operator.refuse_changes(shipped)
    return "released, plan empty"


def _fail_over(operator: Operator, *, shipped: Shipped) -> str:
    """To the other region and back, where settings keep a database there; with snapshots the command refuses it."""
    if operator.account.settings(shipped).database.recovery is not RecoveryMode.GLOBAL:
        said = operator.run(shipped, "failover", "recovery", "--approve", expected=EXIT_REFUSED)
        return f"refused: {said.splitlines()[-1]}"
    with contextlib.ExitStack() as standing:
        for image in operator.images(shipped):
            standing.enter_context(stand_in.serving(operator.account.server, image))
        operator.run(shipped, "failover", "recovery", "--approve")
        operator.refuse_changes(shipped)
        operator.run(shipped, "failover", "primary", "--approve")
    operator.refuse_changes(shipped)
    return "there and back, plans empty"


def _destroy(operator: Operator, *, shipped: Shipped, beside: Shipped | None) -> str:
    """Destroy it, once settings without protection are deployed; the account is then as it was before."""
    account = operator.account
    path = ""
    if account.settings(shipped).protected:
        operator.run(shipped, "destroy", "--approve", expected=EXIT_REFUSED)
        path = account.settings_file(shipped, UNPROTECTED)
        operator.run(shipped, "destroy", "--approve", path=path, expected=EXIT_REFUSED)
        operator.run(shipped, "deploy", "--approve", path=path)
    operator.run(shipped, "destroy", "--approve", path=path)
    account.refuse_difference(shipped)
    if beside:
        operator.refuse_changes(beside)
    account.refuse_violations()
    return "nothing left" + (f", {beside.name}'s plan empty" if beside else "")


def _events(shipped: Shipped, beside: Shipped | None) -> dict[str, Event[Operator]]:
    """What happens to an environment that is beside another one, by what it is."""
    name = shipped.name
    near = f" beside {beside.name}" if beside else ""
    return {
        "deploy": Event(
            name=f"{name}-deploy",
            meaning=f"{name} is deployed{near}",
            happen=functools.partial(_deploy, shipped=shipped, beside=beside),
        ),
        "release": Event(
            name=f"{name}-release",
            meaning=f"an image is released in {name}",
            happen=functools.partial(_release, shipped=shipped),
        ),
        "failover": Event(
            name=f"{name}-failover",
            meaning=f"{name} fails over, and back",
            happen=functools.partial(_fail_over, shipped=shipped),
        ),
        "destroy": Event(
            name=f"{name}-destroy",
            meaning=f"{name} is destroyed{near}",
            happen=functools.partial(_destroy, shipped=shipped, beside=beside),
        ),
    }


_STAGING = _events(STAGING, None)
EVENTS = (
    *(_STAGING[what] for what in ("deploy", "release", "failover")),
    *_events(PULL_REQUEST, STAGING).values(),
    *_events(PRODUCTION, STAGING).values(),
    _STAGING["destroy"],
)
"""All events, in the order in which they happen: what comes goes before the next one comes."""


def begin(account: Account) -> Operator:
    """An operator of the environments, whose releases and failovers take no longer than they must."""
    process.set_clock(account.server, SECONDS_PER_MINUTE)
    return Operator(account=account)
