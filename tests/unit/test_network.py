"""The networks of both regions (W6) and who may talk to whom (W5.4)."""

from __future__ import annotations

import ipaddress
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.network.addressing import AddressPlan
from settings import Settings, load
from settings.network import NatGateways
from tests.synthesized import Block, Synthesized, path_of, region_of, synthesize

REGIONS = ("primary", "recovery")
TIERS = ("public", "private", "database")
ANYWHERE = {"0.0.0.0/0", "::/0"}


def with_nat(nat_gateways: NatGateways) -> Synthesized:
    settings = load("local")
    return synthesize(
        settings.model_copy(update={"network": settings.network.model_copy(update={"nat_gateways": nat_gateways})})
    )


def in_region(blocks: dict[str, Block], region: str, part: str = "") -> list[Block]:
    return [block for block in blocks.values() if region_of(block) == region and part in path_of(block)]


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
def test_database_tier_has_no_way_out(platform: Synthesized) -> None:
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
def test_nat_gateways_are_as_settings_say(nat_gateways: NatGateways, gateways: int, private_tables: int) -> None:
    platform = with_nat(nat_gateways)
    for region in REGIONS:
        assert len(in_region(platform.resources("aws_nat_gateway"), region)) == gateways
        assert len(in_region(platform.resources("aws_route_table"), region, "private")) == private_tables
        ways_out = [route for route in in_region(platform.resources("aws_route"), region) if "nat_gateway_id" in route]
        assert len(ways_out) == gateways
    for gateway in platform.resources("aws_nat_gateway").values():
        assert "public-subnet" in path_of(platform.by_id(gateway["subnet_id"]))
        assert any("internet_gateway" in dependency for dependency in gateway["depends_on"])


@pytest.mark.requirement("W6.1")
def test_each_zone_goes_out_through_its_own_nat_gateway(platform: Synthesized) -> None:
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
def test_what_aws_opens_by_default_is_closed(platform: Synthesized) -> None:
    for type_ in ("aws_default_security_group", "aws_default_network_acl", "aws_default_route_table"):
        blocks = platform.resources(type_)
        assert len(blocks) == len(REGIONS)
        for block in blocks.values():
            assert not block.get("ingress")
            assert not block.get("egress")
            assert not block.get("route")


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


@pytest.mark.requirement("W5.4")
def test_no_security_group_has_inline_rules_or_knows_everywhere_but_whom_settings_list(
    platform: Synthesized, local_settings: Settings
) -> None:
    groups = platform.resources("aws_security_group")
    assert groups
    for group in groups.values():
        assert "ingress" not in group
        assert "egress" not in group
    ways_out: list[tuple[str, int, str]] = []
    for direction in ("ingress", "egress"):
        for rule in platform.resources(f"aws_vpc_security_group_{direction}_rule").values():
            if {rule.get("cidr_ipv4"), rule.get("cidr_ipv6")} & ANYWHERE:
                ways_out.append((direction, rule["from_port"], path_of(rule).split("/")[3]))
            assert rule["from_port"] == rule["to_port"]
            assert rule["description"]
    listed = [name for name, service in local_settings.services.items() if service.reaches_internet]
    tasks = [f"{name}-task" for name in listed]
    processing = local_settings.processing
    functions = ["process-payment", "reconcile-payments"] if processing and not processing.acquirer.networks else []
    assert sorted(ways_out) == sorted(("egress", 443, who) for who in tasks + functions for _ in REGIONS)


@pytest.mark.requirement("W5.4")
@pytest.mark.requirement("W6.2")
@pytest.mark.parametrize("region", REGIONS)
def test_endpoint_clients_reach_endpoints_and_nothing_else(platform: Synthesized, region: str) -> None:
    egress = in_region(platform.resources("aws_vpc_security_group_egress_rule"), region, "/endpoints/")
    ingress = in_region(platform.resources("aws_vpc_security_group_ingress_rule"), region, "/endpoints/")
    assert {rule["from_port"] for rule in egress + ingress} == {443}
    assert sorted(
        path_of(platform.by_id(rule.get("referenced_security_group_id") or rule["prefix_list_id"])).split("/")[-1]
        if "prefix_list_id" in rule
        else "interface endpoints"
        for rule in egress
    ) == ["dynamodb", "interface endpoints", "s3"]
    (admitted,) = ingress
    assert "vpc-endpoint-clients" in path_of(platform.by_id(admitted["referenced_security_group_id"]))


