"""The reachable addresses of a function in a VPC: load balancers, where the security groups of both ends allow it.

Databases are reached by name: their endpoints resolve to addresses of this machine, to which no security group is
applied yet.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any

from moto.cloudfront.models import cloudfront_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

from emulator.authorization.callers import Network
from emulator.runtime import internet, load_balancers
from emulator.runtime.edge.server import EDGE
from emulator.runtime.names import NAMES
from emulator.runtime.network_interfaces import network_interfaces

EVERY_PROTOCOL = "-1"
EDGE_ADDRESS = "203.0.113.9"
"""Of the edge for functions: of a documentation block (RFC 5737)."""
TCP = "tcp"


def view(function: Any) -> dict[str, Any]:
    """A function's view of its VPC, in the form that ``function_runner.py`` reads.

    Args:
        function: one of moto's.

    Returns:
        ``networks``, the CIDR blocks of the VPC; ``ports``, by "address:port" the port of 127.0.0.1 that stands in for
        it, without which a connection times out; ``names``, by name an address of this machine. A function outside any
        VPC has those of distributions alone.
    """
    config = function.vpc_config or {}
    if not config.get("SubnetIds"):
        return _outside(function.account_id)
    account_id, region = function.account_id, function.region
    ec2 = ec2_backends[account_id][region]
    subnets = [ec2.get_subnet(one) for one in config["SubnetIds"]]
    vpc = ec2.get_vpc(subnets[0].vpc_id)
    ports = {
        f"{address}:{listener.port}": load_balancers.port_of(account_id, region, listener)
        for load_balancer in elbv2_backends[account_id][region].load_balancers.values()
        if load_balancer.vpc_id == vpc.id
        for listener in load_balancer.listeners.values()
        for address in _addresses(ec2, load_balancer, listener, set(config["SecurityGroupIds"]), subnets)
    }
    outside = {
        address: port
        for address, port in internet.ports().items()
        if _may_leave(ec2, set(config["SecurityGroupIds"]), internet.HTTPS_PORT, address)
    }
    return {
        "networks": [vpc.cidr_block, *(f"{address}/32" for address in internet.names().values())],
        "ports": {**ports, **{f"{address}:{internet.HTTPS_PORT}": port for address, port in outside.items()}},
        "names": {**NAMES.table(), **internet.names(), **_internal_names(ec2, account_id, region, vpc.id)},
    }


def _internal_names(ec2: Any, account_id: str, region: str, vpc_id: str) -> dict[str, str]:
    """The names of internal load balancers of a VPC, with an address each; others resolve to public addresses.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/how-elastic-load-balancing-works.html
    """
    return {
        str(one.dns_name): str(network_interfaces(ec2, one)[0].private_ip_address)
        for one in elbv2_backends[account_id][region].load_balancers.values()
        if one.vpc_id == vpc_id and one.scheme == "internal"
    }


def _outside(account_id: str) -> dict[str, Any]:
    """The view of a function outside any VPC: names of distributions lead to the edge of this machine."""
    distributions = cloudfront_backends[account_id]["aws"].distributions.values()
    names = {str(one) for found in distributions for one in (found.config.get("Aliases") or {}).get("Items") or []}
    if not names:
        return {"networks": [], "ports": {}, "names": {}}
    ports = EDGE.ports()
    return {
        "networks": [f"{EDGE_ADDRESS}/32"],
        "ports": {f"{EDGE_ADDRESS}:443": ports.https, f"{EDGE_ADDRESS}:80": ports.http},
        "names": dict.fromkeys(sorted(names), EDGE_ADDRESS),
    }


def network_of(function: Any) -> Network | None:
    """The VPC from which a function (one of moto's) calls; None for a function outside any VPC."""
    subnets = (function.vpc_config or {}).get("SubnetIds")
    if not subnets:
        return None
    vpc_id = ec2_backends[function.account_id][function.region].get_subnet(subnets[0]).vpc_id
    return Network(region=function.region, vpc_id=vpc_id)


def _addresses(ec2: Any, load_balancer: Any, listener: Any, groups: set[str], subnets: list[Any]) -> Iterator[str]:
    """The addresses of a load balancer at which these groups and subnets can reach its listener."""
    port, others = int(listener.port), set(load_balancer.security_groups or [])
    admitted = any(
        _admits(rule, port, groups, [one.cidr_block for one in subnets])
        for group in others
        for rule in ec2.get_security_group_from_id(group).ingress_rules
    )
    if not admitted:
        return
    for interface in network_interfaces(ec2, load_balancer):
        address = str(interface.private_ip_address)
        if _may_leave(ec2, groups, port, address, others):
            yield address


def _may_leave(ec2: Any, groups: set[str], port: int, address: str, others: Iterable[str] = ()) -> bool:
    """Whether these groups allow TCP egress to an address, whose own groups are ``others``."""
    ways_out = (rule for group in groups for rule in ec2.get_security_group_from_id(group).egress_rules)
    return any(_admits(rule, port, set(others), [f"{address}/32"]) for rule in ways_out)


def _admits(rule: Any, port: int, groups: set[str], blocks: Iterable[str]) -> bool:
    """Whether a rule allows TCP on ``port``, from or to one of ``groups`` or all of ``blocks``."""
    if rule.ip_protocol != EVERY_PROTOCOL and not (
        rule.ip_protocol == TCP and int(rule.from_port) <= port <= int(rule.to_port)
    ):
        return False
    if rule.source_group.get("GroupId") in groups:
        return True
    allowed = rule.ip_range.get("CidrIp")
    return bool(allowed) and all(_network(one).subnet_of(_network(allowed)) for one in blocks)


def _network(block: str) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(block)
