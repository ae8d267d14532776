"""Diff, deployment and destruction of an environment on AWS, through the cdktf-cli that package.json pins.

What is synthesized once is what cdktf is told to use (``--skip-synth``), so the providers that it needs can be found
first, and what is shown is what is deployed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import boto3
import typer
from rich.console import Console

from operations import preflight
from operations.account import aws_errors_in_words, refuse_other_account
from operations.deployment.synthesized import CACHE, STACK, provider_installation, synthesize
from operations.deployment.terraform import Terraform
from operations.interruption import IN_ITS_OWN_GROUP, passed_on
from operations.outcome import Failed, Refused
from operations.project_root import PROJECT
from operations.release import revisions_left_behind as released_revisions
from settings import Settings

PARALLELISM = 30


@dataclass(frozen=True)
class Deployment:
    """An environment on AWS, with the credentials that boto3 and Terraform find."""

    environment: str
    settings: Settings
    console: Console

    def diff(self) -> None:
        """Show what would change.

        Raises:
            Refused: the machine lacks something, or the credentials belong to another account.
            Failed: cdktf failed; what it said has been printed.
        """
        self._cdktf("diff", self._prepared(), f"--terraform-parallelism={PARALLELISM}")

    def planned(self, *, from_state: bool = False) -> str:
        """What would change, as `terraform show -json` writes it. Raises as ``diff`` does.

        ``from_state`` takes what exists from the state as it is, without a lock and without asking AWS.
        """
        return self._terraform().planned(from_state=from_state)

    def apply_planned(self, agree: Callable[[str], None]) -> None:
        """Plan, give the plan to ``agree``, and, if that does not raise, apply exactly it. Raises as ``diff`` does."""
        self._terraform().apply_planned(agree)

    def deploy(self, *, approve: bool) -> None:
        """Show what would change, ask (unless ``approve``), and change it. Raises as ``diff`` does."""
        self._refuse_silence(approve)
        variables = self._prepared()
        if not approve:
            self._cdktf("diff", variables, f"--terraform-parallelism={PARALLELISM}")
            self._ask(f"Deploy this to {self.settings.environment_suffix} in {self.settings.account_id}?")
        self._cdktf("deploy", variables, "--auto-approve", f"--terraform-parallelism={PARALLELISM}")

    def destroy(self, *, approve: bool) -> None:
        """Ask (unless ``approve``), and destroy everything. Raises as ``diff`` does.

        Raises:
            Refused: also if the environment is protected.
        """
        if self.settings.protected:
            raise Refused(
                f"protected: true is not allowed for destroy; {self.settings.environment_suffix} can be destroyed once "
                "its settings say false and have been deployed"
            )
        self._refuse_silence(approve)
        variables = self._prepared()
        if not approve:
            self._ask(f"Destroy all of {self.settings.environment_suffix} in {self.settings.account_id}?")
        self._cdktf("destroy", variables, "--auto-approve", f"--terraform-parallelism={PARALLELISM}")
        with aws_errors_in_words():
            session = boto3.Session()
            released_revisions.deregister(self.settings, lambda region: session.client("ecs", region_name=region))

    def _terraform(self) -> Terraform:
        terraform = Terraform(PROJECT / "cdktf.out" / "stacks" / STACK, self._prepared(), self.console)
        terraform.init()
        return terraform

    def _prepared(self) -> dict[str, str]:
        """Check the machine and the account, synthesize, and return the environment that cdktf runs in."""
        if lines := preflight.problems():
            raise Refused("\n".join(lines))
        with aws_errors_in_words():
            refuse_other_account(self.settings, boto3.Session())
        installation = provider_installation(synthesize(self.environment, PROJECT / "cdktf.out"))
        self.console.print(
            f"Terraform {preflight.terraform_version()}, its provider from {installation.source}", markup=False
        )
        own = {
            # Each environment has its own, so that none is taken for another one's moved backend.
            "TF_DATA_DIR": str(CACHE / "terraform" / f"{self.settings.account_id}-{self.settings.environment_suffix}"),
            "PLATFORM_ENVIRONMENT": self.environment,
        }
        return {**installation.environment(os.environ), **own}

    def _cdktf(self, command: str, variables: dict[str, str], *arguments: str) -> None:
        program = PROJECT / "node_modules" / ".bin" / "cdktf"
        if not program.exists():
            raise Refused("cdktf-cli: not installed; run make setup")
        # The lock would have to come from the registry even where the provider comes from a mirror.
        line = [str(program), command, STACK, "--skip-synth", "--skip-provider-lock", *arguments]
        if not self.console.is_terminal:
            line.append("--no-color")
            variables = {**variables, "CI": "1"}  # cdktf-cli then rewrites no line
        with passed_on(self.console) as interruption:
            process = subprocess.Popen(line, cwd=PROJECT, env=variables, **IN_ITS_OWN_GROUP)
            interruption.of(process)
            code = process.wait()
        if code:
            raise Failed(f"cdktf {command} failed with exit code {code}")

    @staticmethod
    def _refuse_silence(approve: bool) -> None:
        if not approve and not sys.stdin.isatty():
            raise Refused("--approve: needed where there is no terminal to ask on")

    @staticmethod
    def _ask(question: str) -> None:
        if not typer.confirm(question):
            raise Refused("nothing was changed")
