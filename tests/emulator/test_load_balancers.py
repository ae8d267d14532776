"""Load balancers that answer: who reaches them, which rule decides, and what stands behind a target."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emulator import process
from emulator.process import EmulatorError, Server
from emulator.runtime import stand_in
from emulator.runtime.stand_in import StandIn
from tests.emulator.release_support import Make, make_function
from tests.emulator.support import client_for
from tests.warm_aws import LocalAws

pytestmark = pytest.mark.requirement("W8.2")

IMAGE, OTHER = (f"registry.example.com/web@sha256:{digit * 64}" for digit in "12")
NAME = "origin.pay.example.com"

# A condition's field, and where its values are.
FIELDS = {
    "path_pattern": ("path-pattern", "PathPatternConfig"),
    "host": ("host-header", "HostHeaderConfig"),
    "method": ("http-request-method", "HttpRequestMethodConfig"),
    "query": ("query-string", "QueryStringConfig"),
    "header": ("http-header", "HttpHeaderConfig"),
    "source": ("source-ip", "SourceIpConfig"),
}
VERIFIED = {"HttpHeaderName": "x-origin-verify", "Values": ["now", "before"]}

ASKING = """
import http.client, socket, ssl

def handle(events, context):
    return [ask(event) for event in events]

def ask(event):
    try:
        plain = socket.create_connection((event["address"], event["port"]), 5)
        encrypted = ssl.create_default_context().wrap_socket(plain, server_hostname=event["name"])
        connection = http.client.HTTPConnection(event["name"])
        connection.sock = encrypted
        connection.request(event["method"], event["path"], headers=event["headers"])
        response = connection.getresponse()
    except OSError as error:
        return {"error": type(error).__name__}
    return {"status": response.status, "headers": dict(response.getheaders()), "body": response.read().decode()}
"""


@dataclass
class World:
    """A load balancer with a service behind it, and a function in the same VPC."""

    client: Make
    vpc: str
    subnets: list[str]
    group: str
    other_group: str
    balancer: str
    listener: str
    blue: str
    green: str

    @classmethod
    def make(cls, client: Make) -> World:
        ec2, elbv2 = client("ec2"), client("elbv2")
        vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.7.{n}.0/24", AvailabilityZone=f"us-east-2{zone}")["Subnet"][
                "SubnetId"
            ]
            for n, zone in enumerate("abc")
        ]
        group, other_group = (
            ec2.create_security_group(VpcId=vpc, GroupName=name, Description=name)["GroupId"]
            for name in ("balancer", "function")
        )
        admitted = {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443}
        ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[{**admitted, "UserIdGroupPairs": [{"GroupId": other_group}]}]
        )
        balancer = elbv2.create_load_balancer(Name="answering", Subnets=subnets[:2], SecurityGroups=[group])[
            "LoadBalancers"
        ][0]["LoadBalancerArn"]
        blue, green = (
            elbv2.create_target_group(Name=f"answering-{kind}", VpcId=vpc, TargetType="ip", Port=8443, Protocol="HTTPS")
            ["TargetGroups"][0]["TargetGroupArn"]
            for kind in ("blue", "green")
        )  # fmt: skip
        certificate = client("acm").request_certificate(DomainName=NAME)["CertificateArn"]
        refused = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403", "MessageBody": "Forbidden"}}
        listener = elbv2.create_listener(
            LoadBalancerArn=balancer,
            Protocol="HTTPS",
            Port=8443,
            Certificates=[{"CertificateArn": certificate}],
            DefaultActions=[refused],
        )["Listeners"][0]["ListenerArn"]
        world = cls(client, vpc, subnets, group, other_group, balancer, listener, blue, green)
        world.rule(100, world.forward({blue: 100, green: 0}), path_pattern=["/api/*"])
        world._serve(subnets, group)
        world.function("asking", [subnets[0]], [other_group])
        return world

    def _serve(self, subnets: list[str], group: str) -> None:
        ecs = self.client("ecs")
        ecs.create_cluster(clusterName="answering")
        definition = ecs.register_task_definition(
            family="answering", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            containerDefinitions=[
                {"name": "proxy", "image": OTHER, "portMappings": [{"containerPort": 9000}]},
                {"name": "web", "image": IMAGE, "portMappings": [{"containerPort": 8443}]},
            ],
        )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
        ecs.create_service(
            cluster="answering", serviceName="answering", desiredCount=1, taskDefinition=definition,
            launchType="FARGATE",
            loadBalancers=[{"targetGroupArn": self.blue, "containerName": "web", "containerPort": 8443}],
            networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [group]}},
        )  # fmt: skip

    def function(self, name: str, subnets: list[str], groups: list[str]) -> None:
        place = {"SubnetIds": subnets, "SecurityGroupIds": groups}
        make_function(self.client, name, ASKING, VpcConfig=place if subnets else {})

    def forward(self, weights: dict[str, int]) -> dict[str, Any]:
        groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
        return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}

    def rule(self, priority: int, action: dict[str, Any], **conditions: Any) -> str:
        answer = self.client("elbv2").create_rule(
            ListenerArn=self.listener,
            Priority=priority,
            Conditions=[
                {"Field": FIELDS[name][0], FIELDS[name][1]: values if isinstance(values, dict) else {"Values": values}}
                for name, values in conditions.items()
            ],
            Actions=[action],
        )
        return str(answer["Rules"][0]["RuleArn"])

    def interfaces(self) -> list[dict[str, Any]]:
        described = "ELB " + self.balancer.partition(":loadbalancer/")[2]
        filters = [{"Name": "description", "Values": [described]}]
        return list(self.client("ec2").describe_network_interfaces(Filters=filters)["NetworkInterfaces"])

    def ask(self, path: str = "/api/x", **asked: Any) -> dict[str, Any]:
        (answer,) = self.ask_often(1, path, **asked)
        return answer

    def ask_often(
        self, times: int, path: str, *, by: str = "asking", name: str = NAME, **asked: Any
    ) -> list[dict[str, Any]]:
        event = {
            "address": self.interfaces()[0]["PrivateIpAddress"],
            "port": 8443,
            "name": name,
            "method": "GET",
            "path": path,
            "headers": {},
            **asked,
        }
        answer = self.client("lambda").invoke(FunctionName=by, Payload=json.dumps([event] * times))
        return list(json.loads(answer["Payload"].read()))


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
