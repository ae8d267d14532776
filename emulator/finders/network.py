"""VPCs and the resources in them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from emulator.finders.listing import Clients, Finder, by, pages


def _default_vpcs(clients: Clients) -> set[str]:
    return {vpc["VpcId"] for vpc in pages(clients, "ec2", "describe_vpcs", "Vpcs") if vpc["IsDefault"]}


def _outside_default_vpcs(operation: str, key: str, id_key: str, is_own_default: Callable[[Any], bool]) -> Finder:
    """Resources in VPCs other than the default one, without those that are created and deleted with a VPC."""

    def find(clients: Clients) -> Iterator[str]:
        default = _default_vpcs(clients)
        for item in pages(clients, "ec2", operation, key):
            if item["VpcId"] not in default and not is_own_default(item):
                yield item[id_key]

    return find


def _never(_item: Any) -> bool:
    return False


def _is_main(route_table: Any) -> bool:
    return any(association.get("Main") for association in route_table["Associations"])


def _vpcs(clients: Clients) -> Iterator[str]:
    return (vpc["VpcId"] for vpc in pages(clients, "ec2", "describe_vpcs", "Vpcs") if not vpc["IsDefault"])


def _internet_gateways(clients: Clients) -> Iterator[str]:
    default = _default_vpcs(clients)
    for gateway in pages(clients, "ec2", "describe_internet_gateways", "InternetGateways"):
        if not any(attachment["VpcId"] in default for attachment in gateway["Attachments"]):
            yield gateway["InternetGatewayId"]


def _in_state(operation: str, key: str, id_key: str, state: Callable[[Any], str], gone: Collection[str]) -> Finder:
    """EC2 resources that stay visible for a while in a deleted state."""

    def find(clients: Clients) -> Iterator[str]:
        return (item[id_key] for item in pages(clients, "ec2", operation, key) if state(item) not in gone)

    return find


REGIONAL: dict[str, Finder] = {
    "vpc": _vpcs,
    "subnet": _outside_default_vpcs("describe_subnets", "Subnets", "SubnetId", _never),
    "route table": _outside_default_vpcs("describe_route_tables", "RouteTables", "RouteTableId", _is_main),
    "network acl": _outside_default_vpcs(
        "describe_network_acls", "NetworkAcls", "NetworkAclId", lambda acl: bool(acl["IsDefault"])
    ),
    "security group": _outside_default_vpcs(
        "describe_security_groups", "SecurityGroups", "GroupId", lambda group: group["GroupName"] == "default"
    ),
    "internet gateway": _internet_gateways,
    "elastic ip": by("ec2", "describe_addresses", "Addresses", "AllocationId"),
    "nat gateway": _in_state(
        "describe_nat_gateways", "NatGateways", "NatGatewayId", lambda gateway: str(gateway["State"]), ("deleted",)
    ),
    "vpc endpoint": _in_state(
        "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", lambda endpoint: str(endpoint["State"]), ("deleted",)
    ),
    "peering connection": _in_state(
        "describe_vpc_peering_connections",
        "VpcPeeringConnections",
        "VpcPeeringConnectionId",
        lambda connection: str(connection["Status"]["Code"]),
        ("deleted", "rejected", "expired", "failed"),
    ),
    "network interface": _outside_default_vpcs(
        "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", _never
    ),
    "flow log": by("ec2", "describe_flow_logs", "FlowLogs", "FlowLogId"),
}