@pytest.mark.requirement("W6.2")
@pytest.mark.parametrize("region", REGIONS)
def test_every_service_that_the_private_tier_calls_has_an_endpoint(platform: Synthesized, region: str) -> None:
    endpoints = {
        block["service_name"].split(".", 3)[3]: block
        for block in in_region(platform.resources("aws_vpc_endpoint"), region)
    }
    gateways = {name for name, block in endpoints.items() if block["vpc_endpoint_type"] == "Gateway"}
    assert gateways == {"s3", "dynamodb"}
    assert {"ecr.api", "ecr.dkr", "logs", "secretsmanager", "kms", "sts", "sqs", "monitoring", "xray"} <= set(endpoints)
    for name in set(endpoints) - gateways:
        assert endpoints[name]["private_dns_enabled"] is True
        assert len(endpoints[name]["subnet_ids"]) == 3
        assert all("private-subnet" in path_of(platform.by_id(subnet)) for subnet in endpoints[name]["subnet_ids"])


@pytest.mark.requirement("W6.2")
def test_endpoint_policies_admit_only_own_principals_and_resources(platform: Synthesized) -> None:
    for endpoint in platform.resources("aws_vpc_endpoint").values():
        statements = platform.statements(endpoint["policy"])
        own = {
            condition["variable"]: (condition["test"], condition["values"])
            for condition in statements.pop("OwnPrincipalsToOwnResources")["condition"]
        }
        assert own == {
            "aws:PrincipalAccount": ("StringEquals", ["123456789012"]),
            "aws:ResourceAccount": ("StringEquals", ["123456789012"]),
        }
        if endpoint["service_name"].endswith(".s3"):
            layers = statements.pop("ImageLayersOfEcr")
            assert layers["actions"] == ["s3:GetObject"]
            assert all("starport-layer-bucket/*" in resource for resource in layers["resources"])
        assert not statements


@pytest.mark.requirement("W9.1")
def test_interface_endpoints_stand_in_as_many_zones_as_settings_say() -> None:
    platform = synthesize(load("staging"))
    interfaces = [e for e in platform.resources("aws_vpc_endpoint").values() if e["vpc_endpoint_type"] == "Interface"]
    assert {len(endpoint["subnet_ids"]) for endpoint in interfaces} == {1}


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


@pytest.mark.requirement("W6.1")
@pytest.mark.requirement("W5.3")
@pytest.mark.parametrize("region", REGIONS)
def test_flow_logs_are_kept_thirty_days_under_the_logs_key(platform: Synthesized, region: str) -> None:
    (flow_log,) = in_region(platform.resources("aws_flow_log"), region)
    log_group = platform.by_id(flow_log["log_destination"])
    assert flow_log["traffic_type"] == "ALL"
    assert log_group["retention_in_days"] == 30
    assert path_of(platform.by_id(log_group["kms_key_id"])).endswith(f"{region}/keys/logs")


@pytest.mark.requirement("W5.3")
def test_every_log_group_is_kept_exactly_thirty_days_and_encrypted(platform: Synthesized) -> None:
    for log_group in platform.resources("aws_cloudwatch_log_group").values():
        assert log_group["retention_in_days"] == 30
        assert "kms_key_id" in log_group


@pytest.mark.requirement("W6.1")
def test_flow_log_role_writes_to_its_log_group_only(platform: Synthesized) -> None:
    for flow_log in platform.resources("aws_flow_log").values():
        role = platform.by_id(flow_log["iam_role_arn"])
        (policy,) = [p for p in platform.resources("aws_iam_role_policy").values() if platform.by_id(p["role"]) == role]
        write = platform.statements(policy["policy"])["WriteToTheLogGroup"]
        assert write["resources"] == [flow_log["log_destination"] + ":*"]
