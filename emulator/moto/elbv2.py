"""Elastic Load Balancing: the network interfaces of a load balancer, one in each of its subnets; the health of targets.

The interfaces are how the addresses of a load balancer are found (:mod:`emulator.runtime.network_interfaces`). moto
reports every registered target as healthy.
"""

from __future__ import annotations

from typing import Any

from moto.elbv2.models import ELBv2Backend, FakeHealthStatus

from emulator.moto.extend import Method, override
from emulator.runtime.network_interfaces import INTERNET_FACING, REQUESTER, description_of, network_interfaces
from emulator.runtime.target_health import health_at
from emulator.turns import let_others


@override(ELBv2Backend)
def create_load_balancer(original: Method, self: Any, *args: Any, **kwargs: Any) -> Any:
    """Give it its network interfaces, and the scheme that a request leaves out, as Terraform's do.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
    """
    load_balancer = original(self, *args, **kwargs)
    if load_balancer.scheme is None and load_balancer.type != "gateway":
        load_balancer.scheme = INTERNET_FACING
    _attach(self, load_balancer)
    return load_balancer


@override(ELBv2Backend)
def set_subnets(original: Method, self: Any, arn: str, *args: Any, **kwargs: Any) -> Any:
    """Move the network interfaces."""
    zones = original(self, arn, *args, **kwargs)
    _attach(self, self.load_balancers[arn])
    return zones


@override(ELBv2Backend)
def set_security_groups(original: Method, self: Any, arn: str, sec_groups: list[str]) -> None:
    """Change the groups of the network interfaces."""
    original(self, arn, sec_groups)
    _attach(self, self.load_balancers[arn])


@override(ELBv2Backend)
def delete_load_balancer(original: Method, self: Any, arn: str) -> None:
    """The network interfaces go with it."""
    load_balancer = self.load_balancers.get(arn)
    original(self, arn)
    for interface in network_interfaces(self.ec2_backend, load_balancer) if load_balancer else ():
        del self.ec2_backend.enis[interface.id]


@override(ELBv2Backend)
def describe_target_health(original: Method, self: Any, target_group_arn: str, targets: list[dict[str, Any]]) -> Any:
    """Check the health of registered targets whose tasks run."""
    found = original(self, target_group_arn, targets)
    group = self.target_groups[target_group_arn]
    for status in found:
        if status.status == "healthy":
            _check(self.region_name, group, status)
    return found


def _check(region: str, group: Any, status: FakeHealthStatus) -> None:
    with let_others():  # the task may call AWS before it answers
        health = health_at(region, group, str(status.instance_id))
    if health:
        status.status, status.reason, status.description = health.state, health.reason, health.description


def _attach(self: Any, load_balancer: Any) -> None:
    """One network interface in each subnet, with the load balancer's groups; one that is right already stays."""
    wanted = {subnet.id for subnet in load_balancer.subnets}
    there: set[str] = set()
    for interface in network_interfaces(self.ec2_backend, load_balancer):
        if interface.subnet.id in wanted:
            there.add(interface.subnet.id)
            self.ec2_backend.modify_network_interface_attribute(interface.id, load_balancer.security_groups or [])
        else:
            del self.ec2_backend.enis[interface.id]
    for subnet in load_balancer.subnets:
        if subnet.id not in there:
            interface = self.ec2_backend.create_network_interface(
                subnet, [], group_ids=load_balancer.security_groups, description=description_of(load_balancer)
            )
            interface.requester_id, interface.requester_managed, interface.status = REQUESTER, True, "in-use"
