"""Load balancers that answer: who reaches them, which rule decides, and what stands behind a target."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator import process
from emulator.process import EmulatorError, Server
from emulator.runtime import stand_in
from emulator.runtime.stand_in import StandIn
from tests.emulator.load_balancer_support import IMAGE, NAME, OTHER, VERIFIED, World
from tests.emulator.release_support import Make
from tests.emulator.support import client_for
from tests.warm_aws import LocalAws

pytestmark = pytest.mark.requirement("W8.2")


@pytest.fixture(scope="module")
def server(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with empty_aws(tmp_path_factory.mktemp("load-balancers")) as running:
        yield running


@pytest.fixture(scope="module")
def made(server: Server) -> World:
    return World.make(client_for(server))


@pytest.fixture
def world(made: World) -> Iterator[World]:
    """The rules that a test adds go again."""
    elbv2 = made.client("elbv2")
    before = {rule["RuleArn"] for rule in elbv2.describe_rules(ListenerArn=made.listener)["Rules"]}
    yield made
    for rule in elbv2.describe_rules(ListenerArn=made.listener)["Rules"]:
        if rule["RuleArn"] not in before:
            elbv2.delete_rule(RuleArn=rule["RuleArn"])


@pytest.fixture
def web(server: Server) -> Iterator[StandIn]:
    with stand_in.serving(server, IMAGE, 200, b"ready") as answering:
        yield answering


def fixed(status: int) -> dict[str, Any]:
    return {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": str(status)}}


def test_a_load_balancer_has_an_address_in_each_of_its_subnets_until_it_goes(client: Make) -> None:
    ec2, elbv2 = client("ec2"), client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{n}.0/24", AvailabilityZone=f"us-east-2{zone}")["Subnet"][
            "SubnetId"
        ]
        for n, zone in enumerate("abc")
    ]
    groups = [
        ec2.create_security_group(VpcId=vpc, GroupName=name, Description=name)["GroupId"] for name in ("one", "two")
    ]
    arn = elbv2.create_load_balancer(Name="standing", Subnets=subnets[:2], SecurityGroups=groups[:1])["LoadBalancers"][
        0
    ]["LoadBalancerArn"]
    own = [{"Name": "description", "Values": ["ELB " + arn.partition(":loadbalancer/")[2]]}]

    def found() -> dict[str, dict[str, Any]]:
        listed = ec2.describe_network_interfaces(Filters=own)["NetworkInterfaces"]
        return {one["SubnetId"]: one for one in listed}

    before = found()
    assert before.keys() == set(subnets[:2])
    for number, subnet in enumerate(subnets[:2]):
        one = before[subnet]
        assert one["PrivateIpAddress"].startswith(f"10.9.{number}.")
        assert (one["RequesterId"], one["RequesterManaged"], one["Status"]) == ("amazon-elb", True, "in-use")
        assert [group["GroupId"] for group in one["Groups"]] == groups[:1]

    elbv2.set_subnets(LoadBalancerArn=arn, Subnets=subnets[1:])
    elbv2.set_security_groups(LoadBalancerArn=arn, SecurityGroups=groups[1:])
    after = found()
    assert after.keys() == set(subnets[1:])
    assert after[subnets[1]]["NetworkInterfaceId"] == before[subnets[1]]["NetworkInterfaceId"]
    assert [group["GroupId"] for one in after.values() for group in one["Groups"]] == groups[1:] * 2

    elbv2.delete_load_balancer(LoadBalancerArn=arn)
    assert found() == {}


@pytest.mark.parametrize(("asked", "scheme"), [({}, "internet-facing"), ({"Scheme": "internal"}, "internal")])
def test_a_load_balancer_faces_the_internet_unless_it_is_internal(
    client: Make, asked: dict[str, str], scheme: str
) -> None:
    ec2, elbv2 = client("ec2"), client("elbv2")
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"] if one["DefaultForAz"]][:2]
    made = elbv2.create_load_balancer(Name=f"faces-{scheme}", Subnets=subnets, **asked)["LoadBalancers"][0]
    (found,) = elbv2.describe_load_balancers(LoadBalancerArns=[made["LoadBalancerArn"]])["LoadBalancers"]
    elbv2.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    assert (made["Scheme"], found["Scheme"]) == (scheme, scheme)


def test_request_reaches_the_stand_in_of_the_target_container(world: World, web: StandIn) -> None:
    answer = world.ask("/api/x?y=1")

    assert (answer["status"], answer["body"]) == (200, "ready")
    assert web.requests == ["/api/x?y=1"]
    web.status, web.body = 500, b"broken"
    assert (world.ask()["status"], world.ask()["body"]) == (500, "broken")


def test_image_without_a_stand_in_is_a_502(world: World, server: Server) -> None:
    assert world.ask()["status"] == 502
    with stand_in.serving(server, OTHER):
        assert world.ask()["status"] == 502
    with stand_in.serving(server, IMAGE):
        assert world.ask()["status"] == 200
    assert world.ask()["status"] == 502


def test_a_server_by_plain_http_is_no_target_of_a_group_by_https(world: World, server: Server, web: StandIn) -> None:
    process.stand_for(server, IMAGE, web.url.replace("https", "http"))

    assert world.ask()["status"] == 502


def test_traffic_goes_by_weight_and_a_group_without_targets_answers_503(world: World, web: StandIn) -> None:
    world.rule(50, world.forward({world.blue: 0, world.green: 100}), path_pattern=["/api/green"])
    world.rule(51, world.forward({world.blue: 100, world.green: 0}), path_pattern=["/api/blue"])

    assert {one["status"] for one in world.ask_often(5, "/api/green")} == {503}
    assert {one["status"] for one in world.ask_often(5, "/api/blue")} == {200}
    world.rule(52, world.forward({world.blue: 50, world.green: 50}), path_pattern=["/api/both"])
    assert {one["status"] for one in world.ask_often(25, "/api/both")} == {200, 503}


@pytest.mark.parametrize(
    ("conditions", "asked", "matches"),
    [
        ({"path_pattern": ["/a/*"]}, {"path": "/a/b/c?d=e"}, True),
        ({"path_pattern": ["/a/*"]}, {"path": "/a"}, False),
        ({"path_pattern": ["/a/*"]}, {"path": "/A/b"}, False),
        ({"path_pattern": ["/a?c"]}, {"path": "/abc"}, True),
        ({"path_pattern": ["/[a]"]}, {"path": "/a"}, False),
        ({"host": ["*.EXAMPLE.com"]}, {"headers": {"Host": "pay.example.com:8443"}}, True),
        ({"host": ["*.example.com"]}, {"headers": {"Host": "example.com"}}, False),
        ({"header": VERIFIED}, {"headers": {"X-Origin-Verify": "before"}}, True),
        ({"header": VERIFIED}, {"headers": {"X-Origin-Verify": "later"}}, False),
        ({"header": VERIFIED}, {}, False),
        ({"method": ["POST"]}, {"method": "POST"}, True),
        ({"method": ["POST"]}, {"method": "GET"}, False),
        ({"query": [{"Key": "v", "Value": "2*"}]}, {"path": "/?v=21"}, True),
        ({"query": [{"Key": "v", "Value": "2*"}]}, {"path": "/?w=21"}, False),
        ({"path_pattern": ["/a"], "method": ["POST"]}, {"path": "/a", "method": "GET"}, False),
    ],
)
def test_a_rule_needs_all_its_conditions(
    world: World, conditions: dict[str, Any], asked: dict[str, Any], matches: bool
) -> None:
    world.rule(1, fixed(204), **conditions)

    assert (world.ask(**asked)["status"] == 204) == matches


def test_the_lowest_number_decides_and_the_default_is_last(world: World) -> None:
    world.rule(20, fixed(202), path_pattern=["/both", "/second"])
    world.rule(3, fixed(203), path_pattern=["/both"])

    assert [world.ask(path)["status"] for path in ("/both", "/second", "/none")] == [203, 202, 403]
    assert world.ask("/none")["body"] == "Forbidden"


def test_redirect_changes_only_its_configured_parts(world: World) -> None:
    config = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    world.rule(1, {"Type": "redirect", "RedirectConfig": config}, path_pattern=["/old"])

    answer = world.ask("/old?a=b")

    assert (answer["status"], answer["headers"]["Location"]) == (301, f"https://{NAME}:443/old?a=b")


def test_condition_that_is_not_emulated_is_an_error(world: World) -> None:
    world.rule(1, fixed(204), source=["10.0.0.0/8"])

    assert (world.ask()["status"], world.ask()["body"]) == (501, "the local AWS lacks the condition source-ip")


def test_a_certificate_of_acm_is_good_for_its_own_name_alone(world: World) -> None:
    assert world.ask(name="other.example.com") == {"error": "SSLCertVerificationError"}
    assert world.ask("/none")["status"] == 403


def test_connection_without_a_security_group_rule_times_out(world: World) -> None:
    ec2 = world.client("ec2")
    stranger, dumb = (
        ec2.create_security_group(VpcId=world.vpc, GroupName=name, Description=name)["GroupId"]
        for name in ("stranger", "dumb")
    )
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.revoke_security_group_egress(GroupId=dumb, IpPermissions=[everything])
    ec2.authorize_security_group_ingress(
        GroupId=world.group,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "UserIdGroupPairs": [{"GroupId": dumb}]}
        ],
    )
    for name, group in (("stranger", stranger), ("dumb", dumb)):
        world.function(name, world.subnets[:1], [group])
        assert world.ask(by=name) == {"error": "TimeoutError"}
    assert world.ask(port=443) == {"error": "TimeoutError"}
    assert world.ask(address="10.7.255.9") == {"error": "TimeoutError"}
    ec2.authorize_security_group_egress(
        GroupId=dumb,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "UserIdGroupPairs": [{"GroupId": world.group}]}
        ],
    )
    assert world.ask("/none", by="dumb")["status"] == 403


def test_stand_in_requires_a_url(server: Server) -> None:
    with pytest.raises(EmulatorError, match="url: 'web' is not allowed"):
        process.stand_for(server, IMAGE, "web")


def test_stand_in_command_serves_an_image_until_interrupted(world: World, server: Server) -> None:
    command = [sys.executable, "-m", "emulator", "stand-in", IMAGE, "--status", "418", "--body", "tea"]
    command += ["--directory", str(server.directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "300"}) as standing:
        assert standing.stdout
        assert standing.stdout.readline().startswith(f"{IMAGE} answers 418 in the local AWS")
        assert (world.ask()["status"], world.ask()["body"]) == (418, "tea")
        standing.terminate()
        assert standing.wait(10) == 0
    assert world.ask()["status"] == 502


def test_the_command_needs_a_local_aws(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emulator", "stand-in", IMAGE, "--directory", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert "no local AWS runs in" in ended.stderr
