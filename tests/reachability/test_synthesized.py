"""A network in Terraform's JSON, as it is evaluated, and without single parts of it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from reachability.connection import between_all
from reachability.network import End, Outside
from reachability.synthesized import (
    ENDPOINT,
    ENTRY,
    INTERNET_ADDRESS,
    ROUTE,
    RULE,
    Place,
    SynthesizedNetwork,
    address_of,
)

pytestmark = pytest.mark.requirement("W8.4")

ANYWHERE = "0.0.0.0/0"


def block(path: str, **values: Any) -> dict[str, Any]:
    return {"//": {"metadata": {"path": f"stack/{path}"}}, **values}


def entry(number: int, first: int, last: int) -> dict[str, Any]:
    whole = {"protocol": "tcp", "cidr_block": ANYWHERE, "from_port": first, "to_port": last}
    return {"rule_no": number, "action": "allow", **whole}


def acl(subnet: str) -> dict[str, Any]:
    entries = [entry(100, 443, 443), entry(200, 1024, 65535)]
    return block(f"acl-{subnet}", subnet_ids=[f"${{aws_subnet.{subnet}.id}}"], ingress=entries, egress=entries)


CONFIGURATION: dict[str, Any] = {
    "resource": {
        "aws_vpc": {"v": block("vpc", cidr_block="10.0.0.0/16")},
        "aws_subnet": {
            name: block(name, vpc_id="${aws_vpc.v.id}", cidr_block=cidr)
            for name, cidr in (("public", "10.0.1.0/24"), ("private", "10.0.2.0/24"), ("other", "10.0.3.0/24"))
        },
        "aws_network_acl": {name: acl(name) for name in ("public", "private", "other")},
        "aws_route_table_association": {
            name: block(name, subnet_id=f"${{aws_subnet.{name}.id}}", route_table_id=f"${{aws_route_table.{table}.id}}")
            for name, table in (("public", "public"), ("private", "private"), ("other", "private"))
        },
        "aws_route": {
            "out": block(
                "out",
                route_table_id="${aws_route_table.public.id}",
                destination_cidr_block=ANYWHERE,
                gateway_id="${aws_internet_gateway.g.id}",
            ),
            "nat": block(
                "nat",
                route_table_id="${aws_route_table.private.id}",
                destination_cidr_block=ANYWHERE,
                nat_gateway_id="${aws_nat_gateway.n.id}",
            ),
        },
        "aws_nat_gateway": {"n": block("n", subnet_id="${aws_subnet.public.id}")},
        "aws_security_group": {"client": block("client"), "endpoint": block("endpoint")},
        "aws_vpc_security_group_egress_rule": {
            "to-endpoint": block(
                "to-endpoint",
                security_group_id="${aws_security_group.client.id}",
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                referenced_security_group_id="${aws_security_group.endpoint.id}",
            ),
            "to-s3": block(
                "to-s3",
                security_group_id="${aws_security_group.client.id}",
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                prefix_list_id="${aws_vpc_endpoint.s3.prefix_list_id}",
            ),
            "out": block(
                "out", security_group_id="${aws_security_group.client.id}", ip_protocol="-1", cidr_ipv4="203.0.113.0/24"
            ),
        },
        "aws_vpc_security_group_ingress_rule": {
            "from-client": block(
                "from-client",
                security_group_id="${aws_security_group.endpoint.id}",
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                referenced_security_group_id="${aws_security_group.client.id}",
            ),
            "from-list": block(
                "from-list",
                security_group_id="${aws_security_group.endpoint.id}",
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                prefix_list_id="${data.aws_ec2_managed_prefix_list.edge.id}",
            ),
        },
        "aws_vpc_endpoint": {
            "sqs": block(
                "sqs",
                vpc_id="${aws_vpc.v.id}",
                service_name="com.amazonaws.us-east-2.sqs",
                vpc_endpoint_type="Interface",
                subnet_ids=["${aws_subnet.other.id}"],
                security_group_ids=["${aws_security_group.endpoint.id}"],
            ),
            "s3": block(
                "s3",
                vpc_id="${aws_vpc.v.id}",
                service_name="com.amazonaws.us-east-2.s3",
                vpc_endpoint_type="Gateway",
                route_table_ids=["${aws_route_table.private.id}"],
            ),
        },
    },
    "data": {"aws_ec2_managed_prefix_list": {"edge": block("edge", name="com.amazonaws.global.edge")}},
}
CLIENT = Place(name="client", subnets=("aws_subnet.private",), groups=("aws_security_group.client",), host=10)
PUBLIC = Place(
    name="balancer",
    subnets=("aws_subnet.public",),
    groups=("aws_security_group.endpoint",),
    host=11,
    has_public_address=True,
)
INTERNET = Outside(name="internet", address=INTERNET_ADDRESS)


def ends(network: SynthesizedNetwork) -> dict[str, tuple[list[End], list[End]]]:
    client: list[End] = [*network.at(CLIENT)]
    vpc = network.vpc_of(CLIENT)
    return {
        "sqs": (client, network.service(vpc, "com.amazonaws.us-east-2.sqs")),
        "s3": (client, network.service(vpc, "com.amazonaws.us-east-2.s3")),
        "internet": (client, [INTERNET]),
        "edge": ([network.listed("com.amazonaws.global.edge")], [*network.at(PUBLIC)]),
    }


def missed(*without: str) -> dict[str, str]:
    """What is refused without these parts, and by what."""
    found = {}
    for name, (sources, destinations) in ends(SynthesizedNetwork(CONFIGURATION, without=frozenset(without))).items():
        if not destinations:
            found[name] = "no endpoint"
        elif not (verdict := between_all(sources, destinations, 443)).is_allowed:
            found[name] = verdict.refused_by
    return found


def test_every_connection_is_admitted_by_the_whole_network() -> None:
    assert missed() == {}


def test_parts_are_named_by_their_kind_and_path() -> None:
    named = {(one.kind, one.name) for one in SynthesizedNetwork(CONFIGURATION).parts()}
    assert (RULE, "to-endpoint: tcp 443 ${aws_security_group.endpoint.id}") in named
    assert (ROUTE, "nat: 0.0.0.0/0") in named
    assert (ENTRY, "acl-public: ingress tcp 443-443 0.0.0.0/0") in named
    assert (ENDPOINT, "s3: com.amazonaws.us-east-2.s3") in named
    assert len(named) == 5 + 2 + 12 + 2


@pytest.mark.parametrize(
    ("part", "who"),
    [
        ("aws_vpc_security_group_egress_rule.to-endpoint", {"sqs"}),
        ("aws_vpc_security_group_ingress_rule.from-client", {"sqs"}),
        ("aws_vpc_security_group_ingress_rule.from-list", {"edge"}),
        ("aws_vpc_security_group_egress_rule.to-s3", {"s3"}),
        ("aws_vpc_security_group_egress_rule.out", {"internet"}),
        ("aws_route.nat", {"internet"}),
        ("aws_route.out", {"internet", "edge"}),
        ("aws_vpc_endpoint.sqs", {"sqs"}),
        ("aws_vpc_endpoint.s3", {"s3"}),
        ("aws_network_acl.private.egress[100]", {"sqs", "s3", "internet"}),
        ("aws_network_acl.other.egress[200]", {"sqs"}),
        ("aws_network_acl.other.egress[100]", set()),
        ("aws_network_acl.public.ingress[100]", {"internet", "edge"}),
    ],
)
def test_part_that_is_left_out_is_missed_by_whom_it_admits(part: str, who: set[str]) -> None:
    assert set(missed(part)) == who


def test_rules_within_a_group_are_not_read() -> None:
    other = copy.deepcopy(CONFIGURATION)
    other["resource"]["aws_security_group"]["client"]["ingress"] = [{}]
    with pytest.raises(LookupError, match="has rules of its own"):
        SynthesizedNetwork(other).at(CLIENT)
    with pytest.raises(LookupError, match="no reference"):
        address_of("subnet-1")
