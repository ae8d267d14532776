"""The payment API's commands: its change sets, by the CDK's own CLI, and its outputs as a flat file (P6.1)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import boto3
from botocore.exceptions import ClientError
from rich.console import Console

from operations.account import aws_errors_in_words, refuse_account_other_than
from operations.deployment.synthesized import absolute
from operations.outcome import Failed, Refused
from operations.payment_api import approval, change_sets, preflight, weights
from operations.payment_api.approval import page
from operations.payment_api.cdk import Cdk
from operations.payment_api.change_sets import ChangeSet
from operations.prerequisites import connect
from operations.project_root import PROJECT
from operations.question import agreed, refuse_silence
from operations.review.apply import refuse_another
from operations.review.page import append_to_summary
from payment_api.settings import Settings

OUTPUTS = PROJECT / "cfn-outputs"
FLAT_OUTPUTS = "flat-outputs.json"


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


def write_outputs(outputs: Mapping[str, Mapping[str, str]], folder: Path = OUTPUTS) -> dict[str, str]:
    """Write flat-outputs.json from the outputs of the stacks, and return it."""
    flat = flatten(outputs)
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
        """Show the changes of ``deploy`` by the templates, which needs a look-up role only. Raises as Cdk.run does."""
        self._check_account()
        self.cdk.synth(validate=True)
        self.console.print(self.cdk.diff(), markup=False)

    def prepare(self, write: Path | None = None, summary: Path | None = None) -> str:
        """Prepare change sets for an approval, show their page, and return it, which ``write`` takes, too.

        They take the place of those that were prepared before, and wait until they are executed. ``summary`` is the
        file of a job's summary.

        A role that may not execute them, and not look at the prerequisites, is enough: ``deploy`` checks those.

        Raises:
            Refused: CloudFormation made no change set.
        """
        self._check_account()
        self.cdk.synth(validate=True)
        with aws_errors_in_words():
            found = page(
                self.settings.environment_suffix, change_sets.prepare(self.cdk, connect, change_sets.FOR_REVIEW)
            )
        self.console.print(found, markup=False)
        if write:
            write.write_text(found, encoding="utf-8")
        if summary:
            append_to_summary(found, summary)
        return found

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

    def deploy(self, *, approve: bool, reviewed: Path | None = None) -> None:
        """Show the page of change sets, ask (unless ``approve``), execute exactly these, and write the outputs.

        Where a page of ``prepare`` was ``reviewed``, nobody is asked, and its change sets are executed or none.

        Raises:
            Refused: a change set is not what was reviewed, or not valid any more, or the answer is no.
        """
        refuse_silence(approve or reviewed is not None)
        self.preflight()
        self.cdk.synth(validate=True)
        self._keep_traffic()
        if reviewed:
            self._execute(self._reviewed(approval.approved(reviewed)))
            return
        with aws_errors_in_words(), change_sets.prepared(self.cdk, connect) as found:
            self.console.print(page(self.settings.environment_suffix, found), markup=False)
            if found:
                self._ask(f"Deploy this to {self.settings.environment_suffix} in {self.settings.account_id}?", approve)
            self._execute(found)

    def _reviewed(self, text: str) -> list[ChangeSet]:
        """The change sets of a page that was approved, as they are now."""
        arns = approval.change_sets_of(text)
        with aws_errors_in_words():
            found = [
                change_sets.described(connect, stack, arn)
                for stack in self.cdk.stacks()
                for arn in arns
                if f":cloudformation:{stack.region}:" in arn
            ]
        change_sets.refuse_stale(found)
        refuse_another(text, page(self.settings.environment_suffix, found))
        for one in found:
            if one.template != one.stack.template:
                raise Refused(
                    f"the change set {one.arn} is of another template than this checkout's; prepare another one"
                )
        return found

    def _execute(self, found: list[ChangeSet]) -> None:
        change_sets.execute(self.cdk, found)
        with aws_errors_in_words():
            written = write_outputs(change_sets.outputs(connect, self.cdk.stacks()))
        for name, value in written.items():
            self.console.print(f"{name}  {value}", markup=False)

    def _keep_traffic(self) -> None:
        """Refuse a change of rules that would return traffic to target groups without tasks."""
        stack, region = self.settings.names.of("api"), self.settings.region
        with aws_errors_in_words():
            if not self._is_deployed():
                return
            (template,) = [one.template for one in self.cdk.stacks() if one.name == stack]
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
