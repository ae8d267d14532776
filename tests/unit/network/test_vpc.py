"""Networks of both regions (W6): addresses, subnets, routes, NAT gateways, defaults."""

from __future__ import annotations

import pytest

from settings import Settings
from settings.network import NatGateways
from tests.synthesized import Synthesized, path_of
from tests.unit.network.support import REGIONS, in_region, with_nat

TIERS = ("public", "private", "database")


@pytest.mark.requirement("W6.1")
@pytest.mark.parametrize("region", REGIONS)
def test_each_tier_has_a_subnet_in_each_zone(platform: Synthesized, local_settings: Settings, region: str) -> None:
    subnets = in_region(platform.resources("aws_subnet"), region)
    zones = getattr(local_settings, region).zones
    assert sorted((subnet["tags"]["tier"], subnet["availability_zone"]) for subnet in subnets) == sorted(
        (tier, zone) for tier in TIERS for zone in zones
    )
    assert not any(subnet["map_public_ip_on_launch"] for subnet in subnets)


@pytest.mark.requirement("W6.1")
def test_only_the_public_tier_routes_to_the_internet_gateway(platform: Synthesized) -> None:
    routes = platform.resources("aws_route").values()
    by_gateway = [route for route in routes if "gateway_id" in route]
    assert len(by_gateway) == len(REGIONS)
    assert all("public-route-table" in path_of(platform.by_id(route["route_table_id"])) for route in by_gateway)


@pytest.mark.requirement("W6.1")
def test_database_tier_has_no_egress(platform: Synthesized) -> None:
    routes = [
        route
        for route in platform.resources("aws_route").values()
        if "database-route-table" in path_of(platform.by_id(route["route_table_id"]))
    ]
    assert routes
    assert all("vpc_peering_connection_id" in route for route in routes)
    endpoint_tables = [
        platform.by_id(table)
        for endpoint in platform.resources("aws_vpc_endpoint").values()
        for table in endpoint.get("route_table_ids", [])
    ]
    assert endpoint_tables
    assert not any("database" in path_of(table) for table in endpoint_tables)


@pytest.mark.requirement("W6.1")
@pytest.mark.requirement("W9.1")
@pytest.mark.parametrize(
    ("nat_gateways", "gateways", "private_tables"),
    [(NatGateways.NONE, 0, 1), (NatGateways.ONE, 1, 1), (NatGateways.ONE_PER_ZONE, 3, 3)],
)
def test_number_of_nat_gateways_is_a_setting(nat_gateways: NatGateways, gateways: int, private_tables: int) -> None:
    platform = with_nat(nat_gateways)
    for region in REGIONS:
        assert len(in_region(platform.resources("aws_nat_gateway", none_is_right=not gateways), region)) == gateways
        assert len(in_region(platform.resources("aws_route_table"), region, "private")) == private_tables
        ways_out = [route for route in in_region(platform.resources("aws_route"), region) if "nat_gateway_id" in route]
        assert len(ways_out) == gateways
    for gateway in platform.resources("aws_nat_gateway", none_is_right=not gateways).values():
        assert "public-subnet" in path_of(platform.by_id(gateway["subnet_id"]))
        assert any("internet_gateway" in dependency for dependency in gateway["depends_on"])


@pytest.mark.requirement("W6.1")
def test_egress_of_each_zone_is_through_its_own_nat_gateway(platform: Synthesized) -> None:
    for association in platform.resources("aws_route_table_association").values():
        if "private" not in path_of(association):
            continue
        zone = platform.by_id(association["subnet_id"])["availability_zone"]
        (out,) = [
            route
            for route in platform.resources("aws_route").values()
            if route["route_table_id"] == association["route_table_id"] and "nat_gateway_id" in route
        ]
        gateway = platform.by_id(out["nat_gateway_id"])
        assert platform.by_id(gateway["subnet_id"])["availability_zone"] == zone


@pytest.mark.requirement("W5.4")
def test_default_security_group_and_network_acl_have_no_rules(platform: Synthesized) -> None:
    for type_ in ("aws_default_security_group", "aws_default_network_acl", "aws_default_route_table"):
        blocks = platform.resources(type_)
        assert len(blocks) == len(REGIONS)
        for block in blocks.values():
            assert not block.get("ingress")
            assert not block.get("egress")
            assert not block.get("route")
