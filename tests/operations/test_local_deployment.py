"""What deploy-local and destroy-local do when things are not as they should be. The lifecycle tests run them whole."""

from __future__ import annotations

import io
import json
import socket
from pathlib import Path

import pytest
from rich.console import Console

from emulator import process
from emulator.record import RecordedViolation, Recorder
from operations.deployment import local
from operations.deployment.local import LocalDeployment
from operations.deployment.terraform import Progress, Resource, Terraform
from operations.outcome import Failed, Refused
from tests.emulator.support import client_for
from tests.synthesized import STACK, kept_stack

pytestmark = pytest.mark.requirement("W8.2")


@pytest.fixture
def deployment(tmp_path: Path) -> LocalDeployment:
    return LocalDeployment(Console(file=io.StringIO(), width=200), directory=tmp_path / "local-aws")


def linked_stack(environment: str, output: Path) -> Path:
    """The kept synthesis of an environment in the output directory that it would be written to."""
    stack = output / "stacks" / STACK
    stack.parent.mkdir(parents=True, exist_ok=True)
    if not stack.exists():
        stack.symlink_to(kept_stack(environment, output))
    return stack


@pytest.fixture
def without_terraform(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment whose Terraform succeeds at once, with nothing in the state, of a configuration that is kept."""
    monkeypatch.setattr(local, "synthesize", linked_stack)
    monkeypatch.setattr(Terraform, "init", lambda _: None)
    monkeypatch.setattr(Terraform, "apply", lambda _: Progress(seconds={"aws_vpc.v": 11.0}))
    monkeypatch.setattr(Terraform, "plan", lambda _: [])
    monkeypatch.setattr(
        Terraform, "resources", lambda _: [Resource(address="aws_vpc.v", type="aws_vpc", depends_on=())]
    )
    monkeypatch.setattr(Terraform, "outputs", lambda _: {"vpc_id": "vpc-1"})


@pytest.fixture
def stops_its_server(deployment: LocalDeployment) -> object:
    yield
    if server := process.find(deployment.directory):
        process.stop(server)


def said(deployment: LocalDeployment) -> str:
    file = deployment.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.usefixtures("without_terraform")
def test_a_port_in_use_is_refused_in_one_line(deployment: LocalDeployment) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(Refused) as refused:
            deployment.deploy(port)

    assert str(refused.value).startswith(f"--port: {port} is not allowed; ")
    assert f"port {port} is in use" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert process.find(deployment.directory) is None


@pytest.mark.usefixtures("without_terraform", "stops_its_server")
def test_deployment_prints_a_summary_and_leaves_the_local_aws_running(deployment: LocalDeployment) -> None:
    port = free_port()

    deployment.deploy(port)

    text = said(deployment)
    assert "second plan: empty" in text
    assert "1 resources of 1 types" in text
    assert "vpc_id  vpc-1" in text
    assert "requests that break AWS's published contract: 0" in text
    assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{port}" in text
    server = process.find(deployment.directory)
    assert server is not None
    assert server.url.endswith(f":{port}")
    # A second one goes to the same local AWS, whatever port is asked for.
    deployment.deploy(free_port())
    assert process.find(deployment.directory) == server


@pytest.mark.usefixtures("without_terraform", "stops_its_server")
def test_a_second_plan_that_is_not_empty_fails(deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Terraform, "plan", lambda _: ["update aws_vpc.primary"])

    with pytest.raises(Failed, match=r"the second plan is not empty:\n  update aws_vpc\.primary"):
        deployment.deploy(free_port())


@pytest.mark.usefixtures("without_terraform", "stops_its_server")
def test_a_request_that_breaks_the_contract_fails(deployment: LocalDeployment) -> None:
    violation = RecordedViolation(
        time="2026-01-01T00:00:00+00:00",
        service="ec2",
        operation="CreateVpc",
        member="CidrBlock",
        constraint="type",
        message="CidrBlock: 1 is not allowed",
        user_agent="test",
    )
    Recorder(deployment.directory).violation(violation)

    with pytest.raises(Failed, match="ec2:CreateVpc: CidrBlock: 1 is not allowed"):
        deployment.deploy(free_port())


@pytest.mark.usefixtures("without_terraform", "stops_its_server")
def test_remaining_resources_are_listed_and_the_local_aws_keeps_running(
    deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.deploy(free_port())
    (deployment.directory / "terraform").mkdir()
    (deployment.directory / "terraform" / "terraform.tfstate").write_text("{}")
    monkeypatch.setattr(Terraform, "destroy", lambda _: Progress())
    server = process.find(deployment.directory)
    assert server is not None
    s3 = client_for(server)("s3", region="us-east-1")
    s3.create_bucket(Bucket="forgotten")

    with pytest.raises(Failed, match=r"left after the destruction:\n.* forgotten$"):
        deployment.destroy()

    assert process.find(deployment.directory) == server
    s3.delete_bucket(Bucket="forgotten")
    deployment.destroy()  # nothing but the state bucket and its key, which may stay
    assert "nothing is left but the state bucket, its replica and their keys" in said(deployment)
    assert process.find(deployment.directory) is None
    assert not deployment.directory.exists()


def test_destruction_without_a_local_aws_reports_it_and_cleans_up(deployment: LocalDeployment) -> None:
    deployment.directory.mkdir()
    (deployment.directory / "server.json").write_text(json.dumps({"pid": 1, "url": "http://127.0.0.1:1"}))

    deployment.destroy()

    assert "no local AWS runs" in said(deployment)
    assert not deployment.directory.exists()
    deployment.destroy()  # and again, with nothing there


@pytest.mark.usefixtures("stops_its_server")
def test_a_destruction_before_anything_was_deployed_stops_the_local_aws(deployment: LocalDeployment) -> None:
    process.start(deployment.directory)

    deployment.destroy()

    assert "nothing was deployed" in said(deployment)
    assert process.find(deployment.directory) is None
