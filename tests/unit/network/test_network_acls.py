"""Network ACLs (W6): one for each tier."""

from __future__ import annotations

import pytest

from modules.network.addressing import AddressPlan
from settings import Settings
from settings.network import NatGateways
from tests.synthesized import Synthesized, path_of
from tests.unit.network.support import ANYWHERE, REGIONS, in_region, with_nat


@pytest.mark.requirement("W5.4")
def test_every_subnet_has_a_network_acl_of_its_tier(platform: Synthesized) -> None:
    covered = [
        path_of(platform.by_id(subnet))
        for acl in platform.resources("aws_network_acl").values()
        for subnet in acl["subnet_ids"]
    ]
    assert sorted(covered) == sorted(path_of(subnet) for subnet in platform.resources("aws_subnet").values())


@pytest.mark.requirement("W5.4")
@pytest.mark.parametrize("region", REGIONS)
def test_database_acl_knows_only_private_and_database_tiers(
    platform: Synthesized, local_settings: Settings, region: str
) -> None:
    own, other = (getattr(local_settings, name) for name in ([region] + [r for r in REGIONS if r != region]))
    own_plan, other_plan = AddressPlan.of(own.cidr, zones=3), AddressPlan.of(other.cidr, zones=3)
    (acl,) = in_region(platform.resources("aws_network_acl"), region, "network-acls/database")
    tcp = {
        direction: [rule for rule in acl[direction] if rule["protocol"] == "tcp"] for direction in ("ingress", "egress")
    }
    allowed = {(rule["cidr_block"], rule["from_port"], rule["to_port"]) for rule in tcp["ingress"]}
    assert allowed == {
        (own_plan.private.block, 5432, 5432),
        (other_plan.private.block, 5432, 5432),
        (other_plan.database.block, 5432, 5432),
        (other_plan.database.block, 1024, 65535),
    }
    assert {rule["cidr_block"] for rule in tcp["egress"]} == {cidr for cidr, _, _ in allowed}
    assert all(rule["action"] == "allow" for rule in acl["ingress"] + acl["egress"])


@pytest.mark.requirement("W6.1")
def test_every_tier_hears_that_a_packet_is_too_big(platform: Synthesized) -> None:
    for acl in platform.resources("aws_network_acl").values():
        for direction in ("ingress", "egress"):
            (rule,) = [rule for rule in acl[direction] if rule["protocol"] == "icmp"]
            assert (rule["icmp_type"], rule["icmp_code"], rule["cidr_block"]) == (3, 4, "0.0.0.0/0")
            numbers = [rule["rule_no"] for rule in acl[direction]]
            assert len(set(numbers)) == len(numbers)


@pytest.mark.requirement("W5.4")
def test_public_tier_takes_connections_from_outside_on_web_ports_only() -> None:
    platform = with_nat(NatGateways.NONE)
    for region in REGIONS:
        (acl,) = in_region(platform.resources("aws_network_acl"), region, "network-acls/public")
        tcp = [rule for rule in acl["ingress"] if rule["protocol"] == "tcp"]
        from_outside = {rule["from_port"] for rule in tcp if rule["cidr_block"] in ANYWHERE}
        assert from_outside == {80, 443}
