"""The payment API's commands: the CDK's own CLI for one environment, and its outputs as a flat file (P6.1)."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from rich.console import Console

from operations.account import aws_errors_in_words, refuse_account_other_than
from operations.deployment.synthesized import absolute
from operations.outcome import Failed, Refused
from operations.payment_api import preflight, weights
from operations.preflight import node_problem
from operations.prerequisites import connect
from operations.project_root import PROJECT
from operations.question import agreed, refuse_silence
from payment_api.settings import Settings

APP = PROJECT / "payment_api"
PROGRAM = PROJECT / "node_modules" / ".bin" / "cdk"
OUTPUTS = PROJECT / "cfn-outputs"
FLAT_OUTPUTS = "flat-outputs.json"
# jsii warns at length that Node 20 is no longer supported; the project's version is stated in package.json.
NODE_20 = {"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20"}


@dataclass(frozen=True, kw_only=True)
class Cdk:
    """The CDK's CLI for one environment, named or by path; ``assembly`` is the folder of its synthesis."""

    environment: str
    assembly: Path
    variables: Mapping[str, str]
    console: Console
    quiet: bool = False

    def synth(self, *, validate: bool) -> None:
        """Write the templates. ``validate`` runs CloudFormation's validation too, which takes most of the time."""
        own = [] if validate else ["--no-validation"]
        self.run("synth", "--quiet", "--output", str(self.assembly), *own)

    def deploy(self, outputs: Path) -> None:
        """Deploy both stacks as they were synthesized; their outputs go to a file."""
        self.run("deploy", *self._synthesized(), "--require-approval", "never", "--outputs-file", str(outputs))

    def diff(self) -> None:
        """Show the changes of a deployment."""
        self.run("diff", *self._synthesized())

    def destroy(self) -> None:
        """Destroy both stacks."""
        self.run("destroy", *self._synthesized(), "--force")

    def bootstrap(self, settings: Settings) -> None:
        """Bootstrap the CDK in both regions, outside of the app's folder, whose settings it does not need."""
        self.assembly.mkdir(parents=True, exist_ok=True)
        regions = (settings.region, settings.replica_region)
        places = [f"aws://{settings.account_id}/{region}" for region in regions]
        # The bucket of assets is encrypted under a customer-managed key, as everything is.
        self.run("bootstrap", *places, "--bootstrap-customer-key", folder=self.assembly)

    def run(self, command: str, *arguments: str, folder: Path = APP) -> None:
        """Run the CLI.

        Raises:
            Refused: it is not installed, or Node is not.
            Failed: it failed.
        """
        if not PROGRAM.exists():
            raise Refused("aws-cdk: not installed; run make setup")
        if problem := node_problem():
            raise Refused(problem)
        line = [str(PROGRAM), command, *arguments, "--no-notices"]
        variables = {**self.variables, **NODE_20, "PLATFORM_ENVIRONMENT": self.environment}
        if not self.console.is_terminal:
            variables["CI"] = "1"  # then it rewrites no line
        ended = subprocess.run(
            line, cwd=folder, env=variables, capture_output=self.quiet, stdin=subprocess.DEVNULL, text=True, check=False
        )
        if ended.returncode:
            said = f"{ended.stdout}{ended.stderr}" if self.quiet else ""
            raise Failed(f"{said}cdk {command} failed with exit code {ended.returncode}")

    def _synthesized(self) -> list[str]:
        return ["--all", "--app", str(self.assembly)]


def flatten(outputs: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The outputs of all stacks in one table.

    Raises:
        Failed: two stacks have an output of one name, or there is none at all.
    """
    flat: dict[str, str] = {}
    for stack, values in outputs.items():
        if both := sorted(flat.keys() & values.keys()):
            raise Failed(f"{stack}: {', '.join(both)} is an output of another stack, too")
        flat |= values
    if not flat:
        raise Failed("the stacks have put out nothing: nothing can have been deployed")
    return flat


def write_outputs(raw: Path, folder: Path = OUTPUTS) -> dict[str, str]:
    """Write flat-outputs.json from the outputs of the CDK's CLI, and return it."""
    flat = flatten(json.loads(raw.read_text(encoding="utf-8")))
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dict(sorted(flat.items())), indent=2)
    (folder / FLAT_OUTPUTS).write_text(f"{text}\n", encoding="utf-8")
    return flat


