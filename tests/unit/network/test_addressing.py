"""The address plan of a region (W6.1): tiers and subnets lie within it and do not overlap."""

from __future__ import annotations

import ipaddress
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.network.addressing import AddressPlan


@pytest.mark.requirement("W6.1")
@given(st.integers(16, 20), st.integers(0, 2**20 - 1))
def test_tiers_and_subnets_lie_within_the_region_and_do_not_overlap(prefix: int, seed: int) -> None:
    address = ipaddress.IPv4Address("10.0.0.0") + ((seed << (32 - prefix)) % 2**24)
    region = ipaddress.IPv4Network(f"{address}/{prefix}", strict=False)
    plan = AddressPlan.of(str(region), zones=3)
    tiers = [plan.public, plan.private, plan.database]
    blocks = [ipaddress.IPv4Network(tier.block) for tier in tiers]
    assert not any(one.overlaps(other) for one, other in combinations(blocks, 2))
    for tier, block in zip(tiers, blocks, strict=True):
        subnets = [ipaddress.IPv4Network(subnet) for subnet in tier.subnets]
        assert len(subnets) == 3
        assert block.subnet_of(region)
        assert all(subnet.subnet_of(block) for subnet in subnets)
        assert not any(one.overlaps(other) for one, other in combinations(subnets, 2))
        assert all(subnet.prefixlen <= 24 for subnet in subnets)
