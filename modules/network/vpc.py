"""The VPC of one region (W6.1).

Creates a VPC over three zones with a public, a private and an isolated database tier, their subnets and route tables,
an internet gateway and NAT gateways as settings say. The default security group and network ACL of the VPC have no
rules, its default route table no routes.

Needs to be below a Region. Its network ACLs, flow logs, endpoints and peering are modules of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from cdktf import ITerraformDependable, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.default_network_acl import DefaultNetworkAcl
from cdktf_cdktf_provider_aws.default_route_table import DefaultRouteTable
from cdktf_cdktf_provider_aws.default_security_group import DefaultSecurityGroup
from cdktf_cdktf_provider_aws.eip import Eip
from cdktf_cdktf_provider_aws.internet_gateway import InternetGateway
from cdktf_cdktf_provider_aws.nat_gateway import NatGateway
from cdktf_cdktf_provider_aws.route import Route
from cdktf_cdktf_provider_aws.route_table import RouteTable
from cdktf_cdktf_provider_aws.route_table_association import RouteTableAssociation
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc
from constructs import Construct

from modules.network.addressing import AddressPlan, TierAddresses
from settings.naming import Names
from settings.network import NatGateways, RegionSettings

ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, kw_only=True)
class Tier:
    """The subnets of a tier, one a zone in the order of the zones, and their route tables."""

    name: str
    block: str
    subnets: list[Subnet]
    route_tables: list[RouteTable]

    @cached_property
    def subnet_ids(self) -> list[str]:
        """The ids of the tier's subnets, in the order of the zones."""
        return [subnet.id for subnet in self.subnets]


class Network(Construct):
    """A VPC and its three tiers."""

    requirements = ("W6.1", "W9.1")

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, settings: RegionSettings, nat_gateways: NatGateways
    ) -> None:
        """``settings`` have the zones and the CIDR block; ``nat_gateways`` is the egress of the private tier."""
        super().__init__(scope, id_)
        self._names = names
        self._zones = settings.zones
        self.cidr = settings.cidr
        addresses = AddressPlan.of(settings.cidr, zones=len(settings.zones))

        self.vpc = Vpc(
            self,
            "vpc",
            cidr_block=settings.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,  # private DNS names of interface endpoints need both
            tags=self._named("vpc"),
        )
        self._tables: dict[str, tuple[Subnet, RouteTable]] = {}
        self._routes: list[Route] = []
        self._close_defaults()
        self.internet_gateway = InternetGateway(
            self, "internet-gateway", vpc_id=self.vpc.id, tags=self._named("internet-gateway")
        )
        nat_gateway_count = {NatGateways.NONE: 0, NatGateways.ONE: 1, NatGateways.ONE_PER_ZONE: len(self._zones)}[
            nat_gateways
        ]
        self.public = self._tier("public", addresses.public, route_table_count=1)
        self.private = self._tier("private", addresses.private, route_table_count=max(1, nat_gateway_count))
        self.database = self._tier("database", addresses.database, route_table_count=1)
        self._route_to_internet()
        self.nat_gateways = [self._nat_gateway(index) for index in range(nat_gateway_count)]

    def _close_defaults(self) -> None:
        """Adopt the VPC's default security group, route table and network ACL, and remove their rules."""
        DefaultSecurityGroup(self, "default-security-group", vpc_id=self.vpc.id, tags=self._named("default-closed"))
        DefaultRouteTable(
            self,
            "default-route-table",
            default_route_table_id=self.vpc.default_route_table_id,
            route=[],
            tags=self._named("default-closed"),
        )
        DefaultNetworkAcl(
            self,
            "default-network-acl",
            default_network_acl_id=self.vpc.default_network_acl_id,
            tags=self._named("default-closed"),
            # AWS associates subnets with it while their own ACL is replaced.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["subnet_ids"]),
        )

    def _tier(self, name: str, addresses: TierAddresses, *, route_table_count: int) -> Tier:
        route_tables = [
            RouteTable(
                self,
                f"{name}-route-table-{index + 1}",
                vpc_id=self.vpc.id,
                tags=self._named(f"{name}-{index + 1}" if route_table_count > 1 else name),
            )
            for index in range(route_table_count)
        ]
        subnets = [
            self._subnet(name, zone, cidr, route_tables[index % route_table_count])
            for index, (zone, cidr) in enumerate(zip(self._zones, addresses.subnets, strict=True))
        ]
        return Tier(name=name, block=addresses.block, subnets=subnets, route_tables=route_tables)

    def _subnet(self, tier: str, zone: str, cidr: str, route_table: RouteTable) -> Subnet:
        subnet = Subnet(
            self,
            f"{tier}-subnet-{zone}",
            vpc_id=self.vpc.id,
            availability_zone=zone,
            cidr_block=cidr,
            map_public_ip_on_launch=False,  # load balancers and NAT gateways have addresses of their own
            tags=self._named(f"{tier}-{zone}") | {"tier": tier},
        )
        self._tables[f"{tier}-route-table-association-{zone}"] = (subnet, route_table)
        return subnet

    def associate(self, *, after: Sequence[ITerraformDependable]) -> list[RouteTableAssociation]:
        """Associate the subnets with their route tables, once these are complete.

        ``after`` are the gateway endpoints and the routes that others add. A subnet that moves to another table, as
        where each zone gets a NAT gateway, would lose its egress until that table has its routes.
        """
        return [
            RouteTableAssociation(
                self,
                id_,
                subnet_id=subnet.id,
                route_table_id=table.id,
                depends_on=[*self._routes, *after],  # not inferable: a route names its table, not the subnets
            )
            for id_, (subnet, table) in self._tables.items()
        ]

    def _route_to_internet(self) -> None:
        route = Route(
            self,
            "public-route-to-internet",
            route_table_id=self.public.route_tables[0].id,
            destination_cidr_block=ANYWHERE,
            gateway_id=self.internet_gateway.id,
        )
        self._routes.append(route)

    def _nat_gateway(self, index: int) -> NatGateway:
        zone = self._zones[index]
        address = Eip(
            self,
            f"nat-address-{zone}",
            domain="vpc",
            tags=self._named(f"nat-{zone}"),
            # not inferable: the internet gateway cannot be detached while an address of the VPC is mapped
            depends_on=[self.internet_gateway],
        )
        gateway = NatGateway(
            self,
            f"nat-gateway-{zone}",
            allocation_id=address.id,
            subnet_id=self.public.subnets[index].id,
            tags=self._named(zone),
            # not inferable: a NAT gateway needs the internet gateway of the VPC
            depends_on=[self.internet_gateway],
        )
        route = Route(
            self,
            f"private-route-to-internet-{zone}",
            route_table_id=self.private.route_tables[index].id,
            destination_cidr_block=ANYWHERE,
            nat_gateway_id=gateway.id,
        )
        self._routes.append(route)
        return gateway

    def _named(self, purpose: str) -> dict[str, str]:
        return {"Name": self._names.of(purpose)}
