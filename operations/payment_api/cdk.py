"""The CDK's own CLI for one environment of the payment API, and the templates that it synthesizes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from operations.outcome import Failed, Refused
from operations.preflight import node_problem
from operations.project_root import PROJECT
from payment_api.settings import Settings
from synthesis.node import NO_BANNER

APP = PROJECT / "payment_api"
PROGRAM = PROJECT / "node_modules" / ".bin" / "cdk"
MANIFEST = "manifest.json"
NEVER_ASK = ("--require-approval", "never")


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A synthesized stack: its name, its id in the app, its region, its template as it is sent, and its protection."""

    name: str
    id: str
    region: str
    template: Mapping[str, Any]
    protected: bool


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

    def stacks(self) -> list[Stack]:
        """The synthesized stacks, each after those that it depends on."""
        return stacks(self.assembly)

    def prepare(self, name: str, protected: Mapping[str, bool]) -> None:
        """Publish the assets, and make a change set of this name for each stack; nothing is executed.

        The CLI sets a stack's termination protection already here: it is told the deployed one, ``protected`` by stack.
        """
        with self._protected_as(protected) as assembly:
            self.run("deploy", "--all", "--app", str(assembly), *NEVER_ASK, *_method("prepare-change-set", name))

    def execute(self, stack: Stack, change_set: str) -> None:
        """Execute exactly this change set, by its ARN, and watch it until it ends."""
        self.run(
            "deploy", stack.id, "--app", str(self.assembly), *NEVER_ASK, *_method("execute-change-set", change_set)
        )

    def diff(self) -> str:
        """The changes of a deployment, by the templates, as the CLI shows them. Raises as ``run``."""
        return replace(self, quiet=True).run("diff", "--all", "--app", str(self.assembly), "--method=template")

    def destroy(self) -> None:
        """Destroy both stacks."""
        self.run("destroy", "--all", "--app", str(self.assembly), "--force")

    def bootstrap(self, settings: Settings) -> None:
        """Bootstrap the CDK in both regions, outside of the app's folder, whose settings it does not need."""
        self.assembly.mkdir(parents=True, exist_ok=True)
        regions = (settings.region, settings.replica_region)
        places = [f"aws://{settings.account_id}/{region}" for region in regions]
        # The bucket of assets is encrypted under a customer-managed key, as everything is.
        self.run("bootstrap", *places, "--bootstrap-customer-key", folder=self.assembly)

    def run(self, command: str, *arguments: str, folder: Path = APP) -> str:
        """Run the CLI, and return what it has said where it is ``quiet``.

        Raises:
            Refused: it is not installed, or Node is not.
            Failed: it failed.
        """
        if not PROGRAM.exists():
            raise Refused("aws-cdk: not installed; run make setup")
        if problem := node_problem():
            raise Refused(problem)
        line = [str(PROGRAM), command, *arguments, "--no-notices"]
        variables = {**self.variables, **NO_BANNER, "PLATFORM_ENVIRONMENT": self.environment}
        if not self.console.is_terminal:
            variables["CI"] = "1"  # then it rewrites no line
        ended = subprocess.run(
            line, cwd=folder, env=variables, capture_output=self.quiet, stdin=subprocess.DEVNULL, text=True, check=False
        )
        said = f"{ended.stdout}{ended.stderr}" if self.quiet else ""
        if ended.returncode:
            raise Failed(f"{said}cdk {command} failed with exit code {ended.returncode}")
        return said

    @contextmanager
    def _protected_as(self, protected: Mapping[str, bool]) -> Iterator[Path]:
        """A copy of the assembly whose stacks are protected from termination as given, by their names."""
        copy = self.assembly.with_name(f"{self.assembly.name}.prepared")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.assembly, copy)
        manifest = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
        for _, artifact in _artifacts(manifest):
            properties = artifact["properties"]
            properties["terminationProtection"] = protected.get(properties["stackName"], False)
        (copy / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        try:
            yield copy
        finally:
            shutil.rmtree(copy, ignore_errors=True)


def stacks(assembly: Path) -> list[Stack]:
    """The stacks of an assembly, each after those that it depends on."""
    manifest = json.loads((assembly / MANIFEST).read_text(encoding="utf-8"))
    found = dict(_artifacts(manifest))
    ordered: list[str] = []

    def add(id_: str) -> None:
        for other in found[id_].get("dependencies", []):
            if other in found:
                add(other)
        if id_ not in ordered:
            ordered.append(id_)

    for id_ in found:
        add(id_)
    return [_stack(assembly, id_, found[id_]) for id_ in ordered]


def _artifacts(manifest: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for id_, artifact in manifest["artifacts"].items():
        if artifact["type"] == "aws:cloudformation:stack":
            yield id_, artifact


def _stack(assembly: Path, id_: str, artifact: Mapping[str, Any]) -> Stack:
    properties = artifact["properties"]
    region = re.fullmatch(r"aws://\d+/(.+)", artifact["environment"])
    return Stack(
        name=properties["stackName"],
        id=artifact.get("displayName", id_),
        region=region.group(1) if region else "",
        template=json.loads((assembly / properties["templateFile"]).read_text(encoding="utf-8")),
        protected=bool(properties.get("terminationProtection")),
    )


def _method(name: str, change_set: str) -> tuple[str, ...]:
    return (f"--method={name}", "--change-set-name", change_set)
