"""The network that a Terraform configuration in JSON describes, in which single parts can be left out.

Addresses that AWS assigns are not known before: an address of each subnet stands for those of an interface there, and a
block of addresses that are kept for measurements (RFC 2544) for each prefix list of AWS.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from reachability.network import (
    AclEntry,
    End,
    GroupRule,
    Interface,
    NetworkAcl,
    Outside,
    Ports,
    Route,
    SecurityGroup,
)

Block = Mapping[str, Any]
REFERENCE = re.compile(r"\$\{((?:data\.)?aws_\w+\.[\w-]+)\.\w+\}")
INGRESS_RULE, EGRESS_RULE = "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"
RULE, ROUTE, ENTRY, ENDPOINT = "security group rule", "route", "network ACL entry", "endpoint"
KINDS = (RULE, ROUTE, ENTRY, ENDPOINT)
ALL_PORTS: Ports = (0, 65535)
INTERNET_ADDRESS = "203.0.113.1"
"""Of a documentation block (RFC 5737)."""
_LISTED = ipaddress.ip_network("198.18.0.0/15")
_TARGETS = {
    "gateway_id": "igw-",
    "nat_gateway_id": "nat-",
    "network_interface_id": "eni-",
    "vpc_peering_connection_id": "pcx-",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the network that may be left out: its kind, its address in the configuration, and it in words."""

    kind: str
    id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where something stands in the network: the addresses of its subnets and of its security groups.

    ``host`` is the number of its address in each subnet.
    """

    name: str
    subnets: tuple[str, ...]
    groups: tuple[str, ...]
    host: int
    has_public_address: bool = False


def address_of(reference: str) -> str:
    """The address that a reference points to: ``aws_subnet.x`` of ``${aws_subnet.x.id}``.

    Raises:
        LookupError: it is no reference.
    """
    if match := REFERENCE.fullmatch(reference):
        return match[1]
    raise LookupError(f"{reference!r} is no reference")


class SynthesizedNetwork:
    """The network of a configuration, without the parts whose ids are ``without``."""

    def __init__(self, configuration: Block, *, without: frozenset[str] = frozenset()) -> None:
        """Read nothing yet: what is asked for is read, once."""
        self._resources: Block = configuration["resource"]
        self._data: Block = configuration.get("data", {})
        self._without = without
        self._interfaces: dict[tuple[Place, str], Interface] = {}

    def parts(self) -> list[Part]:
        """All that can be left out."""
        rules = [
            Part(kind=RULE, id=address, name=f"{_path(one)}: {_rule_said(one)}")
            for type_ in (EGRESS_RULE, INGRESS_RULE)
            for address, one in self._all(type_)
        ]
        routes = [
            Part(kind=ROUTE, id=address, name=f"{_path(one)}: {one['destination_cidr_block']}")
            for address, one in self._all("aws_route")
        ]
        entries = [
            Part(kind=ENTRY, id=_entry_id(address, side, one), name=f"{_path(acl)}: {side} {_entry_said(one)}")
            for address, acl in self._all("aws_network_acl")
            for side in ("ingress", "egress")
            for one in acl[side]
        ]
        endpoints = [
            Part(kind=ENDPOINT, id=address, name=f"{_path(one)}: {one['service_name']}")
            for address, one in self._all("aws_vpc_endpoint")
        ]
        return [*rules, *routes, *entries, *endpoints]

    def at(self, place: Place) -> list[Interface]:
        """An interface in each subnet of a place."""
        return [self._interface(place, subnet) for subnet in place.subnets]

    def vpc_of(self, place: Place) -> str:
        """The address of the VPC that a place is in."""
        return address_of(self._block(place.subnets[0])["vpc_id"])

    def listed(self, name: str) -> Outside:
        """What stands behind a prefix list of AWS."""
        return Outside(name=name, address=str(ipaddress.ip_network(self._listed_block(name))[1]))

    def service(self, vpc: str, name: str) -> list[End]:
        """The endpoint of a service in a VPC: interfaces, or what its gateway leads to; nothing where there is none."""
        for address, one in self._present("aws_vpc_endpoint"):
            if address_of(one["vpc_id"]) != vpc or one["service_name"] != name:
                continue
            if one["vpc_endpoint_type"] == "Gateway":
                return [self.listed(name)]
            subnets, groups = one["subnet_ids"], one["security_group_ids"]
            place = Place(
                name=address,
                subnets=tuple(map(address_of, subnets)),
                groups=tuple(map(address_of, groups)),
                host=12,
            )
            return list(self.at(place))
        return []

    # --- the parts of an interface ---

    def _interface(self, place: Place, subnet: str) -> Interface:
        if (place, subnet) not in self._interfaces:
            block = self._block(subnet)
            self._interfaces[place, subnet] = Interface(
                name=place.name,
                address=str(ipaddress.ip_network(block["cidr_block"])[place.host]),
                vpc=address_of(block["vpc_id"]),
                subnet=subnet,
                groups=tuple(self._groups[one] for one in place.groups),
                acl=self._acl(subnet),
                routes=self._routes(subnet),
                has_public_address=place.has_public_address,
            )
        return self._interfaces[place, subnet]

    @cached_property
    def _groups(self) -> dict[str, SecurityGroup]:
        """Each security group by its address.

        Raises:
            LookupError: one has rules of its own, which are not read here.
        """
        rules = {type_: list(self._present(type_)) for type_ in (INGRESS_RULE, EGRESS_RULE)}
        found = {}
        for address, block in self._all("aws_security_group"):
            if block.get("ingress") or block.get("egress"):
                raise LookupError(f"{address} has rules of its own")
            ingress, egress = (
                tuple(
                    self._rule(id_, rule)
                    for id_, rule in rules[type_]
                    if address_of(rule["security_group_id"]) == address
                )
                for type_ in (INGRESS_RULE, EGRESS_RULE)
            )
            found[address] = SecurityGroup(id=address, ingress=ingress, egress=egress)
        return found

    def _rule(self, id_: str, rule: Block) -> GroupRule:
        blocks = [rule["cidr_ipv4"]] if "cidr_ipv4" in rule else []
        if "prefix_list_id" in rule:
            blocks.append(self._listed_block(self._prefix_list(rule["prefix_list_id"])))
        group = rule.get("referenced_security_group_id")
        return GroupRule(
            id=id_,
            protocol=rule["ip_protocol"],
            ports=(rule["from_port"], rule["to_port"]) if "from_port" in rule else ALL_PORTS,
            blocks=tuple(blocks),
            group=address_of(group) if group else "",
        )

    def _prefix_list(self, reference: str) -> str:
        """The name of a prefix list: that of a data source, or of the service of a gateway endpoint."""
        block = self._block(address_of(reference))
        return str(block.get("service_name") or block["name"])

    def _listed_block(self, name: str) -> str:
        lists = {one["name"] for _, one in self._all("data.aws_ec2_managed_prefix_list")}
        services = {
            one["service_name"] for _, one in self._all("aws_vpc_endpoint") if one["vpc_endpoint_type"] == "Gateway"
        }
        blocks = list(_LISTED.subnets(new_prefix=24))
        return str(blocks[sorted(lists | services).index(name)])

    def _acl(self, subnet: str) -> NetworkAcl:
        acls = self._all("aws_network_acl")
        address, block = next((id_, one) for id_, one in acls if subnet in map(address_of, one["subnet_ids"]))
        return NetworkAcl(
            id=address,
            entries=tuple(
                AclEntry(
                    number=one["rule_no"],
                    allows=one["action"] == "allow",
                    is_egress=side == "egress",
                    protocol=one["protocol"],
                    block=one["cidr_block"],
                    ports=(one["from_port"], one["to_port"]),
                    id=_entry_id(address, side, one),
                )
                for side in ("ingress", "egress")
                for one in block[side]
                if _entry_id(address, side, one) not in self._without
            ),
        )

    def _routes(self, subnet: str, *, may_pass: bool = True) -> tuple[Route, ...]:
        associations = self._all("aws_route_table_association")
        table = next(
            address_of(one["route_table_id"]) for _, one in associations if address_of(one["subnet_id"]) == subnet
        )
        vpc = self._block(address_of(self._block(subnet)["vpc_id"]))
        return (
            Route(block=vpc["cidr_block"], target="local"),
            *(
                self._route(id_, one, may_pass=may_pass)
                for id_, one in self._present("aws_route")
                if address_of(one["route_table_id"]) == table
            ),
            *(
                Route(block=self._listed_block(one["service_name"]), target=f"vpce-{id_}", id=id_)
                for id_, one in self._present("aws_vpc_endpoint")
                if table in map(address_of, one.get("route_table_ids") or [])
            ),
        )

    def _route(self, id_: str, route: Block, *, may_pass: bool) -> Route:
        attribute, kind = next((one, kind) for one, kind in _TARGETS.items() if one in route)
        target, through = address_of(route[attribute]), None
        if attribute == "nat_gateway_id" and may_pass:
            subnet = address_of(self._block(target)["subnet_id"])
            through = Interface(
                name=target,
                address=str(ipaddress.ip_network(self._block(subnet)["cidr_block"])[14]),
                vpc=address_of(self._block(subnet)["vpc_id"]),
                subnet=subnet,
                groups=(),
                acl=self._acl(subnet),
                routes=self._routes(subnet, may_pass=False),
                has_public_address=True,
            )
        return Route(block=route["destination_cidr_block"], target=kind + target, through=through, id=id_)

    # --- the configuration ---

    def _all(self, type_: str) -> list[tuple[str, Block]]:
        section = self._data if type_.startswith("data.") else self._resources
        return [(f"{type_}.{id_}", block) for id_, block in section.get(type_.removeprefix("data."), {}).items()]

    def _present(self, type_: str) -> Iterator[tuple[str, Block]]:
        return ((address, block) for address, block in self._all(type_) if address not in self._without)

    def _block(self, address: str) -> Block:
        section = self._data if address.startswith("data.") else self._resources
        type_, _, id_ = address.removeprefix("data.").partition(".")
        found: Block = section[type_][id_]
        return found


def _path(block: Block) -> str:
    """The construct path without that of the stack."""
    return str(block["//"]["metadata"]["path"]).partition("/")[2]


def _rule_said(rule: Block) -> str:
    others = ("cidr_ipv4", "prefix_list_id", "referenced_security_group_id")
    other = next(str(rule[one]) for one in others if one in rule)
    return f"{rule['ip_protocol']} {rule.get('to_port', 'all')} {other}"


def _entry_id(acl: str, side: str, entry: Block) -> str:
    return f"{acl}.{side}[{entry['rule_no']}]"


def _entry_said(entry: Block) -> str:
    return f"{entry['protocol']} {entry['from_port']}-{entry['to_port']} {entry['cidr_block']}"
