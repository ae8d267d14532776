"""A network as far as it decides about a connection: interfaces with their groups, ACLs and routes."""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import dataclass

Ports = tuple[int, int]
"""The first and the last port."""

ANY = "-1"
"""The protocol that stands for all of them."""
TCP = "tcp"
PROTOCOL_NUMBERS = {"6": TCP, "17": "udp", "1": "icmp"}
"""Protocols by the numbers that network ACLs have (IANA)."""


@dataclass(frozen=True, kw_only=True)
class GroupRule:
    """A rule of a security group: it admits a protocol and ports, from or to blocks of addresses or one group."""

    id: str
    protocol: str
    ports: Ports = (0, 65535)
    blocks: tuple[str, ...] = ()
    """CIDR blocks, those of a prefix list among them."""
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class SecurityGroup:
    """A security group. It is stateful: responses need no rule."""

    id: str
    ingress: tuple[GroupRule, ...] = ()
    egress: tuple[GroupRule, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AclEntry:
    """An entry of a network ACL: the one of the lowest number that matches decides. ``id`` is the reader's."""

    number: int
    allows: bool
    is_egress: bool
    protocol: str
    block: str
    ports: Ports = (0, 65535)
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class NetworkAcl:
    """A network ACL. It is stateless: responses need entries, too."""

    id: str
    entries: tuple[AclEntry, ...]


@dataclass(frozen=True, kw_only=True)
class Route:
    """A route: the most specific one decides.

    ``target`` is ``local`` or the id of what it leads to: an internet gateway (igw-), a NAT gateway (nat-), a network
    interface (eni-), a peering connection (pcx-), a gateway endpoint (vpce-); empty for a blackhole. ``through`` is the
    interface of a NAT gateway or instance, from which the packets go on. ``id`` is the reader's.
    """

    block: str
    target: str
    through: Interface | None = None
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A network interface, with what decides about its connections.

    Without a public address an internet gateway leads it nowhere, as those of functions:
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc-internet.html
    """

    name: str
    address: str
    vpc: str
    subnet: str
    groups: tuple[SecurityGroup, ...]
    acl: NetworkAcl
    routes: tuple[Route, ...]
    has_public_address: bool = False


@dataclass(frozen=True, kw_only=True)
class Outside:
    """An end of a connection outside any VPC: on the internet."""

    name: str
    address: str


End = Interface | Outside


@functools.lru_cache(maxsize=1 << 16)
def is_in(address: str, block: str) -> bool:
    """Whether an address is in a CIDR block; one of another version of IP is not."""
    network = ipaddress.ip_network(block, strict=False)
    found = ipaddress.ip_address(address)
    return found.version == network.version and found in network
