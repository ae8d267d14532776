"""The whole life of the platform on a local AWS: deployed, planned again, searched for secrets, destroyed (W8.2)."""

from __future__ import annotations

import io
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from rich.console import Console

from emulator import process
from emulator.record import Call, read_calls, read_violations
from operations.local_deployment import LocalDeployment
from operations.synthesized import provider_installation, synthesize
from operations.terraform import Terraform
from settings import Settings
from tests.synthesized import Synthesized

pytestmark = pytest.mark.lifecycle

SECRETS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r'"(?:master_)?password"\s*:\s*"[^"]+"'),
    re.compile(r'"secret_string"\s*:\s*"[^"]+"'),
)
# What is listed after the destruction, region by region: service, call, and where the answer has what there is.
# Beside the inventory that the destruction itself looks through, so that one mistake cannot hide in both.
LISTINGS: list[tuple[str, str, dict[str, Any], Callable[[dict[str, Any]], list[Any]]]] = [
    ("ec2", "describe_vpcs", {}, lambda answer: [vpc for vpc in answer["Vpcs"] if not vpc["IsDefault"]]),
    ("ec2", "describe_nat_gateways", {}, lambda a: [n for n in a["NatGateways"] if n["State"] != "deleted"]),
    ("ec2", "describe_addresses", {}, lambda answer: answer["Addresses"]),
    ("ec2", "describe_vpc_endpoints", {}, lambda a: [e for e in a["VpcEndpoints"] if e["State"] != "deleted"]),
    ("ec2", "describe_flow_logs", {}, lambda answer: answer["FlowLogs"]),
    (
        "ec2",
        "describe_vpc_peering_connections",
        {},
        lambda a: [p for p in a["VpcPeeringConnections"] if p["Status"]["Code"] != "deleted"],
    ),
    ("logs", "describe_log_groups", {}, lambda answer: answer["logGroups"]),
    ("sns", "list_topics", {}, lambda answer: answer["Topics"]),
    ("cloudwatch", "describe_alarms", {}, lambda answer: answer["MetricAlarms"]),
    ("iam", "list_roles", {}, lambda a: [r for r in a["Roles"] if not r["Path"].startswith("/aws-service-role/")]),
]


DIGEST = "0" * 64
# What a running platform is asked for, as settings over those that were deployed.
CHANGES = {
    "image": f'[services.web]\nimage = "registry.example.com/web@sha256:{DIGEST}"\n',
    "size": "[services.payments]\ncpu_units = 1024\nmemory_mib = 2048\n",
    "bounds": "[services.web]\nminimum_tasks = 3\nmaximum_tasks = 9\n",
    "path": '[services.payments]\npath_patterns = ["/api/*", "/v2/*"]\n',
    "priority": "[services.payments]\npriority = 900\n",
    "health-check": '[services.web.health_check]\npath = "/health"\ninterval_seconds = 20\n',
    "canary": "[release]\ncanary_percent = 20\nbake_minutes = 5\n",
    "nat": '[network]\nnat_gateways = "one"\n',
    "new-service": (
        f'[services.cards]\nimage = "registry.example.com/cards@sha256:{DIGEST}"\ncritical = true\n'
        'path_patterns = ["/cards/*"]\npriority = 2000\n'
    ),
}
# A revision of a task definition and a canary cannot be changed: a new one is made, and the old one goes after it.
NEW_BY_NATURE = {"aws_ecs_task_definition", "aws_codedeploy_deployment_config"}


@dataclass(kw_only=True)
class Rehearsal:
    """What was seen while the platform lived and after it was gone."""

    output: str
    state: str
    state_encryption: str
    calls: list[Call]
    violations: list[Any]
    left: dict[str, list[Any]]
    buckets_left: list[str]
    plans: dict[str, list[str]]


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory, local_settings: Settings) -> Iterator[Rehearsal]:
    """One deployment and one destruction, which the tests of this file look at."""
    said = io.StringIO()
    directory = tmp_path_factory.mktemp("local-aws")
    deployment = LocalDeployment(Console(file=said, width=160), directory)
    try:
        deployment.deploy(process.free_port())
        server = process.find(directory)
        assert server is not None
        state = client(server, "s3").get_object(
            Bucket=local_settings.state.bucket, Key="payments/local/terraform.tfstate"
        )
        plans = {name: planned(deployment, server, directory / name, text) for name, text in CHANGES.items()}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LocalDeployment, "abandon", lambda _: None)  # to look around before it is gone
            deployment.destroy()
        yield Rehearsal(
            output=said.getvalue(),
            state=state["Body"].read().decode(),
            state_encryption=state["ServerSideEncryption"],
            calls=list(read_calls(directory)),
            violations=list(read_violations(directory)),
            left=listed(server, (local_settings.primary.name, local_settings.recovery.name, "us-east-1")),
            buckets_left=[bucket["Name"] for bucket in client(server, "s3").list_buckets()["Buckets"]],
            plans=plans,
        )
    finally:
        print(said.getvalue(), file=sys.stderr)  # shown where a test fails, with the times of the phases
        deployment.abandon()


def planned(deployment: LocalDeployment, server: process.Server, directory: Path, change: str) -> list[str]:
    """What Terraform would do to the deployed platform if settings said so: action and address, a line each."""
    directory.mkdir()
    (directory / "changed.toml").write_text(f'extends = "local"\n{change}')
    stack = synthesize(str(directory / "changed.toml"), directory / "cdktf.out")
    environment = provider_installation(stack).environment(process.complete_environment(server.url))
    terraform = Terraform(stack, environment, deployment.console)
    terraform.init()
    return terraform.plan()


