"""Parts of a network that others hold: gateways, addresses, tables and interfaces."""

from __future__ import annotations

from collections.abc import Callable

from tests.emulator.in_use.networks import DEPENDENCY, Network, load_balancer
from tests.emulator.in_use.refusals import Use, World, refused


def _attach(network: Network) -> str:
    gateway = str(network.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
    network.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc)
    return gateway


@refused("aws_internet_gateway", "its VPC", operation="ec2:DeleteInternetGateway", code=DEPENDENCY)
def attached_gateway(world: World) -> Use:
    network = Network.make(world)
    gateway = _attach(network)
    return Use(
        lambda: network.ec2.delete_internet_gateway(InternetGatewayId=gateway),
        lambda: network.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc),
    )


def _public_nat_gateway(network: Network) -> tuple[str, Callable[[], object]]:
    address = str(network.ec2.allocate_address(Domain="vpc")["AllocationId"])
    made = network.ec2.create_nat_gateway(SubnetId=network.subnets[0], AllocationId=address)["NatGateway"]
    return address, lambda: network.ec2.delete_nat_gateway(NatGatewayId=made["NatGatewayId"])


@refused("aws_internet_gateway", "a public NAT gateway", operation="ec2:DetachInternetGateway", code=DEPENDENCY)
def gateway_of_a_nat_gateway(world: World) -> Use:
    network = Network.make(world)
    gateway = _attach(network)
    _, end = _public_nat_gateway(network)
    return Use(lambda: network.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc), end)


@refused("aws_internet_gateway", "a public load balancer", operation="ec2:DetachInternetGateway", code=DEPENDENCY)
def gateway_of_a_load_balancer(world: World) -> Use:
    network = Network.make(world)
    gateway = _attach(network)
    elbv2 = world("elbv2")
    made = elbv2.create_load_balancer(Name=world.name(), Subnets=list(network.subnets), SecurityGroups=[network.group])
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    return Use(
        lambda: network.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc),
        lambda: elbv2.delete_load_balancer(LoadBalancerArn=arn),
    )


@refused("aws_eip", "aws_nat_gateway", operation="ec2:ReleaseAddress", code="InvalidIPAddress.InUse")
def address_of_a_nat_gateway(world: World) -> Use:
    network = Network.make(world)
    address, end = _public_nat_gateway(network)
    return Use(lambda: network.ec2.release_address(AllocationId=address), end)


@refused("aws_route_table", "aws_route_table_association", operation="ec2:DeleteRouteTable", code=DEPENDENCY)
def associated_table(world: World) -> Use:
    network = Network.make(world)
    table = network.ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    made = network.ec2.associate_route_table(RouteTableId=table, SubnetId=network.subnets[0])
    return Use(
        lambda: network.ec2.delete_route_table(RouteTableId=table),
        lambda: network.ec2.disassociate_route_table(AssociationId=made["AssociationId"]),
    )


@refused(
    "aws_route_table", "a subnet, which takes its association along", operation="ec2:DeleteRouteTable", code=DEPENDENCY
)
def table_of_a_subnet(world: World) -> Use:
    network = Network.make(world)
    table = network.ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    network.ec2.associate_route_table(RouteTableId=table, SubnetId=network.subnets[0])
    return Use(lambda: network.ec2.delete_route_table(RouteTableId=table), network.delete_subnet)


@refused("aws_network_acl", "its subnets", operation="ec2:DeleteNetworkAcl", code=DEPENDENCY)
def associated_acl(world: World) -> Use:
    network = Network.make(world)
    acl = network.ec2.create_network_acl(VpcId=network.vpc)["NetworkAcl"]["NetworkAclId"]
    filters = [{"Name": "association.subnet-id", "Values": [network.subnets[0]]}]
    (default,) = network.ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    (associated,) = [one for one in default["Associations"] if one["SubnetId"] == network.subnets[0]]
    network.ec2.replace_network_acl_association(AssociationId=associated["NetworkAclAssociationId"], NetworkAclId=acl)
    return Use(lambda: network.ec2.delete_network_acl(NetworkAclId=acl), network.delete_subnet)


@refused("a network interface", "a load balancer", operation="ec2:DeleteNetworkInterface", code="InvalidParameterValue")
def interface_in_use(world: World) -> Use:
    """AWS's own goes with what it is of, so a second one stands for what may be deleted after."""
    network = Network.make(world)
    free = network.ec2.create_network_interface(SubnetId=network.subnets[0])["NetworkInterface"]["NetworkInterfaceId"]
    end_of_balancer = load_balancer(world, network)
    filters = [{"Name": "group-id", "Values": [network.group]}]
    used = network.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    current = [used]

    def end() -> None:
        end_of_balancer()
        current[0] = free

    return Use(lambda: network.ec2.delete_network_interface(NetworkInterfaceId=current[0]), end)
