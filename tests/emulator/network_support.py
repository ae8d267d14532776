"""What a function in a VPC needs to connect anywhere: a subnet behind NAT, endpoints of AWS's services."""

from __future__ import annotations

from typing import Any

ANYWHERE = "0.0.0.0/0"


def subnet_behind_nat(ec2: Any, public_subnet: str, block: str) -> str:
    """A subnet in the VPC of a public one, with a NAT gateway there on its way out; returns its id.

    The VPC's main route table, which the public one has, gets the route to an internet gateway.
    """
    (public,) = ec2.describe_subnets(SubnetIds=[public_subnet])["Subnets"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=public["VpcId"])
    (main,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [public["VpcId"]]}])["RouteTables"]
    ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock=ANYWHERE, GatewayId=gateway)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = ec2.create_nat_gateway(SubnetId=public_subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    subnet = ec2.create_subnet(VpcId=public["VpcId"], CidrBlock=block)["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=public["VpcId"])["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, NatGatewayId=made)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return str(subnet)


def interface_endpoint(ec2: Any, subnet: str, service: str, region: str = "us-east-2", **parameters: Any) -> str:
    """An interface endpoint of a region's service that admits all of its VPC; returns its id."""
    (found,) = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
    group = ec2.create_security_group(VpcId=found["VpcId"], GroupName=f"to-{service}", Description=service)["GroupId"]
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": ANYWHERE}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[https])
    made = ec2.create_vpc_endpoint(
        VpcId=found["VpcId"],
        ServiceName=f"com.amazonaws.{region}.{service}",
        VpcEndpointType="Interface",
        PrivateDnsEnabled=True,
        SubnetIds=[subnet],
        SecurityGroupIds=[group],
        **parameters,
    )
    return str(made["VpcEndpoint"]["VpcEndpointId"])
