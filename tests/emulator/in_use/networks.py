"""VPCs and what is in them: EC2 answers DependencyViolation.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
https://repost.aws/knowledge-center/troubleshoot-dependency-error-delete-vpc lists what a VPC is deleted after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.emulator.in_use.refusals import Use, World, refused
from tests.emulator.release_support import make_function

DEPENDENCY = "DependencyViolation"
ROLE = "arn:aws:iam::123456789012:role/role"

subnet_refused = partial(refused, "aws_subnet", operation="ec2:DeleteSubnet", code=DEPENDENCY)
group_refused = partial(refused, "aws_security_group", operation="ec2:DeleteSecurityGroup", code=DEPENDENCY)
vpc_refused = partial(refused, "aws_vpc", operation="ec2:DeleteVpc", code=DEPENDENCY)


@dataclass(frozen=True)
class Network:
    """A VPC with two subnets and a security group."""

    ec2: Any
    vpc: str
    subnets: tuple[str, str]
    group: str

    @classmethod
    def make(cls, world: World) -> Network:
        """One of its own."""
        ec2, name = world("ec2"), world.name()
        vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        first, second = (
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.7.{number}.0/24", AvailabilityZone=f"us-east-2{zone}")[
                "Subnet"
            ]["SubnetId"]
            for number, zone in enumerate("ab")
        )
        group = ec2.create_security_group(VpcId=vpc, GroupName=name, Description=name)["GroupId"]
        return cls(ec2, vpc, (first, second), group)

    def delete_subnet(self) -> object:
        """The first."""
        return self.ec2.delete_subnet(SubnetId=self.subnets[0])

    def delete_group(self) -> object:
        """The group."""
        return self.ec2.delete_security_group(GroupId=self.group)

    def delete_vpc(self) -> object:
        """The VPC."""
        return self.ec2.delete_vpc(VpcId=self.vpc)

    def empty(self) -> None:
        """Delete the subnets and the group."""
        for subnet in self.subnets:
            self.ec2.delete_subnet(SubnetId=subnet)
        self.delete_group()


User = Callable[[World, Network], Callable[[], object]]


def load_balancer(world: World, network: Network) -> Callable[[], object]:
    """An internal one."""
    elbv2 = world("elbv2")
    arn = elbv2.create_load_balancer(
        Name=world.name(), Subnets=list(network.subnets), SecurityGroups=[network.group], Scheme="internal"
    )["LoadBalancers"][0]["LoadBalancerArn"]
    return lambda: elbv2.delete_load_balancer(LoadBalancerArn=arn)


def interface_endpoint(_world: World, network: Network) -> Callable[[], object]:
    """One of KMS."""
    endpoint = network.ec2.create_vpc_endpoint(
        VpcId=network.vpc,
        ServiceName="com.amazonaws.us-east-2.kms",
        VpcEndpointType="Interface",
        SubnetIds=list(network.subnets),
        SecurityGroupIds=[network.group],
    )["VpcEndpoint"]["VpcEndpointId"]
    return lambda: network.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])


def function(world: World, network: Network) -> Callable[[], object]:
    """A function: its network interfaces go minutes after it."""
    functions, name = world("lambda"), world.name()
    place = {"SubnetIds": list(network.subnets), "SecurityGroupIds": [network.group]}
    make_function(world, name, "", VpcConfig=place)

    def end() -> None:
        functions.delete_function(FunctionName=name)
        world.let_minutes_pass()

    return end


def tasks(world: World, network: Network) -> Callable[[], object]:
    """The tasks of a service, one in each subnet."""
    ecs, name = world("ecs"), world.name()
    ecs.create_cluster(clusterName=name)
    container = {"name": "web", "image": "registry.example.com/web", "memory": 128}
    ecs.register_task_definition(family=name, networkMode="awsvpc", containerDefinitions=[container])
    place = {"subnets": list(network.subnets), "securityGroups": [network.group]}
    ecs.create_service(
        cluster=name,
        serviceName=name,
        taskDefinition=name,
        desiredCount=2,
        networkConfiguration={"awsvpcConfiguration": place},
    )
    return lambda: ecs.delete_service(cluster=name, service=name, force=True)


def database(world: World, network: Network) -> Callable[[], object]:
    """A cluster with an instance in each subnet."""
    rds, name = world("rds"), world.name()
    rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription=name, SubnetIds=list(network.subnets))
    rds.create_db_cluster(
        DBClusterIdentifier=name,
        Engine="aurora-postgresql",
        MasterUsername="administrator",
        MasterUserPassword="only-for-the-local-aws",
        DBSubnetGroupName=name,
        VpcSecurityGroupIds=[network.group],
    )
    instances = [f"{name}-{number}" for number in range(2)]
    for one in instances:
        rds.create_db_instance(
            DBInstanceIdentifier=one,
            DBClusterIdentifier=name,
            Engine="aurora-postgresql",
            DBInstanceClass="db.r8g.large",
        )

    def end() -> None:
        for one in instances:
            rds.delete_db_instance(DBInstanceIdentifier=one)
        rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)

    return end


def nat_gateway(_world: World, network: Network) -> Callable[[], object]:
    """A private one."""
    gateway = network.ec2.create_nat_gateway(SubnetId=network.subnets[0], ConnectivityType="private")["NatGateway"]
    return lambda: network.ec2.delete_nat_gateway(NatGatewayId=gateway["NatGatewayId"])


def _register(user: User, *by: str, group: bool = True) -> None:
    def of_subnet(world: World) -> Use:
        network = Network.make(world)
        return Use(network.delete_subnet, user(world, network))

    def of_group(world: World) -> Use:
        network = Network.make(world)
        return Use(network.delete_group, user(world, network))

    subnet_refused(*by)(of_subnet)
    if group:
        group_refused(*by)(of_group)


_register(load_balancer, "aws_lb")
_register(interface_endpoint, "aws_vpc_endpoint")
_register(function, "aws_lambda_function")
_register(tasks, "aws_ecs_service")
_register(database, "aws_rds_cluster", "aws_rds_cluster_instance")
_register(nat_gateway, "aws_nat_gateway", group=False)


def _rule(direction: str) -> Callable[[World], Use]:
    def named_by_a_rule(world: World) -> Use:
        network = Network.make(world)
        other = network.ec2.create_security_group(VpcId=network.vpc, GroupName="other", Description="other")["GroupId"]
        end = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": network.group}]}
        sent: dict[str, Any] = {"GroupId": other, "IpPermissions": [end]}
        getattr(network.ec2, f"authorize_security_group_{direction}")(**sent)
        return Use(network.delete_group, lambda: getattr(network.ec2, f"revoke_security_group_{direction}")(**sent))

    return named_by_a_rule


group_refused("aws_vpc_security_group_ingress_rule")(_rule("ingress"))
group_refused("aws_vpc_security_group_egress_rule")(_rule("egress"))


@vpc_refused("aws_subnet", "aws_security_group")
def vpc_with_contents(world: World) -> Use:
    network = Network.make(world)
    return Use(network.delete_vpc, network.empty)


@vpc_refused("aws_security_group")
def vpc_with_a_group(world: World) -> Use:
    network = Network.make(world)
    for subnet in network.subnets:
        network.ec2.delete_subnet(SubnetId=subnet)
    return Use(network.delete_vpc, network.delete_group)


def _part(make: Callable[[Network, World], Callable[[], object]], by: str) -> None:
    def of_vpc(world: World) -> Use:
        network = Network.make(world)
        network.empty()
        return Use(network.delete_vpc, make(network, world))

    vpc_refused(by)(of_vpc)


def _route_table(network: Network, _world: World) -> Callable[[], object]:
    table = network.ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    return lambda: network.ec2.delete_route_table(RouteTableId=table)


def _network_acl(network: Network, _world: World) -> Callable[[], object]:
    acl = network.ec2.create_network_acl(VpcId=network.vpc)["NetworkAcl"]["NetworkAclId"]
    return lambda: network.ec2.delete_network_acl(NetworkAclId=acl)


def _gateway_endpoint(network: Network, _world: World) -> Callable[[], object]:
    endpoint = network.ec2.create_vpc_endpoint(
        VpcId=network.vpc, ServiceName="com.amazonaws.us-east-2.s3", VpcEndpointType="Gateway"
    )
    id_ = endpoint["VpcEndpoint"]["VpcEndpointId"]
    return lambda: network.ec2.delete_vpc_endpoints(VpcEndpointIds=[id_])


def _internet_gateway(network: Network, _world: World) -> Callable[[], object]:
    gateway = network.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    attachment = {"InternetGatewayId": gateway, "VpcId": network.vpc}
    network.ec2.attach_internet_gateway(**attachment)
    return lambda: network.ec2.detach_internet_gateway(**attachment)


def _peering(network: Network, world: World) -> Callable[[], object]:
    there = world("ec2", "us-west-2")
    peer = there.create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"]
    asked = network.ec2.create_vpc_peering_connection(VpcId=network.vpc, PeerVpcId=peer, PeerRegion="us-west-2")
    connection = {"VpcPeeringConnectionId": asked["VpcPeeringConnection"]["VpcPeeringConnectionId"]}
    there.accept_vpc_peering_connection(**connection)
    return lambda: network.ec2.delete_vpc_peering_connection(**connection)


_part(_route_table, "aws_route_table")
_part(_network_acl, "aws_network_acl")
_part(_gateway_endpoint, "aws_vpc_endpoint")
_part(_internet_gateway, "aws_internet_gateway")
_part(_peering, "aws_vpc_peering_connection")
