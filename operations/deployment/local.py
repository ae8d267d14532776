"""The whole platform on this machine: deployed by the real Terraform to a local AWS, and proved to be stable.

The stack does not know that it is rehearsed. Terraform and its AWS provider are pointed at the local AWS by environment
variables alone; the configuration is the one that would go to AWS. Everything that a deployment leaves on disk is in
``.local-aws``: the synthesized configuration, Terraform's data, the local AWS's log and record.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
from rich.console import Console
from rich.table import Table

from emulator import inventory, process, running
from emulator.address import environment
from emulator.record import read_violations
from emulator.runtime import names
from emulator.runtime.databases.server import find_binaries
from emulator.runtime.postgresql import PostgresqlNotFound
from emulator.runtime.tasks import namespaces
from emulator.runtime.tasks.image import repository_of
from operations import preflight
from operations.deployment import administrators, payments_image, placeholder_image
from operations.deployment.synthesized import provider_installation, synthesize
from operations.deployment.terraform import Progress, Resource, Terraform
from operations.deployment.waits import Chain, longest_chain
from operations.outcome import EXIT_INTERRUPTED, EXIT_REFUSED, Failed, Refused
from operations.pay.platform import front_door
from operations.project_root import PROJECT
from operations.release import revisions_left_behind as released_revisions
from settings import load
from settings.delivery import role_name

ENVIRONMENT = "local"
DIRECTORY = PROJECT / ".local-aws"
DEFAULT_PORT = 5566


@dataclass
class LocalDeployment:
    """A deployment to a local AWS that lives in ``directory``; printing to ``console``."""

    console: Console
    directory: Path = DIRECTORY
    environment: str = ENVIRONMENT
    tasks: int = 0
    """How many tasks of a service run at most; 0 are none."""
    by_deploy_role: bool = False
    """Whether delivery's role deploys what an administrator need not; otherwise an administrator deploys everything."""
    seconds: dict[str, float] = field(default_factory=dict)
    chains: dict[str, Chain] = field(default_factory=dict)

    def deploy(self, port: int) -> None:
        """Deploy everything, prove that a second plan is empty, and leave the local AWS running.

        Args:
            port: TCP port of the local AWS on 127.0.0.1; one that runs already keeps its own.

        Raises:
            Refused: the machine lacks something, the settings are bad, or the port is in use.
            Failed: Terraform failed, the second plan is not empty, or a request broke AWS's contract.
        """
        if lines := [*preflight.problems(), *_of_databases()]:
            raise Refused("\n".join(lines))
        with self._phase("synthesize"):
            stack = synthesize(self.environment, self.directory / "cdktf.out")
        with self._phase("start the local AWS"):
            server = self._start(port)
        if refusal := namespaces.refusal():
            self.console.print(f"no task of a service runs: {refusal}", markup=False)
        elif self.tasks:
            with self._phase("install what the services run"):
                self._describe_images(server)
        with self._phase("bootstrap the state bucket"):
            self._bootstrap(server)
        terraform = self._terraform(stack, server)
        with self._phase("terraform init"):
            terraform.init()
        if self.by_deploy_role:
            terraform = self._hand_over(terraform)
        with self._phase("terraform apply"):
            applied = terraform.apply()
        with self._phase("second plan"):
            changes = terraform.plan()
        resources = terraform.resources()
        self._note_chain("terraform apply", applied, resources)
        self._report(terraform, resources, server)
        if changes:
            raise Failed("the second plan is not empty:\n" + "\n".join(f"  {line}" for line in changes))
        self.console.print("second plan: empty")
        self._refuse_violations()
        if self.tasks:
            running.ring_alarms(server)
        self._explain_exploration(server)

    def _hand_over(self, terraform: Terraform) -> Terraform:
        """Deploy as an administrator what only one may; returns Terraform with a session of the deploy role."""
        settings = load(self.environment)
        configuration = json.loads((terraform.directory / "cdk.tf.json").read_text(encoding="utf-8"))
        with self._phase("terraform apply of an administrator's part"):
            terraform.apply(administrators.addresses(configuration, settings.names))
        return self.terraform_as("deploy")

    def terraform_as(self, purpose: str) -> Terraform:
        """Terraform for what is deployed, with a session of delivery's role that plans, deploys, or looks for drift.

        Raises:
            Refused: nothing is deployed.
        """
        server = process.find(self.directory)
        if server is None:
            raise Refused("no local AWS runs: run make deploy-local first")
        terraform = self._terraform(self._stack, server)
        return replace(terraform, environment={**terraform.environment, **self.as_role(purpose)})

    def plan(self) -> list[str]:
        """Changes of another deployment now: action and address, a line each.

        Raises:
            Refused: nothing is deployed.
            Failed: Terraform failed.
        """
        server = process.find(self.directory)
        if server is None:
            raise Refused("no local AWS runs: run make deploy-local first")
        return self._terraform(self._stack, server).plan()

    def as_role(self, purpose: str) -> dict[str, str]:
        """Variables that make a command of this machine one of a workflow: with the role that plans, or deploys.

        Raises:
            Refused: nothing is deployed.
        """
        server = process.find(self.directory)
        if server is None:
            raise Refused("no local AWS runs: run make deploy-local first")
        settings = load(self.environment)
        name = role_name(settings.names, purpose)
        return process.role_environment(server, f"arn:aws:iam::{settings.account_id}:role/{name}")

    def destroy(self) -> None:
        """Destroy what ``deploy`` created, show that nothing is left, stop the local AWS and remove its directory.

        Raises:
            Failed: see :meth:`empty`.
        """
        self.empty()
        self.abandon()

    def empty(self) -> None:
        """Destroy what ``deploy`` created, and show that nothing is left; the local AWS keeps running.

        Raises:
            Failed: Terraform failed, a request violated AWS's contract, or a resource is left.
        """
        server = process.find(self.directory)
        if server is None:
            self.console.print("no local AWS runs: what it held is gone with it")
        elif not (self._data_directory / "terraform.tfstate").exists():
            self.console.print("nothing was deployed to the local AWS")
        else:
            terraform = self._terraform(self._stack, server)
            resources = terraform.resources()
            with self._phase("terraform destroy"):
                destroyed = terraform.destroy()
            self._note_chain("terraform destroy", destroyed, resources)
            self._forget_releases(server)
            self.console.print(_seconds_table(self.seconds, self.chains))
            self._refuse_violations()
            self._refuse_leftovers(server)

    def abandon(self) -> None:
        """Stop the local AWS without destroying first, and remove its directory; its state was in memory only."""
        if server := process.find(self.directory):
            process.stop(server)
            self.console.print(f"stopped the local AWS at {server.url}")
        if self.directory.exists():
            shutil.rmtree(self.directory)
            self.console.print(f"removed {self.directory.name}")

    @property
    def _stack(self) -> Path:
        return self.directory / "cdktf.out" / "stacks" / "payment-platform"

    @property
    def _data_directory(self) -> Path:
        return self.directory / "terraform"

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        if not self.console.is_terminal:
            self.console.print(f"{name} ...")
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began

    def _start(self, port: int) -> process.Server:
        if server := process.find(self.directory):
            self.console.print(f"the local AWS runs already at {server.url}")
            return server
        try:
            server = process.start(self.directory, port=port, tasks=self.tasks)
        except process.EmulatorError as error:
            raise Refused(f"--port: {port} is not allowed; {error}") from error
        self.console.print(f"the local AWS runs at {server.url}")
        return server

    def _describe_images(self, server: process.Server) -> None:
        """Say what runs as the payments service, what its Dockerfile makes, and what as services without a release."""
        settings = load(self.environment)
        images = {repository_of(one.image): placeholder_image.image for one in settings.services.values()}
        if settings.processing:
            images[settings.names.repository(settings.processing.service)] = payments_image.image
        for repository, image in images.items():
            running.describe_image(server, repository, asdict(image()))

    def _bootstrap(self, server: process.Server) -> None:
        """The command that makes the state bucket on AWS, pointed at the local one by its environment."""
        command = [sys.executable, "-m", "operations", "bootstrap", self.environment]
        result = subprocess.run(command, cwd=PROJECT, env=process.complete_environment(server.url), check=False)
        if result.returncode == EXIT_INTERRUPTED:
            raise KeyboardInterrupt
        if result.returncode:
            raise (Refused if result.returncode == EXIT_REFUSED else Failed)("")

    def _terraform(self, stack: Path, server: process.Server) -> Terraform:
        installation = provider_installation(stack)
        self.console.print(
            f"Terraform {preflight.terraform_version()}, its provider from {installation.source}", markup=False
        )
        environment = installation.environment(process.complete_environment(server.url))
        # Next to the synthesized directory, not in it: another synthesis does not affect it.
        environment["TF_DATA_DIR"] = str(self._data_directory)
        return Terraform(stack, environment, self.console)

    def _note_chain(self, phase: str, progress: Progress, resources: list[Resource]) -> None:
        self.chains[phase] = longest_chain(progress.seconds, {one.address: one.depends_on for one in resources})

    def _report(self, terraform: Terraform, resources: list[Resource], server: process.Server) -> None:
        types = {one.type for one in resources}
        self.console.print(f"{len(resources)} resources of {len(types)} types in {server.url}")
        self.console.print(_outputs_table(terraform.outputs()))
        self.console.print(_seconds_table(self.seconds, self.chains))

    def _refuse_violations(self) -> None:
        violations = read_violations(self.directory)
        self.console.print(f"requests that break AWS's published contract: {len(violations)}")
        if violations:
            raise Failed("\n".join(f"{one.service}:{one.operation}: {one.message}" for one in violations))

    def _forget_releases(self, server: process.Server) -> None:
        variables = environment(server.url)
        session = boto3.Session(
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"], aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"]
        )
        # Any: the types of this client are not among the locked packages.
        make: Any = session.client
        settings = load(self.environment)
        released_revisions.deregister(settings, lambda region: make("ecs", region, endpoint_url=server.url))

    def _refuse_leftovers(self, server: process.Server) -> None:
        left = inventory.leftovers(server.url, state_bucket=load(self.environment).state.bucket)
        if left:
            lines = "\n".join(f"  {one.region} {one.kind} {one.id}" for one in left)
            raise Failed(f"left after the destruction:\n{lines}")
        self.console.print("nothing is left but the state bucket, its replica and their keys")

    def _explain_payments(self, server: process.Server) -> None:
        self.console.print(f"to send a payment and see its way: {_command('make pay')}, or with curl:")
        door, authority = front_door(load(self.environment), server), self.directory / "authority.pem"
        authority.write_text(door.authority, encoding="utf-8")
        self.console.print("  KEY=$(.venv/bin/python -m operations pay --only-key)", markup=False)
        self.console.print(
            f"  curl --cacert {authority} --connect-to {door.name}:443:127.0.0.1:{door.port} "
            f'https://{door.name}/api/v1/payments -H "Authorization: Bearer $KEY" -H "Idempotency-Key: $RANDOM" '
            """-H "Content-Type: application/json" -d '{"amount": 1000, "currency": "USD", "token": "tok_visa_1"}'""",
            markup=False,
            soft_wrap=True,
        )

    def _explain_exploration(self, server: process.Server) -> None:
        variables = environment(server.url)
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
        self.console.print("to look around with the AWS CLI:")
        self.console.print(f"  export AWS_ENDPOINT_URL={server.url}", markup=False)
        self.console.print(f"  export {' '.join(f'{name}={variables[name]}' for name in names)}", markup=False)
        if self.tasks:
            self._explain_payments(server)
        self.console.print(f'to rehearse a release: {_command("docs/runbooks/release.md")}, "On this machine"')
        self.console.print(f"to end it: {_command('make destroy-local')}")


def _of_databases() -> list[str]:
    """Why the databases of the local AWS cannot run on this machine."""
    problems = [names.refusal()]
    try:
        find_binaries(int(load(ENVIRONMENT).database.major_version))
    except PostgresqlNotFound as missing:
        problems.append(str(missing))
    return [problem for problem in problems if problem]


def _command(text: str) -> str:
    return f"[bold]{text}[/bold]"


def _outputs_table(outputs: dict[str, Any]) -> Table:
    table = Table("output", "value", box=None, pad_edge=False)
    for name, value in outputs.items():
        table.add_row(name, str(value))
    return table


def _seconds_table(seconds: dict[str, float], chains: dict[str, Chain]) -> Table:
    """Each phase's wall time, and the minimum by its longest chain of dependent resources."""
    table = Table("phase", box=None, pad_edge=False)
    table.add_column("wall time", justify="right")
    table.add_column("longest chain of waits")
    for name, value in seconds.items():
        table.add_row(name, f"{value:.1f} s", chains[name].text if name in chains else "")
    table.add_row("together", f"{sum(seconds.values()):.1f} s")
    return table
