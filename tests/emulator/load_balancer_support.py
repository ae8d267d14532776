"""A load balancer with a service behind it, and a function in the same VPC that connects to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.emulator.release_support import Make, make_function

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
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
        ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        admitted = {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443}
        ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[{**admitted, "UserIdGroupPairs": [{"GroupId": other_group}]}]
        )
        cloudfront = {"Name": "prefix-list-name", "Values": ["com.amazonaws.global.cloudfront.origin-facing"]}
        (listed,) = ec2.describe_managed_prefix_lists(Filters=[cloudfront])["PrefixLists"]
        ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {**admitted, "PrefixListIds": [{"PrefixListId": listed["PrefixListId"]}]},
                {**admitted, "UserIdGroupPairs": [{"GroupId": group}]},
            ],
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