def client(server: process.Server, service: str, region: str = "us-east-2") -> Any:
    """A client of the local AWS."""
    variables = process.environment(server.url, region)
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name=region,
        endpoint_url=server.url,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


def listed(server: process.Server, regions: tuple[str, ...]) -> dict[str, list[Any]]:
    """What a listing of each service finds, where it finds anything."""
    found: dict[str, list[Any]] = {}
    for region in regions:
        for service, call, parameters, select in LISTINGS:
            answer = getattr(client(server, service, region), call)(**parameters)
            if selected := select(answer):
                found[f"{region} {service} {call}"] = selected
    return found


@pytest.mark.requirement("W8.2")
@pytest.mark.requirement("W0.1")
def test_everything_synthesized_is_deployed_and_the_second_plan_is_empty(
    rehearsal: Rehearsal, platform: Synthesized
) -> None:
    types = platform.configuration["resource"]
    total = sum(len(blocks) for blocks in types.values())
    assert f"{total} resources of {len(types)} types" in rehearsal.output
    assert "second plan: empty" in rehearsal.output


@pytest.mark.requirement("W8.2")
def test_the_longest_chain_of_waits_stands_beside_the_time(rehearsal: Rehearsal) -> None:
    for phase in ("terraform apply", "terraform destroy"):
        (line,) = set(re.findall(rf"^ *{phase} +(\S+) s +(\d+) s: (.+?) *$", rehearsal.output, re.MULTILINE))
        wall_time, chain_time, chain = line
        assert 0 < float(chain_time) <= float(wall_time) + 1  # Terraform counts a resource's time in whole seconds
        assert " > " in chain


@pytest.mark.requirement("W8.2")
def test_no_request_breaks_the_published_contract(rehearsal: Rehearsal) -> None:
    assert rehearsal.violations == []
    assert len(rehearsal.calls) > 1000  # there was something to look at


@pytest.mark.requirement("W0.3")
def test_state_lies_encrypted_in_its_bucket_which_outlives_the_platform(
    rehearsal: Rehearsal, local_settings: Settings
) -> None:
    assert rehearsal.state_encryption == "aws:kms"
    assert rehearsal.buckets_left == [local_settings.state.bucket]
    locks = [call for call in rehearsal.calls if "terraform.tfstate.tflock" in str(call.resource)]
    assert {call.action for call in locks} >= {"s3:PutObject", "s3:DeleteObject"}


@pytest.mark.requirement("W0.5")
def test_no_secret_is_in_state_or_on_the_screen(rehearsal: Rehearsal) -> None:
    assert '"type": "aws_kms_key"' in rehearsal.state  # it is the state
    for pattern in SECRETS:
        assert not pattern.search(rehearsal.state), pattern.pattern
    on_screen = rehearsal.output.replace("AKIAIOSFODNN7EXAMPLE", "")  # the local AWS's own, printed to be used
    assert not any(pattern.search(on_screen) for pattern in SECRETS)


@pytest.mark.requirement("W8.2")
def test_destruction_leaves_nothing(rehearsal: Rehearsal) -> None:
    assert rehearsal.left == {}


@pytest.mark.requirement("W0.2")
def test_each_region_was_sent_what_stands_in_it(rehearsal: Rehearsal, platform: Synthesized) -> None:
    made = Counter(call.region for call in rehearsal.calls if call.action == "ec2:CreateSubnet" and call.status == 200)
    stood = Counter({"aws": "us-east-2", "aws.recovery": "us-west-2"}[s["provider"]] for s in _subnets(platform))
    assert made == stood


def _subnets(platform: Synthesized) -> list[dict[str, Any]]:
    return list(platform.resources("aws_subnet").values())


@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_settings_replaces_nothing_that_is_in_use(rehearsal: Rehearsal, change: str) -> None:
    plan = [line.split(" ", 1) for line in rehearsal.plans[change]]
    assert plan, "the change changes nothing"
    undone = [(action, address) for action, address in plan if action in {"replace", "delete"}]
    expected = {"nat": {"aws_nat_gateway", "aws_eip", "aws_route", "aws_route_table"}}.get(change, NEW_BY_NATURE)
    assert [one for one in undone if one[1].split(".")[0] not in expected] == []


@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize(
    ("change", "type_"),
    [("path", "aws_lb_listener_rule"), ("priority", "aws_lb_listener_rule"), ("health-check", "aws_lb_target_group")],
)
def test_rules_and_target_groups_are_changed_in_place(rehearsal: Rehearsal, change: str, type_: str) -> None:
    assert {line.split(" ")[0] for line in rehearsal.plans[change] if f" {type_}." in line} == {"update"}


@pytest.mark.requirement("W1.2")
@pytest.mark.parametrize("change", ["image", "size"])
def test_a_running_blue_green_service_is_left_to_its_release(rehearsal: Rehearsal, change: str) -> None:
    """CodeDeploy owns its task definition: Terraform makes a revision and does not touch the service."""
    assert any(" aws_ecs_task_definition." in line for line in rehearsal.plans[change])
    assert not [line for line in rehearsal.plans[change] if " aws_ecs_service." in line]
