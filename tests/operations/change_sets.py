"""CloudFormation of the payment API's local AWS alone, and stacks for it that need no other service."""

from __future__ import annotations

import contextlib
import functools
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError

from emulator.address import HOST
from emulator.process import free_port
from operations.payment_api.cdk import Cdk, Stack

REPLICA, API = "replica", "api"
REGIONS = {REPLICA: "ap-southeast-2", API: "ap-southeast-1"}
SECONDS_TO_START = 60.0


@dataclass(frozen=True)
class CloudFormation:
    """A running CloudFormation."""

    url: str

    @functools.cache  # noqa: B019  # as long as the module's tests
    def connect(self, service: str, region: str) -> Any:
        """A client in a region."""
        make: Any = boto3.client
        return make(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id="123456789012",
            aws_secret_access_key="unused",  # nobody checks it
        )

    def until(self, stack: str, *statuses: str) -> dict[str, Any]:
        """The stack once it has one of these statuses."""
        client = self.connect("cloudformation", REGIONS[stack])
        end = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < end:
            (found,) = client.describe_stacks(StackName=stack)["Stacks"]
            if found["StackStatus"] in statuses:
                return dict(found)
            time.sleep(0.05)
        raise AssertionError(f"{stack} is {found['StackStatus']}")

    def stacks(self) -> dict[str, str]:
        """The status of each stack that is there."""
        found = {}
        for region in REGIONS.values():
            for one in self.connect("cloudformation", region).describe_stacks()["Stacks"]:
                found[one["StackName"]] = one["StackStatus"]
        return found

    def change_sets(self, stack: str) -> dict[str, str]:
        """The execution status of each change set of a stack."""
        client = self.connect("cloudformation", REGIONS[stack])
        found = client.list_change_sets(StackName=stack)["Summaries"]
        return {one["ChangeSetName"]: one["ExecutionStatus"] for one in found}


@contextlib.contextmanager
def running() -> Iterator[CloudFormation]:
    """Run it; it makes what ministack makes by itself."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "emulator.ministack.server",
        "--port",
        str(port),
        "--front",
        "http://nowhere.invalid",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    one = CloudFormation(f"http://{HOST}:{port}")
    end = time.monotonic() + SECONDS_TO_START
    try:
        while True:
            try:
                one.stacks()
                break
            except BotoCoreError:
                if time.monotonic() > end:
                    raise
        yield one
    finally:
        process.kill()
        process.wait()


def template(**parameters: str | None) -> dict[str, Any]:
    """A template of parameters of SSM: their logical ids, and values."""
    resources: dict[str, Any] = {
        logical: {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Name": f"/{logical}", "Type": "String", "Value": value},
        }
        for logical, value in parameters.items()
    }
    return {"Resources": resources, "Outputs": {"First": {"Value": {"Ref": next(iter(resources))}}}}


class CdkOfThese(Cdk):
    """The CLI as far as CloudFormation sees it: it synthesizes what it was told, and makes and executes change sets."""

    cloudformation: CloudFormation
    wanted: dict[str, dict[str, Any]]
    protected: dict[str, bool]
    fails: str

    @classmethod
    def of(cls, base: Cdk, cloudformation: CloudFormation, **wanted: dict[str, Any]) -> CdkOfThese:
        """One that synthesizes these templates by stack."""
        made = cls(environment=base.environment, assembly=base.assembly, variables={}, console=base.console)
        for name, value in {"cloudformation": cloudformation, "wanted": wanted, "protected": {}, "fails": ""}.items():
            object.__setattr__(made, name, value)
        return made

    def synth(self, *, validate: bool) -> None:  # noqa: ARG002  # as the CLI's
        """Write the manifest, as the CLI does."""
        self.assembly.mkdir(parents=True, exist_ok=True)
        artifacts = {}
        for name, content in self.wanted.items():
            (self.assembly / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
            properties = {
                "stackName": name,
                "templateFile": f"{name}.json",
                "terminationProtection": self.protected.get(name, False),
            }
            artifacts[name] = {
                "type": "aws:cloudformation:stack",
                "environment": f"aws://123456789012/{REGIONS[name]}",
                "properties": properties,
                "dependencies": [REPLICA] if name == API and REPLICA in self.wanted else [],
            }
        manifest = {"artifacts": artifacts}
        (self.assembly / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    def prepare(self, name: str, protected: Mapping[str, bool]) -> None:
        """Make the change sets, and set the protection that it is told, as the CLI does."""
        with self._protected_as(protected) as assembly:
            manifest = json.loads((Path(assembly) / "manifest.json").read_text(encoding="utf-8"))
        for stack in self.stacks():
            client = self.cloudformation.connect("cloudformation", stack.region)
            exists = self.cloudformation.stacks().get(stack.name, "REVIEW_IN_PROGRESS") != "REVIEW_IN_PROGRESS"
            if stack.name in self.cloudformation.stacks():
                client.delete_change_set(StackName=stack.name, ChangeSetName=name)
            client.create_change_set(
                StackName=stack.name,
                ChangeSetName=name,
                ChangeSetType="UPDATE" if exists else "CREATE",
                TemplateBody=json.dumps(stack.template),
            )
            wanted = manifest["artifacts"][stack.id]["properties"]["terminationProtection"]
            client.update_termination_protection(StackName=stack.name, EnableTerminationProtection=wanted)

    def execute(self, stack: Stack, change_set: str) -> None:
        """Execute, and wait until it has ended."""
        client = self.cloudformation.connect("cloudformation", stack.region)
        client.update_termination_protection(StackName=stack.name, EnableTerminationProtection=stack.protected)
        client.execute_change_set(StackName=stack.name, ChangeSetName=change_set)
        self.cloudformation.until(stack.name, "CREATE_COMPLETE", "UPDATE_COMPLETE")
