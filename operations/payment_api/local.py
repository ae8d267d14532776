"""Local deployment of the payment API by the real CDK CLI, with a second deployment that must be empty.

The app does not know that it is rehearsed: only environment variables point the CLI at the local AWS. Prerequisites of
an account (secrets, trust store, certificate, hosted zone) are created first, and a settings file that names them is
written. Everything on disk is in ``.local-api``, but for cfn-outputs/flat-outputs.json, which tests read.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from emulator import running
from emulator.ministack import existing, inventory, process
from emulator.process import EmulatorError
from operations.deployment import payments_image
from operations.outcome import Failed, Refused
from operations.payment_api import change_sets
from operations.payment_api.cdk import Cdk
from operations.payment_api.change_sets import Action, ChangeSet
from operations.payment_api.deploy import FLAT_OUTPUTS, OUTPUTS, write_outputs
from operations.project_root import PROJECT
from payment_api.settings import Settings, load

ENVIRONMENT = "local"
DIRECTORY = PROJECT / ".local-api"
DEFAULT_PORT = 5577
IMAGE = "payments"
"""The repository of the service's image, in the settings."""
# Read by tests/integration.
OUTPUTS_VARIABLE = "PAYMENT_API_OUTPUTS"
DEPLOYED = "deployed"
"""Names an empty file: there is something to destroy."""