class Deployment:
    """An environment on AWS."""

    def __init__(self, environment: str, settings: Settings, console: Console) -> None:
        self.settings, self.console = settings, console
        assembly = PROJECT / ".cache" / "payment-api" / settings.environment_suffix
        self.cdk = Cdk(environment=absolute(environment), assembly=assembly, variables=os.environ, console=console)

    def diff(self) -> None:
        """Show the changes of ``deploy``. Raises as Cdk.run does."""
        self._check_account()
        self.cdk.synth(validate=True)
        self.cdk.diff()

    def preflight(self) -> None:
        """Check the prerequisites (P6.6). Nothing is changed.

        Raises:
            Refused: a line for each one that is missing.
        """
        account = preflight.Account(settings=self.settings, region=self.settings.region, connect=connect, exists=False)
        if placeholders := preflight.placeholders(self.settings):
            raise Refused("\n".join(placeholders))
        self._check_account()
        with aws_errors_in_words():
            account = replace(account, exists=self._is_deployed())
        if missing := preflight.problems(account):
            raise Refused("\n".join(missing))
        self.console.print(f"everything that must exist before is there: {len(preflight.NEEDS)} things")

    def bootstrap(self) -> None:
        """Bootstrap the CDK in both regions."""
        self._check_account()
        self.cdk.bootstrap(self.settings)

    def _is_deployed(self) -> bool:
        client = connect("cloudformation", self.settings.region)
        try:
            client.describe_stacks(StackName=self.settings.names.of("api"))
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            return False
        return True

    def deploy(self, *, approve: bool) -> None:
        """Show the changes, ask (unless ``approve``), deploy, and write cfn-outputs/flat-outputs.json."""
        refuse_silence(approve)
        self.preflight()
        self.diff()
        self._keep_traffic()
        self._ask(f"Deploy this to {self.settings.environment_suffix} in {self.settings.account_id}?", approve)
        raw = self.cdk.assembly.with_suffix(".outputs.json")
        self.cdk.deploy(raw)
        for name, value in write_outputs(raw).items():
            self.console.print(f"{name}  {value}", markup=False)

    def _keep_traffic(self) -> None:
        """Refuse a change of rules that would return traffic to target groups without tasks."""
        stack, region = self.settings.names.of("api"), self.settings.region
        with aws_errors_in_words():
            if not self._is_deployed():
                return
            template = templates(self.cdk.assembly)[stack]
            found = list(weights.problems(lambda service: connect(service, region), stack, template))
        if found:
            raise Refused("\n".join(found))

    def destroy(self, *, approve: bool) -> None:
        """Ask (unless ``approve``), and destroy both stacks.

        Raises:
            Refused: the environment is protected.
        """
        if self.settings.protected:
            raise Refused(
                f"protected: true is not allowed for destroy-api; {self.settings.environment_suffix} can be destroyed "
                "once its settings say false and have been deployed"
            )
        refuse_silence(approve)
        self._check_account()
        self.cdk.synth(validate=False)
        self._ask(f"Destroy all of {self.settings.environment_suffix} in {self.settings.account_id}?", approve)
        self.cdk.destroy()

    def _check_account(self) -> None:
        with aws_errors_in_words():
            refuse_account_other_than(self.settings.account_id, boto3.Session(), self.settings.region)

    @staticmethod
    def _ask(question: str, approve: bool) -> None:
        if not approve and not agreed(question):
            raise Refused("nothing was changed")


def templates(assembly: Path) -> dict[str, dict[str, Any]]:
    """The synthesized templates by the name of their stack."""
    manifest = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))
    found = {}
    for artifact in manifest["artifacts"].values():
        if artifact["type"] == "aws:cloudformation:stack":
            properties = artifact["properties"]
            region = re.fullmatch(r"aws://\d+/(.+)", artifact["environment"])
            text = (assembly / properties["templateFile"]).read_text(encoding="utf-8")
            found[properties["stackName"]] = {**json.loads(text), "region": region.group(1) if region else ""}
    return found
