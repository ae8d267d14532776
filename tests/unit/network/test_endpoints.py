"""VPC endpoints (W6): which services, whose requests, and where."""

from __future__ import annotations

import pytest

from settings import load
from tests.synthesized import Synthesized, path_of, synthesize
from tests.unit.network.support import REGIONS, in_region


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
    ) == ["interface endpoints", "s3"]
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
    assert gateways == {"s3"}
    # Whether they are all that somebody calls: tests/operations/test_ways.py.
    assert {"ecr.api", "ecr.dkr", "logs", "secretsmanager", "kms", "sqs", "xray"} <= set(endpoints)
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
def test_interface_endpoints_are_in_the_configured_number_of_zones() -> None:
    platform = synthesize(load("staging"))
    interfaces = [e for e in platform.resources("aws_vpc_endpoint").values() if e["vpc_endpoint_type"] == "Interface"]
    assert {len(endpoint["subnet_ids"]) for endpoint in interfaces} == {1}
