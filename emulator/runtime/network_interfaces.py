"""Network interfaces of load balancers, from which their addresses are read.

Their description is "ELB app/NAME/ID": https://repost.aws/knowledge-center/elb-find-load-balancer-ip
"""

from __future__ import annotations

from typing import Any

REQUESTER = "amazon-elb"
INTERNET_FACING = "internet-facing"
"""The scheme of a load balancer whose nodes have public addresses."""


def network_interfaces(ec2: Any, load_balancer: Any) -> list[Any]:
    """The network interfaces of a load balancer (one of moto's)."""
    described = description_of(load_balancer)
    return [one for one in ec2.enis.values() if one.requester_id == REQUESTER and one.description == described]


def description_of(load_balancer: Any) -> str:
    """Description of the network interfaces of a load balancer (one of moto's)."""
    return "ELB " + str(load_balancer.arn.partition(":loadbalancer/")[2])