@dataclass
class LocalPaymentApi:
    """A deployment to a local AWS that lives in ``directory``; its outputs go to the folder ``outputs``."""

    console: Console
    directory: Path = DIRECTORY
    outputs: Path = OUTPUTS
    seconds: dict[str, float] = field(default_factory=dict)

    def deploy(self, port: int | None) -> dict[str, str]:
        """Deploy both stacks, prove that a second deployment changes nothing, and leave the local AWS running.

        Returns:
            The physical ids of all resources, as ``deployed``.

        Raises:
            Refused: the port is in use.
            Failed: the CDK failed, fewer resources exist than the templates have, or the second deployment changes one.
        """
        with self.phase("start the local AWS"):
            server = self._start(port)
            running.describe_image(server, IMAGE, asdict(payments_image.image()))
        with self.phase("make what exists before"):
            path = existing.save(server.url, load(ENVIRONMENT), ENVIRONMENT, self.directory / "settings.toml")
        settings = load(str(path))
        cdk = self.cdk(path, server, settings)
        with self.phase("cdk bootstrap"):
            cdk.bootstrap(settings)
        with self.phase("cdk synth"):
            cdk.synth(validate=False)
        (self.directory / DEPLOYED).touch()
        with self.phase("change sets, and their execution"):
            self.execute(server, cdk)
        flat = write_outputs(change_sets.outputs(connect_to(server), cdk.stacks()), self.outputs)
        before = self.deployed(server, cdk)
        with self.phase("second deployment"):
            again = self.execute(server, cdk)
        if again or (changed := sorted(before.items() ^ self.deployed(server, cdk).items())):
            raise Failed(f"the second deployment is not empty: {[*again, *changed]}")
        self._report(flat, len(before), server)
        return before

    def destroy(self) -> None:
        """Destroy both stacks, show that nothing is left, stop the local AWS and remove its directory.

        Raises:
            Failed: the CDK failed or something is left; the local AWS keeps running then.
        """
        server, path = process.find(self.directory), self.directory / "settings.toml"
        if server is None:
            self.console.print("no local AWS runs: what it held is gone with it")
        elif not (self.directory / DEPLOYED).exists():
            self.console.print("nothing was deployed to the local AWS")
        else:
            settings = load(str(path))
            with self.phase("cdk destroy"):
                self.cdk(path, server, settings).destroy()
            self.console.print(seconds_table(self.seconds))
            if left := inventory.leftovers(server.url, settings):
                raise Failed("left after the destruction:\n" + "\n".join(f"  {one}" for one in left))
            self.console.print("nothing is left but what was there before")
        self.abandon()

    def verify(self) -> None:
        """Run the integration tests against the deployment, as they would run against AWS.

        Raises:
            Refused: nothing is deployed.
            Failed: one of them failed, or none ran.
        """
        server = process.find(self.directory)
        if server is None or not (self.outputs / FLAT_OUTPUTS).exists():
            raise Refused("nothing is deployed to a local AWS; run make deploy-api-local")
        variables = process.complete_environment(server.url, load(ENVIRONMENT).region)
        variables |= {OUTPUTS_VARIABLE: str(self.outputs)}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/integration"]
        with self.phase("integration tests"):
            ended = subprocess.run(command, cwd=PROJECT, env=variables, capture_output=True, text=True, check=False)
        self.console.print(ended.stdout.strip().splitlines()[-1] if ended.stdout else "", markup=False)
        if ended.returncode or "skipped" in ended.stdout:
            raise Failed(f"{ended.stdout}{ended.stderr}")

    def update(self, changes: str) -> dict[str, str]:
        """Deploy again with other settings: lines of TOML that extend those of the rehearsal.

        Returns:
            The physical ids of all resources afterwards, as ``deployed``.
        """
        server = process.find(self.directory)
        if server is None:
            raise Refused("nothing is deployed to a local AWS; run make deploy-api-local")
        path = self.directory / "changed.toml"
        path.write_text(changed((self.directory / "settings.toml").read_text(encoding="utf-8"), changes), "utf-8")
        cdk = self.cdk(path, server, load(str(path)))
        with self.phase("cdk synth of changes"):
            cdk.synth(validate=False)
        before = self.deployed_of(server, cdk)
        with self.phase("change sets of changes, and their execution"):
            executed = self.execute(server, cdk)
        write_outputs(change_sets.outputs(connect_to(server), cdk.stacks()), self.outputs)
        after = self.deployed(server, cdk)
        for line in sorted(not_as_described(executed, before, after)):
            self.console.print(f"not as the change set says: {line}", markup=False)
        return after

    def execute(self, server: process.Server, cdk: Cdk) -> list[ChangeSet]:
        """Prepare change sets of what is synthesized, and execute exactly these; those that changed anything."""
        with change_sets.prepared(cdk, connect_to(server)) as found:
            change_sets.refuse_stale(found)
            change_sets.execute(cdk, found)
        return found

    def abandon(self) -> None:
        """Stop the local AWS without destroying first, and remove its directory and the outputs."""
        if server := process.find(self.directory):
            process.stop(server)
            self.console.print(f"stopped the local AWS at {server.url}")
        for folder in (self.directory, self.outputs):
            if folder.exists():
                shutil.rmtree(folder)
                self.console.print(f"removed {folder.name}")

    def cdk(self, path: Path, server: process.Server, settings: Settings) -> Cdk:
        """The CLI, pointed at the local AWS."""
        return Cdk(
            environment=str(path),
            assembly=self.directory / "cdk.out",
            variables=process.complete_environment(server.url, settings.region),
            console=self.console,
            quiet=True,
        )

    def deployed(self, server: process.Server, cdk: Cdk) -> dict[str, str]:
        """The physical ids of all resources by stack and logical id.

        Raises:
            Failed: a stack has fewer than its template: an emulator may report an incomplete stack as complete.
        """
        found = self.deployed_of(server, cdk)
        for stack in cdk.stacks():
            wanted = {f"{stack.name}/{logical}" for logical in stack.template["Resources"]}
            if missing := sorted(wanted - found.keys()):
                raise Failed(f"deployed without {', '.join(missing)}")
        return found

    @staticmethod
    def deployed_of(server: process.Server, cdk: Cdk) -> dict[str, str]:
        """As ``deployed``, of what there is, whatever the templates have."""
        found: dict[str, str] = {}
        for stack in cdk.stacks():
            client = process.client("cloudformation", server.url, stack.region)
            pages = client.get_paginator("list_stack_resources").paginate(StackName=stack.name)
            resources = [one for page in pages for one in page["StackResourceSummaries"]]
            found |= {f"{stack.name}/{one['LogicalResourceId']}": one["PhysicalResourceId"] for one in resources}
        return found

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure the wall time of the block."""
        if not self.console.is_terminal:
            self.console.print(f"{name} ...")
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began

    def _start(self, port: int | None) -> process.Server:
        if server := process.find(self.directory):
            self.console.print(f"the local AWS runs already at {server.url}")
            return server
        try:
            return process.start(self.directory, port=port)
        except EmulatorError as error:
            raise Refused(f"--port: {port} is not allowed; {error}") from error

    def _report(self, flat: dict[str, str], resources: int, server: process.Server) -> None:
        self.console.print(f"{resources} resources in {server.url}")
        table = Table("output", "value", box=None, pad_edge=False)
        for name, value in flat.items():
            table.add_row(name, value)
        self.console.print(table)
        self.console.print(seconds_table(self.seconds))
        self.console.print("second deployment: empty")


def connect_to(server: process.Server) -> change_sets.Connect:
    """Clients for the local AWS."""
    return lambda service, region: process.client(service, server.url, region)


def not_as_described(
    executed: Sequence[ChangeSet], before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[str]:
    """Resources whose end is another one than the change sets say, by their physical ids before and after."""
    described = {f"{one.stack.name}/{change.resource}": change.action for one in executed for change in one.changes}
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        happened = Action.ADD if old is None else Action.REMOVE if new is None else Action.REPLACE
        if old == new and described.get(name, Action.MODIFY) in (Action.MODIFY, Action.PERHAPS_REPLACE):
            continue
        if old != new and described.get(name) in (happened, Action.PERHAPS_REPLACE):
            continue
        said = described.get(name, "nothing")
        yield f"{name}: {said} was said, {'nothing' if old == new else happened} happened"


def changed(text: str, changes: str) -> str:
    """A settings file with lines of TOML over it, table by table."""
    values = tomllib.loads(text)
    for key, value in tomllib.loads(changes).items():
        values[key] = {**values.get(key, {}), **value} if isinstance(value, dict) else value
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for table in (key for key in values if key not in plain):
        lines += [f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in values[table].items())]
    return "\n".join(lines) + "\n"


def seconds_table(seconds: dict[str, float]) -> Table:
    """Each phase's wall time."""
    table = Table("phase", box=None, pad_edge=False)
    table.add_column("wall time", justify="right")
    for name, value in seconds.items():
        table.add_row(name, f"{value:.1f} s")
    table.add_row("together", f"{sum(seconds.values()):.1f} s")
    return table
