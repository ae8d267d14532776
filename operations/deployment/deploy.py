"""Diff, deployment and destruction of an environment on AWS, by Terraform.

The plan is made once, into a file that is shown, approved and applied. Terraform refuses the file if the state has
changed in between. Each run synthesizes into its own folder, so that another command in the checkout does not affect
it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import boto3
from rich.console import Console

from operations import preflight
from operations.account import aws_errors_in_words, refuse_other_account
from operations.deployment import drift, prerequisites
from operations.deployment import lock as state_lock
from operations.deployment.running_services import refuse_interruptions
from operations.deployment.state_replica import refuse_the_other_state
from operations.deployment.synthesized import CACHE, provider_installation, synthesize
from operations.deployment.terraform import PlanFile, Terraform
from operations.deployment.writer import refuse_loss_of_writer
from operations.outcome import Failed, Refused
from operations.project_root import PROJECT
from operations.question import agreed, refuse_silence, typed
from operations.release import revisions_left_behind as released_revisions
from settings import Settings

UNWRITTEN_STATE = "errored.tfstate"  # Terraform's name for it
RUNBOOK = "docs/runbooks/state.md"


@dataclass(frozen=True)
class Deployment:
    """An environment on AWS, with the credentials that boto3 and Terraform find."""

    environment: str
    settings: Settings
    console: Console

    def diff(self) -> None:
        """Show the plan.

        Raises:
            Refused: a prerequisite is missing, or the credentials belong to another account.
            Failed: Terraform failed; its errors are in the message.
        """
        with self.planned(lock=False) as plan:
            self._show(plan)

    def preflight(self) -> None:
        """Check what must exist before a first deployment; nothing is changed.

        Raises:
            Refused: a line for each prerequisite that is missing, or the credentials belong to another account.
            Failed: AWS does not answer.
        """
        self._refuse_other_account()
        prerequisites.check(self.settings, self.console)

    @contextmanager
    def planned(self, *, from_state: bool = False, lock: bool = True) -> Iterator[PlanFile]:
        """The plan, for as long as the block lasts. Raises as ``diff`` does.

        ``from_state`` plans from the state only, without a lock and without a refresh from AWS.
        """
        self._refuse_the_other_state()
        with self._terraform() as terraform, terraform.planned(from_state=from_state, lock=lock) as plan:
            yield plan

    @contextmanager
    def drift(self) -> Iterator[tuple[PlanFile, frozenset[str]]]:
        """The plan of drift and the addresses that it does not speak of, while the block lasts. Raises as ``diff``."""
        self._refuse_the_other_state()
        with self._terraform() as terraform, drift.planned(terraform) as found:
            yield found

    def deploy(self, *, approve: bool) -> None:
        """Show the plan, ask (unless ``approve``), and apply it. Raises as ``diff`` does."""
        refuse_silence(approve)
        self._refuse_other_account()
        prerequisites.refuse_missing(self.settings)
        with self.planned() as plan:
            self._show(plan)
            planned = plan.as_json()
            refuse_interruptions(planned)
            refuse_loss_of_writer(planned)
            if not approve and not agreed(f"Deploy this to {self._place}?"):
                raise Refused("nothing was changed")
            plan.apply()

    def unlock(self, *, approve: bool) -> None:
        """Show whose the lock of the state is, ask (unless ``approve``), and free it. Raises as ``diff`` does."""
        with self._terraform() as terraform:
            place = terraform.backend
            with aws_errors_in_words():
                client = boto3.client("s3", region_name=place["region"])
                lock = state_lock.read(client, place["bucket"], place["key"])
            state_lock.unlock(lock, terraform, self.console, approve=approve)

    def destroy(self, *, approve: bool, summarize: Callable[[str], str]) -> None:
        """Show data that would be lost, ask for the environment's name (unless ``approve``), and destroy everything.

        Args:
            approve: do not ask.
            summarize: turns the plan, as `terraform show -json` writes it, into the text that is shown.

        Raises:
            Refused: the environment is protected, by its settings or as it is deployed.
            Failed: Terraform failed; its errors are in the message.
        """
        if self.settings.protected:
            raise Refused(
                f"protected: true is not allowed for destroy; {self.settings.environment_suffix} can be destroyed once "
                "its settings say false and have been deployed"
            )
        refuse_silence(approve)
        self._refuse_the_other_state()
        with self._terraform() as terraform:
            refuse_deployed_protection(terraform, self.settings.environment_suffix)
            with terraform.planned(destroy=True) as plan:
                refuse_loss_of_writer(plan.as_json())
                self.console.print(summarize(plan.as_json()), markup=False)
                if not approve:
                    self._have_name_typed()
                plan.apply()
        with aws_errors_in_words():
            session = boto3.Session()
            released_revisions.deregister(self.settings, lambda region: session.client("ecs", region_name=region))

    @property
    def _place(self) -> str:
        return f"{self.settings.environment_suffix} in {self.settings.account_id}"

    def _show(self, plan: PlanFile) -> None:
        # In Terraform's format: without colours and line breaks of ours.
        self.console.out(plan.as_text(), highlight=False)

    @contextmanager
    def _terraform(self) -> Iterator[Terraform]:
        """Check the machine and the account, synthesize, and connect Terraform to the backend."""
        if lines := preflight.problems():
            raise Refused("\n".join(lines))
        self._refuse_other_account()
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="deployment-", dir=CACHE) as folder:
            directory = synthesize(self.environment, Path(folder))
            installation = provider_installation(directory)
            self.console.print(
                f"Terraform {preflight.terraform_version()}, its provider from {installation.source}", markup=False
            )
            variables = {**installation.environment(os.environ), "TF_DATA_DIR": str(data_directory(self.settings))}
            terraform = Terraform(directory, variables, self.console)
            self.console.print("terraform init ...")
            self._connect(terraform)
            try:
                yield terraform
            finally:
                self._keep_unwritten_state(directory)

    def _refuse_other_account(self) -> None:
        with aws_errors_in_words():
            recovery = self.settings.state.in_recovery_region
            region = self.settings.recovery.name if recovery else self.settings.primary.name
            refuse_other_account(self.settings, boto3.Session(), region)

    def _refuse_the_other_state(self) -> None:
        self._refuse_other_account()
        with aws_errors_in_words():
            refuse_the_other_state(self.settings, boto3.client("s3", region_name=self.settings.recovery.name))

    @staticmethod
    def _connect(terraform: Terraform) -> None:
        try:
            terraform.init()
        except Failed as failure:
            if "NoSuchBucket" not in str(failure) and "does not exist" not in str(failure):
                raise
            bucket = terraform.backend["bucket"]
            raise Refused(f"state.bucket: there is no bucket {bucket}; run make bootstrap") from None

    def _keep_unwritten_state(self, directory: Path) -> None:
        """Keep the state that Terraform could not write to the bucket: it leaves it in its folder, which goes."""
        written = directory / UNWRITTEN_STATE
        if not written.exists():
            return
        kept = PROJECT / f"errored-{self.settings.environment_suffix}-{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}.tfstate"
        kept.touch(mode=0o600)
        kept.write_bytes(written.read_bytes())
        self.console.print(
            f"the state could not be written to its bucket, and is in {kept.name}: keep it, and see {RUNBOOK}",
            style="red",
            markup=False,
        )

    def _have_name_typed(self) -> None:
        suffix = self.settings.environment_suffix
        if typed(f"To destroy all of {self._place}, type {suffix}") != suffix:
            raise Refused("nothing was destroyed")


def data_directory(settings: Settings) -> Path:
    """Where Terraform keeps what it knows of an environment's backend and providers.

    Each environment has its own: Terraform would take one's backend for another's that has moved, and offer to copy the
    state over (hashicorp/terraform-cdk#384).
    """
    return CACHE / "terraform" / f"{settings.account_id}-{settings.environment_suffix}"


def refuse_deployed_protection(terraform: Terraform, suffix: str) -> None:
    """Make sure that no resource in the state has deletion protection, whatever the local settings file says.

    Raises:
        Refused: one has.
        Failed: the state cannot be read.
    """
    if protected := sorted(one.address for one in terraform.resources() if one.protected):
        raise Refused(
            f"{suffix}: protected as it is deployed ({', '.join(protected)}); it can be destroyed once settings with "
            "protected = false have been deployed to it"
        )
