"""The deployed network decides: from a task to its database, with each rule, entry and route that the way needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.ecs.models import ecs_backends

from emulator.authorization.callers import Network
from emulator.moto import install
from emulator.runtime import network_paths, task_sets
from reachability.connection import Verdict

pytestmark = pytest.mark.requirement("W8.3")

ACCOUNT, REGION = "123456789012", "us-east-2"
PORT = 5432
ANYBODY = "0.0.0.0/0"


@dataclass
class World:
    """A task of a service and a database cluster, each in a subnet of its own with a network ACL."""

    ec2: Any
    groups: dict[str, str]
    acls: dict[str, str]
    endpoint: str
    address: str

    def verdict(self) -> Verdict:
        found = network_paths.to_database(ACCOUNT, REGION, self.address, self.endpoint, PORT)
        assert found
        return found


def client(service: str) -> Any:
    make: Any = boto3.client
    return make(service, REGION, aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture
def world() -> Iterator[World]:
    install()
    with mock_aws():
        yield _world()


def _world() -> World:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets, groups, acls = {}, {}, {}
    for number, name in enumerate(("tasks", "data", "spare")):
        zone = f"{REGION}{'aab'[number]}"
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)
        subnets[name] = made["Subnet"]["SubnetId"]
        group = ec2.create_security_group(VpcId=vpc, GroupName=name, Description=name)
        groups[name] = group["GroupId"]
        everything = ec2.describe_security_groups(GroupIds=[groups[name]])["SecurityGroups"][0]["IpPermissionsEgress"]
        ec2.revoke_security_group_egress(GroupId=groups[name], IpPermissions=everything)
    for name in ("tasks", "data"):
        acls[name] = _acl(ec2, vpc, [subnets[name], *([subnets["spare"]] if name == "data" else [])])
    ec2.authorize_security_group_egress(GroupId=groups["tasks"], IpPermissions=[_to(groups["data"])])
    ec2.authorize_security_group_ingress(GroupId=groups["data"], IpPermissions=[_to(groups["tasks"])])
    for name, port_in, port_out in (("tasks", (1024, 65535), (PORT, PORT)), ("data", (PORT, PORT), (1024, 65535))):
        for ports, egress in ((port_in, False), (port_out, True)):
            _allow(ec2, acls[name], ports, egress=egress)
    endpoint = _cluster([subnets["data"], subnets["spare"]], groups["data"])
    return World(ec2, groups, acls, endpoint, _task(subnets["tasks"], groups["tasks"]))


def _to(group: str) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT, "UserIdGroupPairs": [{"GroupId": group}]}


def _acl(ec2: Any, vpc: str, subnets: list[str]) -> str:
    made = str(ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"])
    for acl in ec2.describe_network_acls()["NetworkAcls"]:
        for one in acl["Associations"]:
            if one["SubnetId"] in subnets:
                ec2.replace_network_acl_association(AssociationId=one["NetworkAclAssociationId"], NetworkAclId=made)
    return made


def _allow(ec2: Any, acl: str, ports: tuple[int, int], *, egress: bool) -> None:
    ec2.create_network_acl_entry(
        NetworkAclId=acl,
        RuleNumber=100,
        Protocol="6",
        RuleAction="allow",
        Egress=egress,
        CidrBlock=ANYBODY,
        PortRange={"From": ports[0], "To": ports[1]},
    )


def _cluster(subnets: list[str], group: str) -> str:
    rds = client("rds")
    rds.create_db_subnet_group(DBSubnetGroupName="data", DBSubnetGroupDescription="data", SubnetIds=subnets)
    made = rds.create_db_cluster(
        DBClusterIdentifier="payments",
        Engine="aurora-postgresql",
        MasterUsername="root",
        MasterUserPassword="a-long-password",
        DBSubnetGroupName="data",
        VpcSecurityGroupIds=[group],
    )
    return str(made["DBCluster"]["Endpoint"])


def _task(subnet: str, group: str) -> str:
    ecs = client("ecs")
    ecs.create_cluster(clusterName="c")
    definition = ecs.register_task_definition(
        family="f",
        networkMode="awsvpc",
        containerDefinitions=[{"name": "c", "image": "i", "memory": 64, "portMappings": [{"containerPort": 8443}]}],
    )["taskDefinition"]["taskDefinitionArn"]
    network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group]}}
    ecs.create_service(
        cluster="c", serviceName="s", desiredCount=1, taskDefinition=definition, networkConfiguration=network
    )
    (service,) = ecs_backends[ACCOUNT][REGION].services.values()
    return str(task_sets.task_sets(service)[0].addresses[0])


def test_task_reaches_its_database_by_what_is_deployed(world: World) -> None:
    verdict = world.verdict()
    assert verdict.is_allowed, verdict
    assert verdict.allowed_by[0].startswith(f"egress of {world.groups['tasks']} (sgr-")
    assert f"{world.acls['data']} in (100)" in verdict.allowed_by


def test_each_security_group_rule_is_needed(world: World) -> None:
    group = world.groups["tasks"]
    world.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[_to(world.groups["data"])])
    assert world.verdict().refused_by.startswith(f"{group}: no egress rule admits tcp 5432 to {world.endpoint}")
    world.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[_to(world.groups["data"])])
    world.ec2.revoke_security_group_ingress(GroupId=world.groups["data"], IpPermissions=[_to(group)])
    assert world.verdict().refused_by.startswith(f"{world.groups['data']}: no ingress rule admits tcp 5432 from task")


@pytest.mark.parametrize("name", ["tasks", "data"])
@pytest.mark.parametrize("egress", [True, False])
def test_each_entry_of_the_network_acls_is_needed(world: World, name: str, egress: bool) -> None:
    world.ec2.delete_network_acl_entry(NetworkAclId=world.acls[name], RuleNumber=100, Egress=egress)
    assert world.verdict().refused_by.startswith(f"{world.acls[name]}: its last entry denies tcp")


def test_unknown_ends_have_no_verdict(world: World) -> None:
    assert network_paths.to_database(ACCOUNT, REGION, "10.0.9.9", world.endpoint, PORT) is None
    assert network_paths.to_database(ACCOUNT, REGION, world.address, "other.example.com", PORT) is None


def test_nat_instance_forwards_by_its_groups_while_it_runs(world: World) -> None:
    ec2 = world.ec2
    (private,) = ec2.describe_subnets(Filters=[{"Name": "cidr-block", "Values": ["10.0.0.0/24"]}])["Subnets"]
    public = ec2.create_subnet(VpcId=private["VpcId"], CidrBlock="10.0.9.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=private["VpcId"], GroupName="nat", Description="nat")["GroupId"]
    made = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=public, SecurityGroupIds=[group])[
        "Instances"
    ][0]["InstanceId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=private["VpcId"])
    for subnet, target in ((public, {"GatewayId": gateway}), (private["SubnetId"], {"InstanceId": made})):
        table = ec2.create_route_table(VpcId=private["VpcId"])["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYBODY, **target)
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": ANYBODY}]}
    ec2.authorize_security_group_egress(GroupId=world.groups["tasks"], IpPermissions=[https])
    ec2.create_network_acl_entry(
        NetworkAclId=world.acls["tasks"],
        RuleNumber=200,
        Protocol="6",
        RuleAction="allow",
        Egress=True,
        CidrBlock=ANYBODY,
        PortRange={"From": 443, "To": 443},
    )
    caller = Network(
        region=REGION, vpc_id=private["VpcId"], subnets=(private["SubnetId"],), groups=(world.groups["tasks"],)
    )

    def verdict() -> Verdict:
        return network_paths.to_internet(caller, "acquirer.example.com", "198.51.100.1", 443)

    assert verdict().refused_by.startswith(f"{group}: no ingress rule admits tcp 443 from caller")
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[https])
    assert verdict().is_allowed, verdict()
    ec2.stop_instances(InstanceIds=[made])
    assert verdict().refused_by.endswith("0.0.0.0/0 leads to nowhere any more")
