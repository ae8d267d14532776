"""The deployed network as :mod:`reachability` reads it, and the verdicts on the connections that the local AWS opens.

The caller of each function holds the turn.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.rds.models import rds_backends

from emulator.authorization.callers import Network
from emulator.runtime import task_sets
from emulator.runtime.network_interfaces import INTERNET_FACING, network_interfaces
from reachability.connection import Verdict, between_all
from reachability.network import (
    ANY,
    AclEntry,
    End,
    GroupRule,
    Interface,
    NetworkAcl,
    Outside,
    Route,
    SecurityGroup,
    is_in,
)

CLOUDFRONT = "com.amazonaws.global.cloudfront.origin-facing"
ALL_PORTS = (0, 65535)
CALLER_HOST, DATABASE_HOST, ENDPOINT_HOST, LINK_HOST = 10, 11, 12, 13
"""Addresses that are in no API, or not known: these of each subnet stand for them."""
PUBLIC_ADDRESS = "203.0.113.1"
"""Of services that have no prefix list: of a documentation block (RFC 5737)."""
HTTPS_PORT = 443
ACTIVE = "active"


def from_cloudfront(account_id: str, region: str, load_balancer: Any, port: int) -> Verdict:
    """The verdict on connections from CloudFront to each address of a load balancer."""
    ec2 = ec2_backends[account_id][region]
    listed = next(one for one in ec2.managed_prefix_lists.values() if one.prefix_list_name == CLOUDFRONT)
    source = Outside(name=CLOUDFRONT, address=_first_address(listed))
    return between_all([source], _of_load_balancer(ec2, load_balancer), port)


def to_task(account_id: str, region: str, load_balancer: Any, address: str, port: int) -> Verdict | None:
    """The verdict on connections from each address of a load balancer to a task; None where no task is there."""
    ec2 = ec2_backends[account_id][region]
    task = _of_task(account_id, region, address)
    return between_all(_of_load_balancer(ec2, load_balancer), [task], port) if task else None


def from_link(region: str, link: Mapping[str, Any], load_balancer: Any, port: int) -> Verdict:
    """The verdict on connections from each subnet of a VPC link (API Gateway's, V2) to a load balancer."""
    ec2, groups = ec2_backends[DEFAULT_ACCOUNT_ID][region], list(link["SecurityGroupIds"])
    sources = [
        _interface(ec2, name="VPC link", address=_host(subnet, LINK_HOST), subnet=subnet, groups=groups)
        for subnet in map(ec2.get_subnet, link["SubnetIds"])
    ]
    return between_all(sources, _of_load_balancer(ec2, load_balancer), port)


def to_database(account_id: str, region: str, address: str, endpoint: str, port: int) -> Verdict | None:
    """The verdict on connections from a task to each subnet of the cluster with this endpoint; None where one lacks."""
    task, cluster = _of_task(account_id, region, address), _cluster(account_id, endpoint)
    return between_all([task], cluster, port) if task and cluster else None


def to_service(network: Network, service: str) -> Verdict:
    """The verdict on connections from a caller to an endpoint of AWS, such as com.amazonaws.us-east-2.sqs.

    Through an interface endpoint with private DNS names where its VPC has one, through a gateway endpoint, or to the
    service's public address.
    https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html
    """
    ec2 = ec2_backends[DEFAULT_ACCOUNT_ID][network.region]
    return between_all(_of_caller(ec2, network), _endpoints_of(ec2, network.vpc_id, service), HTTPS_PORT)


def refusal_of(network: Network, service: str) -> str:
    """Why a caller cannot connect to an endpoint of AWS; empty where it can."""
    verdict = to_service(network, service)
    return "" if verdict.is_allowed else str(verdict)


def to_listener(network: Network, load_balancer: Any, address: str, port: int) -> Verdict:
    """The verdict on connections from a caller to one private address of a load balancer of its region."""
    ec2 = ec2_backends[DEFAULT_ACCOUNT_ID][network.region]
    there = [one for one in _of_load_balancer(ec2, load_balancer) if one.address == address]
    return between_all(_of_caller(ec2, network), there, port)


def to_internet(network: Network, name: str, address: str, port: int) -> Verdict:
    """The verdict on connections from a caller to an address outside any VPC."""
    ec2 = ec2_backends[DEFAULT_ACCOUNT_ID][network.region]
    return between_all(_of_caller(ec2, network), [Outside(name=name, address=address)], port)


def to_cluster(network: Network, endpoint: str, port: int) -> Verdict:
    """The verdict on connections from a caller to each subnet of the cluster with this endpoint.

    A name of no cluster leads nowhere.
    """
    ec2 = ec2_backends[DEFAULT_ACCOUNT_ID][network.region]
    cluster = _cluster(DEFAULT_ACCOUNT_ID, endpoint)
    if not cluster:
        return Verdict(allowed_by=(), refused_by=f"{endpoint}: no cluster in any subnet has this endpoint")
    return between_all(_of_caller(ec2, network), cluster, port)


def _of_caller(ec2: Any, network: Network) -> list[Interface]:
    """An interface in each subnet of a task or function: it may be placed in any."""
    return [
        _interface(
            ec2,
            name="caller",
            address=_host(subnet, CALLER_HOST),
            subnet=subnet,
            groups=list(network.groups),
            has_public_address=network.has_public_address,
        )
        for subnet in map(ec2.get_subnet, network.subnets)
    ]


def _endpoints_of(ec2: Any, vpc_id: str, service: str) -> list[End]:
    for one in ec2.vpc_end_points.values():
        if one.vpc_id == vpc_id and one.service_name == service and one.vpc_endpoint_type == "Interface":
            if not one.private_dns_enabled:
                continue
            subnets = map(ec2.get_subnet, one.subnet_ids or [])
            groups = list(one.security_group_ids)
            return [
                _interface(ec2, name=str(one.id), address=_host(subnet, ENDPOINT_HOST), subnet=subnet, groups=groups)
                for subnet in subnets
            ]
    listed = (one for one in ec2.managed_prefix_lists.values() if one.prefix_list_name == service)
    address = next((_first_address(one) for one in listed), PUBLIC_ADDRESS)
    return [Outside(name=service, address=address)]


def _host(subnet: Any, number: int) -> str:
    return str(ipaddress.ip_network(subnet.cidr_block)[number])


def _first_address(prefix_list: Any) -> str:
    return str(ipaddress.ip_network(_blocks(prefix_list)[0])[1])


# --- interfaces ---


def _of_load_balancer(ec2: Any, load_balancer: Any) -> list[Interface]:
    return [
        _interface(
            ec2,
            name=load_balancer.name,
            address=str(one.private_ip_address),
            subnet=one.subnet,
            groups=list(load_balancer.security_groups or []),
            has_public_address=load_balancer.scheme == INTERNET_FACING,
        )
        for one in network_interfaces(ec2, load_balancer)
    ]


def _of_task(account_id: str, region: str, address: str) -> Interface | None:
    placed = task_sets.network_at(account_id, region, address)
    if placed is None:
        return None
    ec2 = ec2_backends[account_id][region]
    subnet = next(one for one in map(ec2.get_subnet, placed["subnets"]) if is_in(address, one.cidr_block))
    return _interface(
        ec2,
        name="task",
        address=address,
        subnet=subnet,
        groups=placed["groups"],
        has_public_address=placed["public"],
    )


def _cluster(account_id: str, endpoint: str) -> list[Interface]:
    """An interface in each subnet of the cluster that an endpoint leads to now; a global endpoint to the writer."""
    groups = (group for backend in rds_backends[account_id].values() for group in backend.global_clusters.values())
    written = [one for group in groups if str(group.endpoint) == endpoint for one in group.members if one.is_writer]
    for region, backend in list(rds_backends[account_id].items()):
        for cluster in backend.clusters.values():
            if cluster in written or endpoint in _endpoints(cluster):
                return list(_of_cluster(ec2_backends[account_id][region], backend, cluster, endpoint))
    return []


def _endpoints(cluster: Any) -> set[str]:
    own = {str(cluster.endpoint), str(cluster.reader_endpoint)}
    return own | {str(one.address) for one in cluster.members}


def _of_cluster(ec2: Any, backend: Any, cluster: Any, name: str) -> Iterator[Interface]:
    """In the default VPC where no subnet group is named.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBCluster.html
    """
    group = backend.subnet_groups.get(cluster.db_subnet_group_name)
    subnets = group._subnets if group else ec2.get_default_subnets().values()  # noqa: SLF001 (with the subnets themselves)
    for subnet in subnets:
        yield _interface(
            ec2,
            name=name,
            address=_host(subnet, DATABASE_HOST),
            subnet=subnet,
            groups=list(cluster.vpc_security_group_ids),
        )


def _interface(
    ec2: Any, *, name: str, address: str, subnet: Any, groups: list[str], has_public_address: bool = False
) -> Interface:
    return Interface(
        name=name,
        address=address,
        vpc=str(subnet.vpc_id),
        subnet=str(subnet.id),
        groups=tuple(_security_group(ec2, one) for one in groups or [_default_group(ec2, subnet.vpc_id)]),
        acl=_acl(ec2, str(subnet.id)),
        routes=tuple(_routes(ec2, subnet)),
        has_public_address=has_public_address,
    )


# --- security groups ---


def _default_group(ec2: Any, vpc_id: str) -> str:
    return str(ec2.get_default_security_group(vpc_id).id)


def _security_group(ec2: Any, group_id: str) -> SecurityGroup:
    group = ec2.get_security_group_from_id(group_id)
    return SecurityGroup(
        id=group_id,
        ingress=tuple(_rule(ec2, one) for one in group.ingress_rules),
        egress=tuple(_rule(ec2, one) for one in group.egress_rules),
    )


def _rule(ec2: Any, rule: Any) -> GroupRule:
    has_ports = rule.ip_protocol != ANY
    block = rule.ip_range.get("CidrIp") or rule.ip_range.get("CidrIpv6")
    listed = _blocks(ec2.managed_prefix_lists[rule.prefix_list_id]) if rule.prefix_list_id else ()
    return GroupRule(
        id=str(rule.id),
        protocol=str(rule.ip_protocol),
        ports=(int(rule.from_port), int(rule.to_port)) if has_ports else ALL_PORTS,
        blocks=(*((str(block),) if block else ()), *listed),
        group=str(rule.source_group.get("GroupId") or ""),
    )


def _blocks(prefix_list: Any) -> tuple[str, ...]:
    return tuple(str(one["Cidr"]) for one in prefix_list.entries.get(prefix_list.version) or _latest(prefix_list))


def _latest(prefix_list: Any) -> list[dict[str, str]]:
    """AWS's own lists have no version."""
    return list(prefix_list.entries.values())[-1] if prefix_list.entries else []


# --- network ACLs ---


def _acl(ec2: Any, subnet_id: str) -> NetworkAcl:
    found = next(one for one in ec2.network_acls.values() if subnet_id in {each.subnet_id for each in one.associations})
    return NetworkAcl(id=str(found.id), entries=tuple(_entry(one) for one in found.network_acl_entries))


def _entry(entry: Any) -> AclEntry:
    first, last = entry.port_range_from, entry.port_range_to
    return AclEntry(
        number=int(entry.rule_number),
        allows=entry.rule_action == "allow",
        is_egress=str(entry.egress).lower() == "true",
        protocol=str(entry.protocol),
        block=str(entry.cidr_block or entry.ipv6_cidr_block),
        ports=ALL_PORTS if first is None or last is None else (int(first), int(last)),
    )


# --- routes ---


def _routes(ec2: Any, subnet: Any, *, may_pass: bool = True) -> Iterator[Route]:
    tables = [one for one in ec2.route_tables.values() if one.vpc_id == subnet.vpc_id]
    own = (one for one in tables if subnet.id in one._associations.values())  # noqa: SLF001 (with the subnets alone)
    table = next(own, None) or next(one for one in tables if one.main_association_id)
    for route in table.routes:
        target, through = _target(ec2, route, may_pass=may_pass)
        for block in _destinations(route):
            yield Route(block=block, target=target, through=through)
    yield from _gateway_endpoints(ec2, table)


def _destinations(route: Any) -> Iterable[str]:
    if route.destination_prefix_list is not None:
        return _blocks(route.destination_prefix_list)
    return [str(route.destination_cidr_block or route.destination_ipv6_cidr_block)]


def _target(ec2: Any, route: Any, *, may_pass: bool) -> tuple[str, Interface | None]:
    if route.local:
        return "local", None
    if route.nat_gateway is not None or route.instance is not None or route.interface is not None:
        return _device(ec2, route, may_pass=may_pass)
    if route.vpc_pcx is not None:
        is_active = route.vpc_pcx._status.code == ACTIVE  # noqa: SLF001 (moto offers no other way to it)
        return (str(route.vpc_pcx.id), None) if is_active else ("", None)
    found = route.gateway or route.egress_only_igw or route.transit_gateway
    return (str(found.id) if found else str(route.vpc_endpoint_id or "")), None


def _device(ec2: Any, route: Any, *, may_pass: bool) -> tuple[str, Interface | None]:
    """A NAT device by its id, and its interface; neither where it is gone, or does not run."""
    gateway, instance = route.nat_gateway, route.instance
    if gateway is not None:
        interface = gateway._eni if gateway.id in ec2.nat_gateways else None  # noqa: SLF001 (as above)
    elif instance is not None:
        interface = instance.nics[0] if instance.state == "running" else None
    else:
        interface = route.interface
    if interface is None:
        return "", None
    through = _passed(ec2, interface, has_groups=gateway is None) if may_pass else None
    return str(gateway.id if gateway else interface.id), through


def _passed(ec2: Any, interface: Any, *, has_groups: bool) -> Interface:
    """The interface of a NAT device; a gateway has no security groups."""
    return Interface(
        name=str(interface.id),
        address=str(interface.private_ip_address),
        vpc=str(interface.subnet.vpc_id),
        subnet=str(interface.subnet.id),
        groups=tuple(_security_group(ec2, str(one.id)) for one in interface.group_set) if has_groups else (),
        acl=_acl(ec2, str(interface.subnet.id)),
        routes=tuple(_routes(ec2, interface.subnet, may_pass=False)),
        has_public_address=True,
    )


def _gateway_endpoints(ec2: Any, table: Any) -> Iterator[Route]:
    """https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html#gateway-endpoint-routing."""
    for endpoint in ec2.vpc_end_points.values():
        if endpoint.vpc_endpoint_type == "Gateway" and table.id in (endpoint.route_table_ids or []):
            for one in ec2.managed_prefix_lists.values():
                if one.prefix_list_name == endpoint.service_name:
                    yield from (Route(block=block, target=str(endpoint.id)) for block in _blocks(one))
