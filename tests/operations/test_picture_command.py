"""`make picture`: what it draws from, and how it says that it cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from emulator import process
from operations.deployment.synthesized import provider_installation
from operations.deployment.terraform import Terraform
from operations.outcome import Failed, Refused
from operations.picture import svg
from operations.picture.contents import picture
from operations.picture.graph import graph
from operations.picture.plan import read
from tests.operations.pictures import drawn, graphed, lines_of, stated
from tests.operations.support import REPOSITORY, environment_file, planned_json
from tests.operations.two_regions import TWO_REGIONS

pytestmark = pytest.mark.requirement("W0.1")


@pytest.fixture(scope="module")
def plan(local_aws: process.Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the real Terraform plans, where nothing has been applied: most of what is to be is not known yet."""
    directory = tmp_path_factory.mktemp("picture")
    (directory / "cdk.tf.json").write_text(json.dumps(TWO_REGIONS))
    environment = provider_installation(directory).environment(process.complete_environment(local_aws.url))
    terraform = Terraform(directory, environment, Console(stderr=True))
    terraform.init()
    return planned_json(terraform)


def test_a_plan_is_drawn_as_its_configuration_is(plan: str) -> None:
    """But that a plan knows how many of a block there are."""
    planned, configured = picture(read(plan, "plan")), picture(read(json.dumps(TWO_REGIONS), "configuration"))
    texts, expected = set(lines_of(planned)), set(lines_of(configured))
    title = "payments, environment local: 17\N{NO-BREAK SPACE}resources of 13\N{NO-BREAK SPACE}types"
    assert texts - expected == {title, "2\N{NO-BREAK SPACE}log groups"}
    assert len(graph(planned).edges) == len(graph(configured).edges) == 2
    assert {"peering", "replication", "documents", "all: replication", "2 to 9 tasks", "Fargate Spot", "work"} <= texts
    assert "1\N{NO-BREAK SPACE}dead-letter queue" in texts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "no json",
            r"plan.json: no JSON \(.*\); the output of terraform show -json on a plan's file, or a cdk.tf.json,",
        ),
        ("[]", r"plan.json: neither a plan nor a configuration \(.*\); the output of .* is allowed"),
        ('{"format_version": "1.0", "values": {}}', r"plan.json: neither a plan nor a configuration .*"),
        ('{"provider": {"aws": []}, "resource": {}}', r"plan.json: no resource is in it; .* is allowed"),
        ('{"provider": {"aws": []}, "resource": {"aws_vpc": 3}}', r"plan.json: neither a plan nor a configuration .*"),
    ],
)
def test_file_that_is_no_plan_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(Refused, match=message) as refused:
        read(text, "plan.json")
    assert "\n" not in str(refused.value)


def test_a_plan_that_ended_with_errors_is_refused(plan: str) -> None:
    with pytest.raises(Refused, match=r"plan.json: a plan that ended with errors; one that was finished is allowed"):
        read(json.dumps({**json.loads(plan), "errored": True}), "plan.json")


def run(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "operations", "picture", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, input=text, capture_output=True, text=True, check=False)


def test_command_draws_its_input_and_lists_omitted_resources(tmp_path: Path) -> None:
    output = tmp_path / "picture.svg"
    configuration = TWO_REGIONS | {"resource": {**TWO_REGIONS["resource"], "aws_gamelift_fleet": {"a": {}}}}
    ended = run("-", "--output", str(output), text=json.dumps(configuration))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "    1 aws_gamelift_fleet" in ended.stdout.splitlines()
    assert drawn(output.read_text()) == stated(graphed(configuration))


def bad_arguments(tmp_path: Path) -> Iterator[tuple[list[str], str]]:
    yield ["missing.json"], "missing.json: cannot be read"
    yield ["--environment", str(environment_file(tmp_path, "bad", account_id='"1"'))], "account_id"
    yield ["-", "--output", str(tmp_path / "missing" / "a.svg")], "--output: "


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    for arguments, message in bad_arguments(tmp_path):
        ended = run(*arguments, text=json.dumps(TWO_REGIONS))
        assert ended.returncode == 2
        assert message in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
        assert "Traceback" not in ended.stderr


def test_missing_node_packages_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / svg.PROGRAM.name
    program.write_bytes(svg.PROGRAM.read_bytes())
    monkeypatch.setattr(svg, "PROGRAM", program)  # from where no node_modules are found
    with pytest.raises(Refused, match=r"^@viz-js/viz, aws-icons: not installed; run make setup$"):
        svg.svg(graphed(TWO_REGIONS))


def test_missing_node_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match=r"^node: cannot be run \(No such file or directory\); Node 20 or newer"):
        svg.svg(graphed(TWO_REGIONS))


def test_error_of_graphviz_is_reported_with_its_reason() -> None:
    with pytest.raises(Failed, match=r"^Graphviz: not well-formed"):
        svg.rendered({"nodes": [{"name": "one", "attributes": {"label": {"html": "<b"}}}]}, "svg")
