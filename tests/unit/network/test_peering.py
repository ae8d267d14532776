"""Peering of the regions' networks (W6)."""

from __future__ import annotations

import pytest

from modules.network.addressing import AddressPlan
from settings import Settings
from tests.synthesized import Synthesized, path_of
from tests.unit.network.support import REGIONS, in_region


@pytest.mark.requirement("W6.3")
def test_peering_is_accepted_by_the_other_side(platform: Synthesized) -> None:
    (connection,) = platform.resources("aws_vpc_peering_connection").values()
    (acceptance,) = platform.resources("aws_vpc_peering_connection_accepter").values()
    assert connection["provider"] == "aws"
    assert connection["peer_region"] == "us-west-2"
    assert "auto_accept" not in connection  # not possible across regions
    assert acceptance["provider"] == "aws.recovery"
    assert acceptance["auto_accept"] is True
    assert platform.by_id(acceptance["vpc_peering_connection_id"]) == connection


@pytest.mark.requirement("W6.3")
def test_names_resolve_both_ways_once_accepted(platform: Synthesized) -> None:
    options = platform.resources("aws_vpc_peering_connection_options").values()
    sides = {block["provider"]: block for block in options}
    assert sides["aws"]["requester"] == {"allow_remote_vpc_dns_resolution": True}
    assert sides["aws.recovery"]["accepter"] == {"allow_remote_vpc_dns_resolution": True}
    assert all("accepter" in block["vpc_peering_connection_id"] for block in options)


@pytest.mark.requirement("W6.3")
@pytest.mark.parametrize("region", REGIONS)
def test_peering_routes_join_private_and_database_tiers_only(
    platform: Synthesized, local_settings: Settings, region: str
) -> None:
    other = next(name for name in REGIONS if name != region)
    plan = AddressPlan.of(getattr(local_settings, other).cidr, zones=3)
    routes = [
        route for route in in_region(platform.resources("aws_route"), region) if "vpc_peering_connection_id" in route
    ]
    tables = {route["route_table_id"] for route in routes}
    for table in tables:
        assert "public" not in path_of(platform.by_id(table))
        destinations = {route["destination_cidr_block"] for route in routes if route["route_table_id"] == table}
        assert destinations == {plan.private.block, plan.database.block}
    assert len(tables) == len(in_region(platform.resources("aws_route_table"), region)) - 1  # all but the public one
