"""Network interfaces that AWS's services keep in subnets: of functions, tasks, database instances, endpoints, NAT.

They are what keeps a subnet or a security group from being deleted. Those of functions, tasks and instances are derived
from what there is whenever EC2 is asked, so that nothing has to be told of a change. Functions share an interface for
each combination of subnet and security groups, and it outlives the last of them.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-networking.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.ecs.models import ecs_backends
from moto.rds.models import rds_backends

from emulator.clock import CLOCK
from emulator.runtime.task_sets import task_sets

MINUTES_OF_FUNCTIONS = 20
"""https://repost.aws/knowledge-center/lambda-eni-find-delete: up to 20 minutes after the last function has left it."""
OWNER_OF_FUNCTIONS = "amazon-aws"
"""Of what a function's interface is attached to; the provider waits for such an interface, and deletes others at once:
https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/ec2/vpc_network_interface.go"""
LAMBDA, ECS, RDS = "lambda", "ecs", "rds"
_DESCRIPTIONS = {LAMBDA: "AWS Lambda VPC ENI-{}", ECS: "{}", RDS: "RDSNetworkInterface"}
_SECONDS_OF_A_MINUTE = 60


@dataclass(frozen=True)
class _Wanted:
    """An interface that there must be: whose, in which subnet, with which groups, at which address if one is known."""

    service: str
    of: str
    subnet: str
    groups: tuple[str, ...]
    address: str = ""


def settle(ec2: Any) -> None:
    """Make the network interfaces that are missing in a region (a backend of moto's), and delete what is over."""
    wanted = {one for one in _wanted(ec2) if _is_possible(ec2, one)}
    there = {one.attached_for: one for one in ec2.enis.values() if hasattr(one, "attached_for")}
    for one in wanted - there.keys():
        _make(ec2, one)
    for key, interface in there.items():
        if key in wanted:
            interface.released_at = None
        elif _is_over(key, interface):
            del ec2.enis[interface.id]
    _describe_others(ec2)


def _is_over(key: _Wanted, interface: Any) -> bool:
    if key.service != LAMBDA:
        return True
    if interface.released_at is None:
        interface.released_at = CLOCK.seconds()
    return bool(CLOCK.seconds() - interface.released_at >= MINUTES_OF_FUNCTIONS * _SECONDS_OF_A_MINUTE)


def _make(ec2: Any, one: _Wanted) -> None:
    interface = ec2.create_network_interface(
        ec2.get_subnet(one.subnet),
        one.address or [],
        group_ids=list(one.groups),
        description=_DESCRIPTIONS[one.service].format(one.of),
    )
    interface.attached_for, interface.released_at = one, None
    interface.requester_id, interface.requester_managed = f"amazon-{one.service}", True
    interface.status = "in-use"
    if one.service == LAMBDA:
        interface.interface_type = "lambda"
        interface.attachment_id = f"ela-attach-{interface.id.removeprefix('eni-')}"


def _is_possible(ec2: Any, one: _Wanted) -> bool:
    """Whether subnet and groups exist: moto makes functions and instances also where they do not."""
    known = {subnet for zone in ec2.subnets.values() for subnet in zone}
    return one.subnet in known and all(ec2.get_security_group_from_id(group) for group in one.groups)


def _wanted(ec2: Any) -> Iterator[_Wanted]:
    account_id, region = ec2.account_id, ec2.region_name
    yield from _of_functions(lambda_backends[account_id][region])
    yield from _of_tasks(ec2, ecs_backends[account_id][region])
    yield from _of_instances(rds_backends[account_id][region])


def _of_functions(backend: Any) -> Iterator[_Wanted]:
    shared: dict[tuple[str, tuple[str, ...]], str] = {}
    for versions in backend._lambdas._functions.values():  # noqa: SLF001 (listing them copies their code)
        for function in (versions["latest"], *versions["versions"]):
            place = (function.vpc_config if function else None) or {}
            for subnet in place.get("SubnetIds") or []:
                key = subnet, tuple(sorted(place.get("SecurityGroupIds") or []))
                shared.setdefault(key, "shared")
    for (subnet, groups), of in shared.items():
        yield _Wanted(LAMBDA, of, subnet, groups)


def _of_tasks(ec2: Any, backend: Any) -> Iterator[_Wanted]:
    for service in backend.services.values():
        if service.status != "ACTIVE":
            continue
        for tasks in task_sets(service):
            place = (tasks.network_configuration or {}).get("awsvpcConfiguration") or {}
            groups = tuple(place.get("securityGroups") or [])
            for address in tasks.addresses:
                subnet = _subnet_at(ec2, place["subnets"], address)
                if subnet:
                    yield _Wanted(ECS, str(service.arn), subnet, groups, address)


def _subnet_at(ec2: Any, subnets: list[str], address: str) -> str:
    known = {id_: subnet for zone in ec2.subnets.values() for id_, subnet in zone.items()}
    inside = ipaddress.ip_address(address)
    found = (one for one in subnets if one in known and inside in ipaddress.ip_network(known[one].cidr_block))
    return next(found, "")


def _of_instances(backend: Any) -> Iterator[_Wanted]:
    """One for each instance; those of a cluster take the subnets of its group in turn."""
    for name, instance in backend.databases.items():
        cluster = backend.clusters.get(getattr(instance, "db_cluster_identifier", None) or "")
        group = backend.subnet_groups.get((cluster or instance).db_subnet_group_name or "")
        if group:
            subnets = [str(one.id) for one in group._subnets]  # noqa: SLF001 (what is not private describes them)
            number = sorted(one for one, other in backend.databases.items() if _same_cluster(instance, other)).index(
                name
            )
            groups = tuple((cluster or instance).vpc_security_group_ids)
            yield _Wanted(RDS, str(name), subnets[number % len(subnets)], groups)


def _same_cluster(one: Any, other: Any) -> bool:
    return bool(getattr(one, "db_cluster_identifier", None) == getattr(other, "db_cluster_identifier", None))


def _describe_others(ec2: Any) -> None:
    """Say of what moto makes for gateways and endpoints whose it is, and give the latter their endpoint's groups.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html
    """
    for gateway in ec2.nat_gateways.values():
        interface = gateway._eni  # noqa: SLF001 (moto offers no other way to it)
        interface.description, interface.requester_managed = f"Interface for NAT Gateway {gateway.id}", True
        interface.status, interface._group_set = "in-use", []  # noqa: SLF001
    for endpoint in ec2.vpc_end_points.values():
        groups = [ec2.get_security_group_from_id(one) for one in endpoint.security_group_ids]
        for interface in (ec2.enis[one] for one in endpoint.network_interface_ids or [] if one in ec2.enis):
            interface.description = f"VPC Endpoint Interface {endpoint.id}"
            interface.requester_managed, interface.status = True, "in-use"
            interface._group_set = [one for one in groups if one] or interface._group_set  # noqa: SLF001
