"""What is shown is what is executed: the payment API's change sets against a real CloudFormation (W8.1)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from operations.outcome import Refused, console
from operations.payment_api import deploy
from operations.payment_api.approval import NOTHING, change_sets_of, digest
from operations.payment_api.change_sets import Action, ChangeSet, described, prepare
from operations.payment_api.deploy import Deployment
from payment_api.settings import load
from tests.operations import change_sets
from tests.operations.change_sets import API, REGIONS, REPLICA, CdkOfThese, CloudFormation, template

pytestmark = pytest.mark.requirement("W8.1", "P6.1")


@pytest.fixture(scope="module")
def cloudformation() -> Iterator[CloudFormation]:
    with change_sets.running() as one:
        yield one


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloudformation: CloudFormation) -> Iterator[Deployment]:
    """An environment whose two stacks are of a few parameters; none of them exists."""
    monkeypatch.setattr(deploy, "PROJECT", tmp_path)
    monkeypatch.setattr(deploy, "connect", cloudformation.connect)
    written: list[Any] = []

    def write(found: Any) -> dict[str, str]:
        written.append(found)
        return {}

    monkeypatch.setattr(deploy, "write_outputs", write)
    for name in ("_check_account", "preflight", "_keep_traffic"):
        monkeypatch.setattr(Deployment, name, lambda _: None)
    one = Deployment("staging", load("staging"), console())
    one.cdk = CdkOfThese.of(one.cdk, cloudformation, api=template(one="1", two="2"), replica=template(other="1"))
    one.written = written  # type: ignore[attr-defined]
    yield one
    for stack, region in REGIONS.items():
        if stack in cloudformation.stacks():
            client = cloudformation.connect("cloudformation", region)
            client.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
            client.delete_stack(StackName=stack)
            client.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.1})


def wants(deployment: Deployment, **templates: dict[str, Any]) -> None:
    """Let the app synthesize these."""
    deployment.cdk.wanted.update(templates)  # type: ignore[attr-defined]


def test_exactly_the_approved_change_sets_are_executed(deployment: Deployment, cloudformation: CloudFormation) -> None:
    approved = deployment.cdk.assembly.parent / "approved.md"
    approved.parent.mkdir(parents=True)
    page = deployment.prepare(approved)
    assert cloudformation.stacks() == {API: "REVIEW_IN_PROGRESS", REPLICA: "REVIEW_IN_PROGRESS"}
    assert "**3** to add." in page
    assert [arn.split(":")[3] for arn in change_sets_of(page)] == [REGIONS[REPLICA], REGIONS[API]], "in their order"

    deployment.deploy(approve=False, reviewed=approved)
    assert cloudformation.stacks() == {API: "CREATE_COMPLETE", REPLICA: "CREATE_COMPLETE"}
    assert deployment.written == [{REPLICA: {"First": "/other"}, API: {"First": "/one"}}]  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="prepare another one"):
        deployment.deploy(approve=False, reviewed=approved)

    wants(deployment, api=template(one="10", three="3"))
    page = deployment.prepare(approved)
    assert "**1** to remove, **1** to modify, **1** to add." in page
    assert "> - **remove** `two` (AWS::SSM::Parameter); the old one: Delete" in page
    assert '- Properties.Value = "1"\n+ Properties.Value = "10"' in page
    assert REPLICA not in page, "what would not change has no change set"
    assert "AVAILABLE" not in cloudformation.change_sets(REPLICA).values()


def test_a_change_set_is_refused_once_its_stack_has_changed(
    deployment: Deployment, cloudformation: CloudFormation
) -> None:
    deployment.deploy(approve=True)
    wants(deployment, api=template(one="10"))
    approved = deployment.cdk.assembly.parent / "approved.md"
    deployment.prepare(approved)
    client = cloudformation.connect("cloudformation", REGIONS[API])
    client.update_stack(StackName=API, TemplateBody=json.dumps(template(one="behind our back")))
    cloudformation.until(API, "UPDATE_COMPLETE")
    with pytest.raises(Refused, match="OBSOLETE: the stack has changed since"):
        deployment.deploy(approve=False, reviewed=approved)
    with pytest.raises(client.exceptions.InvalidChangeSetStatusException):
        client.execute_change_set(StackName=API, ChangeSetName="for-review")
    parameters = cloudformation.connect("ssm", REGIONS[API])
    assert parameters.get_parameter(Name="/one")["Parameter"]["Value"] == "behind our back"


def test_what_was_not_approved_is_not_executed(deployment: Deployment, cloudformation: CloudFormation) -> None:
    deployment.deploy(approve=True)
    approved = deployment.cdk.assembly.parent / "approved.md"
    wants(deployment, api=template(one="10", two="2"))
    page = deployment.prepare(approved)

    approved.write_text(page.replace('"10"', '"11"'))
    with pytest.raises(Refused, match="is not what was approved"):
        deployment.deploy(approve=False, reviewed=approved)
    approved.write_text(page)
    wants(deployment, api={**template(one="10", two="2"), "Description": "of another commit"})
    with pytest.raises(Refused, match="another template than this checkout's"):
        deployment.deploy(approve=False, reviewed=approved)
    with pytest.raises(Refused, match="cannot be read"):
        deployment.deploy(approve=False, reviewed=approved.with_name("nowhere.md"))
    deployment.prepare(approved.with_name("newer.md"))
    with pytest.raises(Refused, match="any more; prepare another one"):
        deployment.deploy(approve=False, reviewed=approved)
    assert cloudformation.stacks()[API] == "CREATE_COMPLETE"


def test_nothing_to_change_is_said_and_leaves_nothing(
    deployment: Deployment, cloudformation: CloudFormation, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.deploy(approve=True)
    deployment.deploy(approve=True)
    assert NOTHING in capsys.readouterr().out
    assert deployment.prepare() == f"## Payment API: staging\n\n{NOTHING}\n\n"
    assert not any(status == "AVAILABLE" for stack in REGIONS for status in cloudformation.change_sets(stack).values())


def test_a_refused_deployment_leaves_neither_change_set_nor_stack(
    deployment: Deployment, cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy, "refuse_silence", lambda _: None)
    monkeypatch.setattr(deploy, "agreed", lambda _: False)
    with pytest.raises(Refused, match="nothing was changed"):
        deployment.deploy(approve=False)
    assert not cloudformation.stacks()
    deployment.deploy(approve=True)
    wants(deployment, api=template(one="10"))
    with pytest.raises(Refused, match="nothing was changed"):
        deployment.deploy(approve=False)
    assert not any(status == "AVAILABLE" for status in cloudformation.change_sets(API).values())
    assert cloudformation.stacks()[API] == "CREATE_COMPLETE"


def test_protection_from_termination_ends_with_the_execution_and_not_before(
    deployment: Deployment, cloudformation: CloudFormation
) -> None:
    deployment.cdk.protected[API] = True  # type: ignore[attr-defined]
    deployment.deploy(approve=True)
    deployment.cdk.protected[API] = False  # type: ignore[attr-defined]
    wants(deployment, api=template(one="10"))
    approved = deployment.cdk.assembly.parent / "approved.md"
    page = deployment.prepare(approved)
    assert "**Protected from termination: True -> False**" in page
    assert cloudformation.until(API, "CREATE_COMPLETE")["EnableTerminationProtection"]
    deployment.deploy(approve=False, reviewed=approved)
    assert not cloudformation.until(API, "UPDATE_COMPLETE")["EnableTerminationProtection"]


def test_replacement_is_described_as_it_happens_and_digested(
    deployment: Deployment, cloudformation: CloudFormation
) -> None:
    """A name of SSM cannot be changed: by CloudFormation's schema another one is another resource."""
    deployment.deploy(approve=True)
    renamed = template(one="1", two="2")
    renamed["Resources"]["one"]["Properties"]["Name"] = "/renamed"
    renamed["Resources"]["user"] = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": "/user", "Type": "String", "Value": {"Fn::Sub": "of ${one}"}},
    }
    part: dict[str, Any] = {"Fn::Select": [1, {"Fn::Split": ["/", {"Ref": "one"}]}]}
    renamed["Resources"]["part"] = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": "/part", "Type": "String", "Value": part},
    }
    wants(deployment, api=renamed)
    deployment.cdk.synth(validate=False)
    (first,) = prepare(deployment.cdk, cloudformation.connect, "first")
    changes = {one.resource: one for one in first.changes}
    assert (changes["one"].action, changes["one"].because, changes["one"].then) == (Action.REPLACE, ("Name",), "Delete")
    assert (changes["one"].before["Properties"]["Name"], changes["one"].after["Properties"]["Name"]) == (
        "/one",
        "/renamed",
    )
    assert changes["user"].before is None
    for name in ("user", "part"):
        assert changes[name].after["Properties"]["Value"] == "{{changeSet:KNOWN_AFTER_APPLY}}"
    assert _again(deployment, cloudformation, "second") == digest([first]), "the same change has the same digest"

    deployment.cdk.execute(first.stack, first.arn)
    parameters = cloudformation.connect("ssm", REGIONS[API])
    assert parameters.get_parameter(Name="/user")["Parameter"]["Value"] == "of /renamed"
    assert "/one" not in {one["Name"] for one in parameters.describe_parameters()["Parameters"]}


def test_a_request_that_is_repeated_makes_no_second_change_set(cloudformation: CloudFormation) -> None:
    client = cloudformation.connect("cloudformation", REGIONS[API])
    asked = {"StackName": "repeated", "ChangeSetName": "one", "ChangeSetType": "CREATE", "ClientToken": "same"}
    found = [client.create_change_set(TemplateBody=json.dumps(template(one="1")), **asked)["Id"] for _ in range(2)]
    assert len(set(found)) == 1
    with pytest.raises(client.exceptions.AlreadyExistsException):
        client.create_change_set(TemplateBody="{}", **{**asked, "ClientToken": "another"})
    client.delete_stack(StackName="repeated")


def _again(deployment: Deployment, cloudformation: CloudFormation, name: str) -> str:
    found: list[ChangeSet] = prepare(deployment.cdk, cloudformation.connect, name)
    assert described(cloudformation.connect, found[0].stack, found[0].arn) == found[0]
    return digest(found)
